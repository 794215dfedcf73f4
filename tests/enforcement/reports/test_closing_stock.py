"""The stock with which the next period begins."""

from __future__ import annotations

from enforcement.reports.content import Content, ContentRow, closing_stock


def summary(*, missing: int) -> Content:
    """Return a summary of two villages with 3 alerts each, of which the second may be missing."""
    submitted = ContentRow("330199001001", {"closing": 3, "due": 1, "submitted": 1, "missing": 0})
    other = {"due": 1, "submitted": 1 - missing, "missing": missing} | ({} if missing else {"closing": 3})
    rows = [submitted, ContentRow("330199001002", other, emphasis=bool(missing))]
    return Content({"lower_reports": rows}, own={"closing": 6})


def test_all_villages_are_added_up() -> None:
    assert closing_stock(summary(missing=0)) == 6


def test_alerts_of_a_village_without_report_stay_in_the_stock() -> None:
    assert closing_stock(summary(missing=1)) == 6


def test_corrected_rows_count_where_all_reported() -> None:
    rows = [ContentRow("330199001001", {"closing": 5, "missing": 0})]
    assert closing_stock(Content({"lower_reports": rows}, own={"closing": 6})) == 5
