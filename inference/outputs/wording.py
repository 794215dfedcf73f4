"""Words of the results in both languages, and text from strangers made fit to be shown.

The words keep to what a scan can know: a suspected change, to be checked on the ground.
"""

from __future__ import annotations

import unicodedata

from pyproj import CRS

from inference.changes import Kind

KINDS: dict[Kind, tuple[str, str]] = {
    "construction": ("新增建筑/建设", "New construction"),
    "ground": ("动土/推填挖", "Ground works"),
    "demolition": ("拆除或复绿", "Demolished or restored"),
}
"""Names of the kinds: (Chinese, English), in the order of every list."""

STATEMENT = ("疑似变化线索，须经实地核查", "Suspected change, to be checked on the ground")

REASONS = {
    "no data on both dates": ("两期影像均无数据", "No data on both dates"),
    "no data on the earlier date": ("前时相无数据", "No data on the earlier date"),
    "no data on the later date": ("后时相无数据", "No data on the later date"),
}
"""Why ground was not compared: (Chinese, English)."""

DATE_SOURCES = {"given": "用户指定", "file name": "文件名", "unknown": "不详"}
"""Where a date comes from, in Chinese; a source that is not listed is a tag and keeps its name."""

OUTPUTS = {"building": "建筑", "ground": "动土"}
"""Outputs of the network, in Chinese."""


def reason_words(reason: str) -> tuple[str, str]:
    """A reason in (Chinese, English); one that is not known stays as it is in both."""
    return REASONS.get(reason, (reason, reason))


def printable(text: str) -> str:
    """Text for people, from a file name or a tag: what cannot be printed or turns the reading direction becomes �.

    Bytes that are no UTF-8, which Python keeps as lone surrogates, could not even be written.
    """
    return "".join("�" if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn"} else c for c in text)


def crs_code(crs: object) -> str:
    """A CRS as ``EPSG:…`` where it has a code, else as WKT."""
    system = CRS.from_user_input(str(crs))
    code = system.to_epsg(min_confidence=90)
    return f"EPSG:{code}" if code else str(system.to_wkt())


def crs_label(crs: object) -> str:
    """A CRS for people: its code and name, like ``EPSG:4547 · CGCS2000 / 3-degree Gauss-Kruger CM 114E``."""
    system = CRS.from_user_input(str(crs))
    code = system.to_epsg(min_confidence=90)
    return printable(f"EPSG:{code} · {system.name}" if code else str(system.name))
