"""Wording of results in Chinese and English, and sanitization of untrusted text.

The wording claims no more than a scan can know: a suspected change that must be checked on the ground.
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
"""Names of the kinds (Chinese, English) in display order."""

STATEMENT = ("疑似变化线索，须经实地核查", "Suspected change, to be checked on the ground")

REASONS = {
    "no data on both dates": ("两期影像均无数据", "No data on both dates"),
    "no data on the earlier date": ("前时相无数据", "No data on the earlier date"),
    "no data on the later date": ("后时相无数据", "No data on the later date"),
}
"""Reasons why ground was not compared (Chinese, English)."""

DATE_SOURCES = {"given": "用户指定", "file name": "文件名", "unknown": "不详"}
"""Sources of a date in Chinese; any other source is the name of a tag and stays as it is."""

OUTPUTS = {"building": "建筑", "ground": "动土"}
"""Names of the network's outputs in Chinese."""


def reason_words(reason: str) -> tuple[str, str]:
    """Return a reason in (Chinese, English); unknown reasons are returned unchanged for both."""
    return REASONS.get(reason, (reason, reason))


def printable(text: str) -> str:
    """Sanitize text from a file name or a tag: replace unprintable and text-direction characters by �.

    This includes lone surrogates, which Python uses for bytes that are not UTF-8 and which cannot be encoded.
    """
    return "".join("�" if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn"} else c for c in text)


def crs_code(crs: object) -> str:
    """Return a CRS as ``EPSG:…`` if it has a code, else as WKT."""
    system = CRS.from_user_input(str(crs))
    code = system.to_epsg(min_confidence=90)
    return f"EPSG:{code}" if code else str(system.to_wkt())


def crs_label(crs: object) -> str:
    """Return code and name of a CRS, for example ``EPSG:4547 · CGCS2000 / 3-degree Gauss-Kruger CM 114E``."""
    system = CRS.from_user_input(str(crs))
    code = system.to_epsg(min_confidence=90)
    return printable(f"EPSG:{code} · {system.name}" if code else str(system.name))
