"""Document numbers by the scheme of a kind: ``浙某自然资停〔2026〕12号``."""

from __future__ import annotations

from enforcement.documents.kinds import DocumentKind, fill_placeholders


def document_number(kind: DocumentKind, prefix: str, year: int, value: int) -> str:
    """Return the number of a document.

    Args:
        kind: with scheme and series.
        prefix: of the bureau.
        year: of the issue.
        value: sequential number, from 1, within the series, area and year.
    """
    return fill_placeholders(kind.number, {"prefix": prefix, "series": kind.series, "year": year, "value": value})


def blank_number(kind: DocumentKind, prefix: str, year: int) -> str:
    """Return the number of a draft: with space for the sequential number."""
    return fill_placeholders(kind.number, {"prefix": prefix, "series": kind.series, "year": year, "value": "　　"})
