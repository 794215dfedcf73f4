"""A report as PDF, set by typst."""

from __future__ import annotations

from enforcement.reports.bulletin import Bulletin
from enforcement.reports.sheet import Sheet


def report_pdf(report: Sheet | Bulletin) -> bytes:
    """Return a report as PDF with embedded fonts."""
    if isinstance(report, Bulletin):
        from enforcement.typesetting.bulletin_pdf import bulletin_pdf

        return bulletin_pdf(report)
    from enforcement.typesetting.sheet_pdf import sheet_pdf

    return sheet_pdf(report)
