"""Rows of weekly sheets and of the ledger from facts of alerts.

What nobody has determined stays suspected: the words of the determination are those of the state that a person chose.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configs.texts import LANGUAGES, catalogue, text
from enforcement.change_types import read_change_types
from enforcement.field_check.form import read_field_form
from enforcement.figures.alert_facts import AlertFacts
from enforcement.overlaps import PLAN, shares_by_kind
from enforcement.reports.content import ContentRow
from enforcement.reports.stock import Movement
from enforcement.settings import read_enforcement
from enforcement.states import read_states
from enforcement.units import mu

PLAN_SHARE = (0.05, 0.95)
"""Share of an alert on planned ground: below the first not, from the second on fully according to plan."""


@dataclass(frozen=True)
class AlertPlace:
    """Where an alert lies: longitude and latitude of its centre in degrees, and its overlaps with layers."""

    lon: float
    lat: float
    overlaps: tuple[Mapping[str, Any], ...] = ()
    plan_loaded: bool = False


def alert_row(
    facts: AlertFacts,
    place: AlertPlace | None,
    names: Mapping[str, str],
    *,
    number: int,
    movement: Movement | None = None,
    patrols: int | None = None,
    year: int | None = None,
) -> ContentRow:
    """Return the row of an alert.

    Args:
        facts: at the end of the period.
        place: None: unknown.
        names: names of areas by code.
        number: in its table, from 1.
        movement: in the period; None: not a report of a period.
        patrols: of the village in the period.
        year: of the report: earlier alerts were missed before.
    """
    findings = facts.entered_values.get("findings")
    findings = findings if isinstance(findings, Mapping) else {}
    area, farmland, basic = _areas(facts, findings)
    stopped = facts.stopped or ""
    values: dict[str, Any] = {
        "serial": number,
        "number": facts.number,
        "village": names.get(facts.village_code, facts.village_code),
        "township": names.get(facts.township_code, facts.township_code),
        "movement": _text(f"reports.movement_{movement}") if movement else None,
        "movement_key": movement,
        "patrols": patrols,
        "found_on": _day(facts.found_on),
        "first_image_on": _day(facts.first_image_day),
        "place": _place(place, findings),
        "party": findings.get("party"),
        "party_kind": choice("party_kind", findings.get("party_kind")),
        "kind": _named(read_change_types().types, facts.official_type) or _named(read_change_types().kinds, facts.kind),
        "use": choice("use", findings.get("use")),
        "works": choice("works", facts.entered_values.get("works") or findings.get("works")),
        "began_on": findings.get("began_on"),
        "area_mu": area,
        "farmland_mu": farmland,
        "basic_mu": basic,
        "plan": _plan(place),
        "source": _named(read_enforcement().sources, facts.source),
        "stopped": choice("stopped", stopped),
        "stopped_key": stopped,
        "notice": " ".join(filter(None, (facts.stop_notice, _day(facts.stop_notice_on)))) or None,
        "notice_number": facts.stop_notice or None,
        "notice_on": _day(facts.stop_notice_on),
        "reported_on": _day(facts.reported_on),
        "reported_to": _text("reports.to_township") if facts.reported_on else None,
        "reported": _reported(facts),
        "opinion": facts.entered_values.get("decision") or facts.entered_values.get("basis"),
        "progress": _named(read_states().states, facts.state),
        "determination": _text("reports.suspected")
        if facts.determination is None
        else _named(read_states().states, facts.determination),
        "correct_by": _day(facts.correct_by),
        "case_number": facts.case_number or None,
        "case_on": _day(facts.case_on),
        "closed_on": _day(facts.closed_on),
        "decision_number": facts.entered_values.get("decision_number"),
        "demolished_mu": _mu(facts.demolished_m2) if facts.total_m2 else None,
        "regularised_mu": _mu(facts.regularised_m2) if facts.total_m2 else None,
        "supervised_on": _day(facts.related.supervised_on),
        "hidden": _hidden(facts, findings, year),
        "remarks": findings.get("remarks"),
    }
    return ContentRow(facts.number, {key: value for key, value in values.items() if value is not None}, _link(facts))


def choice(field: str, key: Any) -> Mapping[str, str] | str | None:
    """Return a choice of the form of the check on the ground in words; texts of earlier forms as they are."""
    if not key:
        return None
    found = read_field_form().findings.get(field)
    chosen = found.choices.get(str(key)) if found else None
    return {"zh": chosen.zh, "en": chosen.en} if chosen else str(key)


def _areas(facts: AlertFacts, findings: Mapping[str, Any]) -> tuple[float, float, float]:
    """Return area, farmland and basic farmland in mu: as measured on the ground, else by the outline and layers."""
    measured = [findings.get(name) for name in ("area_mu", "cultivated_mu", "basic_farmland_mu")]
    if isinstance(measured[0], int | float):
        numbers = [float(value) if isinstance(value, int | float) else 0.0 for value in measured]
        return round(numbers[0], 2), round(numbers[1], 2), round(numbers[2], 2)
    return _mu(facts.area_m2), _mu(facts.farmland_m2), _mu(facts.basic_farmland_m2)


def _mu(area_m2: float) -> float:
    return round(mu(area_m2), 2)


def _day(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()


def _place(place: AlertPlace | None, findings: Mapping[str, Any]) -> str | None:
    words = str(findings.get("place") or "")
    position = f"{place.lon:.6f}, {place.lat:.6f}" if place else ""
    return " ".join(filter(None, (words, position))) or None


def _plan(place: AlertPlace | None) -> Mapping[str, str] | None:
    if place is None or not place.plan_loaded:
        return None
    share = shares_by_kind(place.overlaps).get(PLAN, 0.0)
    return _text(f"reports.plan_{'none' if share < PLAN_SHARE[0] else 'all' if share >= PLAN_SHARE[1] else 'part'}")


def _reported(facts: AlertFacts) -> Mapping[str, str] | None:
    if facts.reported_on is None:
        return None
    to = _text("reports.to_township")
    return {language: f"{facts.reported_on.isoformat()} {to[language]}" for language in LANGUAGES}


def _hidden(facts: AlertFacts, findings: Mapping[str, Any], year: int | None) -> Mapping[str, str] | None:
    began = findings.get("began_on")
    if year is None or not isinstance(began, str) or not began[:4].isdigit():
        return None
    return _text("reports.missed_earlier" if int(began[:4]) < year else "reports.this_year")


def _named(table: Mapping[str, Any], key: str) -> Mapping[str, str] | None:
    found = table.get(key)
    return {"zh": found.zh, "en": found.en} if found is not None else None


def _text(key: str) -> Mapping[str, str]:
    assert key in catalogue(), key
    return {language: text(key, language) for language in LANGUAGES}


def _link(facts: AlertFacts) -> str:
    return f"/alerts/{facts.number}"
