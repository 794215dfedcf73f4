"""Logs of alerts for tests of figures: one step a day, through the states named."""

from __future__ import annotations

import datetime as dt
from typing import Any

from enforcement.deadlines.state_deadlines import read_deadline_rules
from enforcement.deadlines.working_days import Calendar
from enforcement.figures.alert_facts import AlertFacts, RelatedRecords
from enforcement.figures.facts_from_steps import AlertRecord, DueDays, LoggedStep, facts_of
from enforcement.states import read_states

MONDAY = dt.date(2026, 3, 2)
DUE_DAYS = DueDays(read_states(), read_deadline_rules(), Calendar())
TO_REPORT = ("new", "triaged", "published", "dispatched", "accepted", "field_checked", "submitted")
TO_UNLAWFUL = (*TO_REPORT, "reviewed", "unlawful")
TO_CLOSED = (*TO_UNLAWFUL, "correcting", "rechecked", "closed")
EVIDENCE: dict[str, dict[str, Any]] = {
    "field_checked": {"photos": [], "works": "built", "findings": {"party": "某公司", "notice": False}},
    "unlawful": {"basis": "已批先建之外"},
    "correcting": {"stop_notice": "停字〔2026〕3号", "notice_on": "2026-03-10", "correct_by": "2026-04-10"},
    "closed": {"total_m2": 400.0, "demolished_m2": 300.0, "regularised_m2": 100.0, "agreed": True},
    "case": {"case_number": "立案〔2026〕7号"},
}


def log_through(
    *states: str, begun: dt.date = MONDAY, days: int = 1, first: dict[str, Any] | None = None
) -> list[LoggedStep]:
    """Return the log of an alert that entered ``states``, one step every ``days`` days."""
    steps = []
    for place, state in enumerate(states):
        day = begun + dt.timedelta(days=place * days)
        at = dt.datetime.combine(day, dt.time(1), dt.UTC)
        evidence = (first or {}) if place == 0 else EVIDENCE.get(state, {})
        steps.append(LoggedStep(place + 1, at, day, f"{state}-person", "county", state, evidence))
    return steps


def record(number: int = 1, **given: Any) -> AlertRecord:
    """Return an alert of 400 m², three quarters of it cultivated and half of it basic farmland."""
    values: dict[str, Any] = {
        "alert_id": number,
        "number": f"330106U202603{number:04d}",
        "county_code": "330106",
        "township_code": "330106005",
        "grid_code": "330106005201",
        "kind": "construction",
        "official_type": "",
        "source": "drone",
        "first_image_day": MONDAY,
        "area_m2": 400.0,
        "overlaps": [
            {"layer": "GDTB", "kind": "cultivated", "share": 0.75, "valid": True},
            {"layer": "YJJBNTTB", "kind": "basic_farmland", "share": 0.5, "valid": True},
        ],
        "over_cap": False,
        "created_at": dt.datetime.combine(MONDAY, dt.time(1), dt.UTC),
        "created_on": MONDAY,
    }
    return AlertRecord(**(values | given))


def facts(*states: str, number: int = 1, begun: dt.date = MONDAY, days: int = 1, **given: Any) -> AlertFacts:
    """Return the facts of an alert that entered ``states``; further arguments are those of :func:`record`."""
    related = given.pop("related", RelatedRecords())
    first = given.pop("first", None)
    return facts_of(
        record(number, created_on=begun, **given),
        log_through(*states, begun=begun, days=days, first=first),
        DUE_DAYS,
        related,
    )
