"""Columns of all exports: one definition for GeoPackage, Shapefile and spreadsheet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from enforcement.alert import STATEMENT, Alert, AlertArea, AlertImage, alert_feature
from enforcement.evidence.sheet_texts import SheetTexts
from enforcement.steps.evidence_words import evidence_in_words
from enforcement.units import mu

Kind = Literal["text", "number", "integer", "date"]
Value = str | float | int | dt.date | None
Getter = Callable[[Alert, dict[str, Any], SheetTexts], Value]
"""Returns the value of a column from an alert, its GeoJSON properties and the texts of a language."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: field name in a GeoPackage.
        short: field name in a Shapefile, at most ten characters.
        headings: headings in a spreadsheet, Chinese and English.
        kind: text, number (with decimals), integer or date.
        decimals: number of decimals.
        width: column width in a spreadsheet, characters.
        value: returns the value of an alert.
    """

    name: str
    short: str
    headings: tuple[str, str]
    kind: Kind
    decimals: int
    width: int
    value: Getter


def _text(name: str, short: str, headings: tuple[str, str], width: int, value: Getter) -> Column:
    return Column(name, short, headings, "text", 0, width, value)


def _number(name: str, short: str, headings: tuple[str, str], decimals: int, value: Getter) -> Column:
    return Column(name, short, headings, "number", decimals, 14, value)


def _integer(name: str, short: str, headings: tuple[str, str], value: Getter) -> Column:
    return Column(name, short, headings, "integer", 0, 10, value)


def _date(name: str, short: str, headings: tuple[str, str], value: Getter) -> Column:
    return Column(name, short, headings, "date", 0, 12, value)


def _smallest_code(alert: Alert) -> str:
    return next((area.code for area in (alert.village, alert.township, alert.county) if area is not None), "")


def _name(area: AlertArea | None) -> str:
    return "" if area is None else area.name


def _day(image: AlertImage | None) -> dt.date | None:
    return None if image is None else image.date


def _type(alert: Alert, texts: SheetTexts) -> str:
    return texts.pick(alert.change_type_names or alert.kind_names)


def _overlap_area(kind: str) -> Getter:
    """Return a getter of the area in m² on the layers of a kind; None if no such layer was searched."""

    def area(alert: Alert, properties: dict[str, Any], texts: SheetTexts) -> Value:
        del properties, texts
        entries = [entry for entry in alert.overlaps if entry.get("kind") == kind]
        valid = [float(entry.get("area_m2") or 0.0) for entry in entries if entry.get("valid") is not False]
        return sum(valid) if entries else None

    return area


def _format_overlaps(alert: Alert, texts: SheetTexts) -> str:
    """Format all overlaps as one text; those not valid on the day are marked."""
    return "; ".join(
        f"{entry.get('layer')} ({entry.get('dated') or texts('unknown')}) {entry.get('number') or ''}".rstrip()
        + f" {entry.get('share') or 0:.0%}"
        + (f" [{texts('valid')}: {texts('no')}]" if entry.get("valid") is False else "")
        for entry in alert.overlaps
    )


def _entered(name: str) -> Getter:
    """Return a getter of a text that was entered with a step."""
    return lambda alert, properties, texts: str(alert.entered.get(name) or "")


def _entered_day(name: str) -> Getter:
    def day(alert: Alert, properties: dict[str, Any], texts: SheetTexts) -> Value:
        del properties, texts
        try:
            return dt.date.fromisoformat(str(alert.entered.get(name)))
        except ValueError:
            return None

    return day


def _entered_area(name: str) -> Getter:
    def area(alert: Alert, properties: dict[str, Any], texts: SheetTexts) -> Value:
        del properties, texts
        value = alert.entered.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    return area


def _file_count(name: str) -> Getter:
    def count(alert: Alert, properties: dict[str, Any], texts: SheetTexts) -> Value:
        del properties, texts
        files = alert.entered.get(name)
        return len(files) if isinstance(files, list) else None

    return count


def _later_image(alert: Alert, properties: dict[str, Any], texts: SheetTexts) -> Value:
    del properties
    entries = evidence_in_words({"later_image": alert.entered.get("later_image")}, texts.language)
    return entries[0].words if entries else ""


COLUMNS: tuple[Column, ...] = (
    _text("number", "TBBH", ("图斑编号", "Alert number"), 22, lambda alert, props, texts: alert.number),
    _text("area_code", "XZQDM", ("行政区代码", "Area code"), 15, lambda alert, props, texts: _smallest_code(alert)),
    _text("county", "XMC", ("县（区）", "County"), 14, lambda alert, props, texts: _name(alert.county)),
    _text("township", "XZMC", ("乡镇", "Township"), 14, lambda alert, props, texts: _name(alert.township)),
    _text("village", "CMC", ("村", "Village"), 14, lambda alert, props, texts: _name(alert.village)),
    _text("type", "TBLX", ("图斑类型", "Type"), 26, lambda alert, props, texts: _type(alert, texts)),
    _text("kind", "LBDM", ("类别代码", "Kind code"), 14, lambda alert, props, texts: alert.change_type or alert.kind),
    _text("state", "ZT", ("状态", "State"), 14, lambda alert, props, texts: texts.state(alert.state)),
    _text(
        "works",
        "SGZT",
        ("施工状态", "State of works"),
        12,
        lambda alert, props, texts: texts.works(alert.works or ""),
    ),
    _text("source", "XSLY", ("线索来源", "Source"), 12, lambda alert, props, texts: texts.source(alert.source)),
    _date("earlier", "QSX", ("前时相", "Earlier image"), lambda alert, props, texts: _day(alert.earlier)),
    _date("later", "HSX", ("后时相", "Later image"), lambda alert, props, texts: _day(alert.later)),
    _number("area_m2", "JCMJ", ("监测面积/m²", "Area, m²"), 2, lambda alert, props, texts: alert.area_m2),
    _number("area_mu", "JCMJM", ("监测面积/亩", "Area, mu"), 4, lambda alert, props, texts: mu(alert.area_m2)),
    _number("lon", "ZXJD", ("中心经度", "Longitude"), 8, lambda alert, props, texts: props["centre"]["lon"]),
    _number("lat", "ZXWD", ("中心纬度", "Latitude"), 8, lambda alert, props, texts: props["centre"]["lat"]),
    _number("cultivated_m2", "GDMJ", ("占耕地/m²", "On cultivated land, m²"), 2, _overlap_area("cultivated")),
    _number("basic_m2", "JBNTMJ", ("占永久基本农田/m²", "On basic farmland, m²"), 2, _overlap_area("basic_farmland")),
    _text(
        "overlaps",
        "THQK",
        ("套合情况", "Overlaps"),
        40,
        lambda alert, props, texts: _format_overlaps(alert, texts),
    ),
    _number("score", "ZXD", ("置信度", "Score"), 4, lambda alert, props, texts: alert.score),
    _integer("times_seen", "FXCS", ("发现次数", "Times seen"), lambda alert, props, texts: props["times_seen"]),
    _number("growth_m2", "ZZMJ", ("增长面积/m²", "Growth, m²"), 2, lambda alert, props, texts: props["growth_m2"]),
    _number("residual_m", "PZCC", ("配准残差/m", "Residual, m"), 3, lambda alert, props, texts: alert.residual_m),
    _text("basis", "RDYJ", ("认定依据", "Basis"), 28, _entered("basis")),
    _text("stop_notice", "TZSWH", ("通知书文号", "Stop notice"), 20, _entered("stop_notice")),
    _date("correct_by", "ZGQX", ("整改期限", "Correction by"), _entered_day("correct_by")),
    _text("case_number", "LABH", ("立案编号", "Case number"), 18, _entered("case_number")),
    _text("decision", "CLJD", ("处理决定", "Decision"), 28, _entered("decision")),
    _text("later_image", "ZGHYX", ("整改后影像", "Later image"), 24, _later_image),
    _number("total_m2", "YZGMJ", ("应整改面积/m²", "To be corrected, m²"), 2, _entered_area("total_m2")),
    _number("demolished_m2", "CCMJ", ("已拆除恢复/m²", "Demolished, m²"), 2, _entered_area("demolished_m2")),
    _number("regularised_m2", "BBMJ", ("已补办/m²", "Regularised, m²"), 2, _entered_area("regularised_m2")),
    _integer("photos", "ZPS", ("照片数", "Photos"), _file_count("photos")),
    _integer("attachments", "FJS", ("附件数", "Attachments"), _file_count("attachments")),
    _text("week", "ZB", ("周次", "Week"), 10, lambda alert, props, texts: alert.week),
    _integer("rank", "PM", ("排名", "Rank"), lambda alert, props, texts: alert.rank),
    _text("page", "LJ", ("页面", "Page"), 30, lambda alert, props, texts: alert.page),
    _text("statement", "SM", ("说明", "Note"), 32, lambda alert, props, texts: texts.pick(STATEMENT)),
)
"""Columns in the order of all exports. Areas in m² and mu, lengths in m, centres in degrees (EPSG:4490)."""


def column_values(alert: Alert, texts: SheetTexts) -> list[Value]:
    """Return the values of all columns, numbers rounded. Unknown values are None, unknown texts ""."""
    properties: dict[str, Any] = alert_feature(alert)["properties"]
    values: list[Value] = []
    for column in COLUMNS:
        value = column.value(alert, properties, texts)
        if column.kind == "text":
            value = value or ""
        elif column.kind == "number" and isinstance(value, int | float):
            value = round(float(value), column.decimals)
        values.append(value)
    return values
