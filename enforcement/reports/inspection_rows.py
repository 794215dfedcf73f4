"""Rows of the monthly statistics: one per place that a patrol found, and one per other alert checked on the ground."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from enforcement.figures.alert_facts import AlertFacts
from enforcement.reports.alert_rows import AlertPlace, alert_row
from enforcement.reports.content import ContentRow


@dataclass(frozen=True)
class Inspection:
    """A place that was inspected.

    Attributes:
        key: unique within the report.
        day: local day of the patrol or check.
        unit, people, region, task: of the patrol; "": unknown.
        fields: of the patrol's finding, see :data:`store.patrols.patrol_records.FINDING_FIELDS`.
        opinion, remarks: of the patrol.
        facts: of the alert that it became; None: it became none.
        link: path of the page behind it.
    """

    key: str
    day: dt.date
    unit: str
    people: str
    region: str
    task: str
    fields: Mapping[str, Any]
    opinion: str = ""
    remarks: str = ""
    facts: AlertFacts | None = None
    link: str = ""


def inspection_rows(
    inspections: Sequence[Inspection], places: Mapping[int, AlertPlace], names: Mapping[str, str]
) -> list[ContentRow]:
    """Return the rows in the order of their days.

    Args:
        inspections: of the period.
        places: of their alerts, by id.
        names: names of areas by code.
    """
    ordered = sorted(inspections, key=lambda one: (one.day, one.task, one.key))
    return [_row(one, number, places, names) for number, one in enumerate(ordered, 1)]


def _row(one: Inspection, number: int, places: Mapping[int, AlertPlace], names: Mapping[str, str]) -> ContentRow:
    values: dict[str, Any] = {}
    if one.facts is not None:
        values = dict(alert_row(one.facts, places.get(one.facts.alert_id), names, number=number).values)
    area = _number(one.fields.get("area_mu"))
    own = {
        "serial": number,
        "unit": one.unit,
        "people": one.people,
        "region": one.region,
        "task": one.task,
        "day": one.day.isoformat(),
        "project": one.fields.get("project"),
        "place": values.get("place") or one.fields.get("place"),
        "use": values.get("use"),
        "began_on": values.get("began_on") or one.fields.get("started"),
        "works": values.get("works") or one.fields.get("works"),
        "area_mu": values.get("area_mu", area),
        "farmland_mu": values.get("farmland_mu"),
        "basic_mu": values.get("basic_mu"),
        "suspected_mu": values.get("area_mu", area) if _suspected(one.facts) else 0,
        "result": values.get("determination"),
        "number": values.get("number"),
        "opinion": values.get("opinion") or one.opinion,
        "remarks": one.remarks or one.fields.get("notice_state") or values.get("remarks"),
    }
    return ContentRow(one.key, {key: value for key, value in own.items() if value not in (None, "")}, one.link)


def _suspected(facts: AlertFacts | None) -> bool:
    """Whether nobody has determined that a place is in order."""
    return facts is None or facts.determination in (None, "unlawful")


def _number(value: Any) -> float | None:
    try:
        return round(float(value), 2)
    except (TypeError, ValueError):
        return None
