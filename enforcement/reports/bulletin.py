"""A report of several parts as plain data: text, tables and charts, such as the quarterly bulletin."""

from __future__ import annotations

from dataclasses import dataclass

from enforcement.reports.sheet import Sheet, Signature


@dataclass(frozen=True)
class Series:
    """One line of a chart; ``values`` are as many as the chart's ``labels``, None: unknown."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Chart:
    """Bars over labels, such as alerts per month.

    Attributes:
        title: above the chart.
        labels: of the horizontal axis.
        series: at least one.
        unit: of the values, as 个 or 亩.
    """

    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str = ""


@dataclass(frozen=True)
class MapArea:
    """An area of a map that is filled by its value.

    Attributes:
        name: of the township.
        value: that fills it.
        outline: rings in longitude and latitude, each closed: ((x, y), …).
    """

    name: str
    value: float
    outline: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True)
class AreaMap:
    """A map of townships by value, without a base map."""

    title: str
    areas: tuple[MapArea, ...]
    unit: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a bulletin: heading, then paragraphs, chart, map and table, each where there is one."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    chart: Chart | None = None
    area_map: AreaMap | None = None
    sheet: Sheet | None = None


@dataclass(frozen=True)
class Bulletin:
    """A report of several sections on A4, portrait.

    Attributes:
        title: large, centred.
        name: of the file, without an ending.
        issuer: who publishes it, under the title.
        number: of the issue, as 2026年第3期; "": none.
        day: of the issue in words.
        sections: in order.
        signatures: fields at the end.
        language: ``zh`` or ``en``.
        status: as in :class:`~enforcement.reports.sheet.Sheet`.
    """

    title: str
    sections: tuple[Section, ...]
    name: str = ""
    issuer: str = ""
    number: str = ""
    day: str = ""
    signatures: tuple[Signature, ...] = ()
    language: str = "zh"
    status: str = ""
