"""The columns of every export: one table, so that GeoPackage, Shapefile and spreadsheet tell the same of a lead."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from enforcement.alert import STATEMENT, Lead, LeadArea, LeadImage, lead_feature
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
        value: of a lead, given with its GeoJSON properties and the words of a language.
    """

    name: str
    short: str
    headings: tuple[str, str]
    kind: Kind
    decimals: int
    width: int
    value: Callable[[Lead, dict[str, Any], Words], Value]


def _text(
    name: str, short: str, headings: tuple[str, str], width: int, value: Callable[[Lead, dict[str, Any], Words], Value]
) -> Column:
    return Column(name, short, headings, "text", 0, width, value)


def _number(
    name: str,
    short: str,
    headings: tuple[str, str],
    decimals: int,
    value: Callable[[Lead, dict[str, Any], Words], Value],
) -> Column:
    return Column(name, short, headings, "number", decimals, 14, value)


def _whole(
    name: str, short: str, headings: tuple[str, str], value: Callable[[Lead, dict[str, Any], Words], Value]
) -> Column:
    return Column(name, short, headings, "whole", 0, 10, value)


def _date(
    name: str, short: str, headings: tuple[str, str], value: Callable[[Lead, dict[str, Any], Words], Value]
) -> Column:
    return Column(name, short, headings, "date", 0, 12, value)


def _smallest(lead: Lead) -> str:
    return next((area.code for area in (lead.village, lead.township, lead.county) if area is not None), "")


def _name(area: LeadArea | None) -> str:
    return "" if area is None else area.name


def _day(image: LeadImage | None) -> dt.date | None:
    return None if image is None else image.date


def _type(lead: Lead, words: Words) -> str:
    return words.pair(lead.change_type_names or lead.kind_names)


def _on(kind: str) -> Callable[[Lead, dict[str, Any], Words], Value]:
    """Area in m² on the layers of a kind; None: no such layer was asked."""

    def area(lead: Lead, told: dict[str, Any], words: Words) -> Value:
        del told, words
        met = [entry for entry in lead.overlaps if entry.get("kind") == kind]
        valid = [float(entry.get("area_m2") or 0.0) for entry in met if entry.get("valid") is not False]
        return sum(valid) if met else None

    return area


def overlaps_told(lead: Lead, words: Words) -> str:
    """All overlaps in one text; those that are not valid on the day are marked."""
    return "; ".join(
        f"{entry.get('layer')} ({entry.get('dated') or words('unknown')}) {entry.get('number') or ''}".rstrip()
        + f" {entry.get('share') or 0:.0%}"
        + (f" [{words('valid')}: {words('no')}]" if entry.get("valid") is False else "")
        for entry in lead.overlaps
    )


COLUMNS: tuple[Column, ...] = (
    _text("number", "TBBH", ("图斑编号", "Lead number"), 22, lambda lead, told, words: lead.number),
    _text("area_code", "XZQDM", ("行政区代码", "Area code"), 15, lambda lead, told, words: _smallest(lead)),
    _text("county", "XMC", ("县（区）", "County"), 14, lambda lead, told, words: _name(lead.county)),
    _text("township", "XZMC", ("乡镇", "Township"), 14, lambda lead, told, words: _name(lead.township)),
    _text("village", "CMC", ("村", "Village"), 14, lambda lead, told, words: _name(lead.village)),
    _text("type", "TBLX", ("图斑类型", "Type"), 26, lambda lead, told, words: _type(lead, words)),
    _text("kind", "LBDM", ("类别代码", "Kind code"), 14, lambda lead, told, words: lead.change_type or lead.kind),
    _text("state", "ZT", ("状态", "State"), 14, lambda lead, told, words: words.state(lead.state)),
    _text("works", "SGZT", ("施工状态", "State of works"), 12, lambda lead, told, words: words.works(lead.works or "")),
    _text("source", "XSLY", ("线索来源", "Source"), 12, lambda lead, told, words: words.source(lead.source)),
    _date("earlier", "QSX", ("前时相", "Earlier image"), lambda lead, told, words: _day(lead.earlier)),
    _date("later", "HSX", ("后时相", "Later image"), lambda lead, told, words: _day(lead.later)),
    _number("area_m2", "JCMJ", ("监测面积/m²", "Area, m²"), 2, lambda lead, told, words: lead.area_m2),
    _number("area_mu", "JCMJM", ("监测面积/亩", "Area, mu"), 4, lambda lead, told, words: mu(lead.area_m2)),
    _number("lon", "ZXJD", ("中心经度", "Longitude"), 8, lambda lead, told, words: told["centre"]["lon"]),
    _number("lat", "ZXWD", ("中心纬度", "Latitude"), 8, lambda lead, told, words: told["centre"]["lat"]),
    _number("cultivated_m2", "GDMJ", ("占耕地/m²", "On cultivated land, m²"), 2, _on("cultivated")),
    _number("basic_m2", "JBNTMJ", ("占永久基本农田/m²", "On basic farmland, m²"), 2, _on("basic_farmland")),
    _text("overlaps", "THQK", ("套合情况", "Overlaps"), 40, lambda lead, told, words: overlaps_told(lead, words)),
    _number("score", "ZXD", ("置信度", "Score"), 4, lambda lead, told, words: lead.score),
    _whole("times_seen", "FXCS", ("发现次数", "Times seen"), lambda lead, told, words: told["times_seen"]),
    _number("growth_m2", "ZZMJ", ("增长面积/m²", "Growth, m²"), 2, lambda lead, told, words: told["growth_m2"]),
    _number("residual_m", "PZCC", ("配准残差/m", "Residual, m"), 3, lambda lead, told, words: lead.residual_m),
    _text("week", "ZB", ("周次", "Week"), 10, lambda lead, told, words: lead.week),
    _whole("rank", "PM", ("排名", "Rank"), lambda lead, told, words: lead.rank),
    _text("page", "LJ", ("页面", "Page"), 30, lambda lead, told, words: lead.page),
    _text("statement", "SM", ("说明", "Note"), 32, lambda lead, told, words: words.pair(STATEMENT)),
)
"""In the order of every export. Areas, lengths: m², mu, m; centre: degrees, EPSG:4490; dates: local."""


def values_of(lead: Lead, words: Words, columns: Sequence[Column] = COLUMNS) -> list[Value]:
    """What the columns tell of a lead; what is not known is None, a text that is not known "". Numbers are rounded."""
    told: dict[str, Any] = lead_feature(lead)["properties"]
    found: list[Value] = []
    for column in columns:
        value = column.value(lead, told, words)
        if column.kind == "text":
            value = value or ""
        elif column.kind == "number" and isinstance(value, int | float):
            value = round(float(value), column.decimals)
        found.append(value)
    return found
