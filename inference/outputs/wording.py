"""Wording of results in Chinese and English, and sanitization of untrusted text.

The wording claims no more than a scan can know: a suspected change that must be checked on the ground.
"""

from __future__ import annotations

import unicodedata

from pyproj import CRS

from configs.texts import catalogue, texts
from inference.changes import Kind

KINDS: dict[Kind, tuple[str, str]] = {
    kind: texts(f"scan.kind.{kind}") for kind in ("construction", "ground", "demolition")
}
"""Names of the kinds (Chinese, English) in display order."""

STATEMENT = texts("scan.statement")


def term(group: str, name: str) -> tuple[str, str]:
    """Return a name in (Chinese, English); unknown names are returned unchanged for both.

    Args:
        group: ``not_compared`` (why ground was not compared), ``date_source``, ``output`` (of the network), ``stage``.
        name: as stored.
    """
    key = f"scan.{group}.{name.replace(' ', '_')}"
    return texts(key) if key in catalogue() else (name, name)


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
