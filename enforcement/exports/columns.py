"""The columns of every export: one table, so that GeoPackage, Shapefile and spreadsheet tell the same of an alert."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from enforcement.alert import STATEMENT, Alert, AlertArea, AlertImage, alert_feature
from enforcement.evidence.sheet_texts import Words
from enforcement.units import mu

Kind = Literal["text", "number", "whole", "date"]
Value = str | float | int | dt.date | None


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: in a GeoPackage.
        short: in a Shapefile: at most ten letters.
        headings: in a spreadsheet, Chinese and English.
        kind: text, number (decimals), whole (number) or date.
        decimals: of a number.
        width: in a spreadsheet, letters.
        value: of an alert, given with its GeoJSON properties and the words of a language.
    """

    name: str
    short: str
    headings: tuple[str, str]
    kind: Kind
    decimals: int
    width: int
    value: Callable[[Alert, dict[str, Any], Words], Value]


def _text(
    name: str, short: str, headings: tuple[str, str], width: int, value: Callable[[Alert, dict[str, Any], Words], Value]
) -> Column:
    return Column(name, short, headings, "text", 0, width, value)


def _number(
    name: str,
    short: str,
    headings: tuple[str, str],
    decimals: int,
    value: Callable[[Alert, dict[str, Any], Words], Value],
) -> Column:
    return Column(name, short, headings, "number", decimals, 14, value)


def _whole(
    name: str, short: str, headings: tuple[str, str], value: Callable[[Alert, dict[str, Any], Words], Value]
) -> Column:
    return Column(name, short, headings, "whole", 0, 10, value)


def _date(
    name: str, short: str, headings: tuple[str, str], value: Callable[[Alert, dict[str, Any], Words], Value]
) -> Column:
    return Column(name, short, headings, "date", 0, 12, value)


def _smallest(alert: Alert) -> str:
    return next((area.code for area in (alert.village, alert.township, alert.county) if area is not None), "")


def _name(area: AlertArea | None) -> str:
    return "" if area is None else area.name


def _day(image: AlertImage | None) -> dt.date | None:
    return None if image is None else image.date


def _type(alert: Alert, words: Words) -> str:
    return words.pair(alert.change_type_names or alert.kind_names)


def _on(kind: str) -> Callable[[Alert, dict[str, Any], Words], Value]:
    """Area in m² on the layers of a kind; None: no such layer was asked."""

    def area(alert: Alert, told: dict[str, Any], words: Words) -> Value:
        del told, words
        met = [entry for entry in alert.overlaps if entry.get("kind") == kind]
        valid = [float(entry.get("area_m2") or 0.0) for entry in met if entry.get("valid") is not False]
        return sum(valid) if met else None

    return area


def overlaps_told(alert: Alert, words: Words) -> str:
    """All overlaps in one text; those that are not valid on the day are marked."""
    return "; ".join(
        f"{entry.get('layer')} ({entry.get('dated') or words('unknown')}) {entry.get('number') or ''}".rstrip()
        + f" {entry.get('share') or 0:.0%}"
        + (f" [{words('valid')}: {words('no')}]" if entry.get("valid") is False else "")
        for entry in alert.overlaps
    )


COLUMNS: tuple[Column, ...] = (
    _text("number", "TBBH", ("图斑编号", "Alert number"), 22, lambda alert, told, words: alert.number),
    _text("area_code", "XZQDM", ("行政区代码", "Area code"), 15, lambda alert, told, words: _smallest(alert)),
    _text("county", "XMC", ("县（区）", "County"), 14, lambda alert, told, words: _name(alert.county)),
    _text("township", "XZMC", ("乡镇", "Township"), 14, lambda alert, told, words: _name(alert.township)),
    _text("village", "CMC", ("村", "Village"), 14, lambda alert, told, words: _name(alert.village)),
    _text("type", "TBLX", ("图斑类型", "Type"), 26, lambda alert, told, words: _type(alert, words)),
    _text("kind", "LBDM", ("类别代码", "Kind code"), 14, lambda alert, told, words: alert.change_type or alert.kind),
    _text("state", "ZT", ("状态", "State"), 14, lambda alert, told, words: words.state(alert.state)),
    _text(
        "works", "SGZT", ("施工状态", "State of works"), 12, lambda alert, told, words: words.works(alert.works or "")
    ),
    _text("source", "XSLY", ("线索来源", "Source"), 12, lambda alert, told, words: words.source(alert.source)),
    _date("earlier", "QSX", ("前时相", "Earlier image"), lambda alert, told, words: _day(alert.earlier)),
    _date("later", "HSX", ("后时相", "Later image"), lambda alert, told, words: _day(alert.later)),
    _number("area_m2", "JCMJ", ("监测面积/m²", "Area, m²"), 2, lambda alert, told, words: alert.area_m2),
    _number("area_mu", "JCMJM", ("监测面积/亩", "Area, mu"), 4, lambda alert, told, words: mu(alert.area_m2)),
    _number("lon", "ZXJD", ("中心经度", "Longitude"), 8, lambda alert, told, words: told["centre"]["lon"]),
    _number("lat", "ZXWD", ("中心纬度", "Latitude"), 8, lambda alert, told, words: told["centre"]["lat"]),
    _number("cultivated_m2", "GDMJ", ("占耕地/m²", "On cultivated land, m²"), 2, _on("cultivated")),
    _number("basic_m2", "JBNTMJ", ("占永久基本农田/m²", "On basic farmland, m²"), 2, _on("basic_farmland")),
    _text("overlaps", "THQK", ("套合情况", "Overlaps"), 40, lambda alert, told, words: overlaps_told(alert, words)),
    _number("score", "ZXD", ("置信度", "Score"), 4, lambda alert, told, words: alert.score),
    _whole("times_seen", "FXCS", ("发现次数", "Times seen"), lambda alert, told, words: told["times_seen"]),
    _number("growth_m2", "ZZMJ", ("增长面积/m²", "Growth, m²"), 2, lambda alert, told, words: told["growth_m2"]),
    _number("residual_m", "PZCC", ("配准残差/m", "Residual, m"), 3, lambda alert, told, words: alert.residual_m),
    _text("week", "ZB", ("周次", "Week"), 10, lambda alert, told, words: alert.week),
    _whole("rank", "PM", ("排名", "Rank"), lambda alert, told, words: alert.rank),
    _text("page", "LJ", ("页面", "Page"), 30, lambda alert, told, words: alert.page),
    _text("statement", "SM", ("说明", "Note"), 32, lambda alert, told, words: words.pair(STATEMENT)),
)
"""In the order of every export. Areas, lengths: m², mu, m; centre: degrees, EPSG:4490; dates: local."""


def values_of(alert: Alert, words: Words, columns: Sequence[Column] = COLUMNS) -> list[Value]:
    """What the columns tell of an alert; what is not known is None, a text that is not known "". Numbers are rounded."""
    told: dict[str, Any] = alert_feature(alert)["properties"]
    found: list[Value] = []
    for column in columns:
        value = column.value(alert, told, words)
        if column.kind == "text":
            value = value or ""
        elif column.kind == "number" and isinstance(value, int | float):
            value = round(float(value), column.decimals)
        found.append(value)
    return found
