"""A weekly sheet of a village as plain data."""

from __future__ import annotations

from enforcement.reports.build import Issue, build_sheet
from enforcement.reports.checks import run_checks
from enforcement.reports.content import Content, ContentRow
from enforcement.reports.layout import read_layout
from enforcement.reports.sheet import Sheet


def content(rows: int = 2, **values: object) -> Content:
    """Content of a village with some new alerts."""
    found = [
        ContentRow(
            f"A{number}",
            {
                "serial": number,
                "number": f"330106U202611{number:04d}",
                "movement": {"zh": "本期新增", "en": "New"},
                "movement_key": "added",
                "found_on": "2026-11-24",
                "party": "=1+1",
                "area_mu": 2.5,
                "farmland_mu": 1.25,
                "basic_mu": 0.5,
            },
            f"/alerts/A{number}",
        )
        for number in range(1, rows + 1)
    ]
    known = {"area": "东穆坞村", "first": "2026-11-21", "last": "2026-11-27", "patrols": 3, "opening": 0}
    return Content({"alerts": found}, {**known, **values})


def village_sheet(found: Content, language: str = "zh") -> Sheet:
    """The sheet of a village."""
    layout = read_layout("village_week")
    checks = [result.words(language) for result in run_checks(layout.checks, found)]
    return build_sheet(layout, found, Issue("周报", language, {}, "", checks))
