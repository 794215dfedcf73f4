"""Checks of the ranking: numbers of areas counted from the logs, sums of the levels, order by score."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.year_parts.county import COUNTY
from benchmarks.year_parts.legal_steps import ZONE, Step, categories, is_open
from enforcement.figures.period import period_of
from enforcement.figures.ranking import AreaRank
from store.access.rights import Viewer
from store.figures.area_figures import AreaFigures, Scope
from store.schema.tables import AlertRow


def ranking_faults(session: Session, viewer: Viewer, logs: Mapping[int, Sequence[Step]], today: dt.date) -> list[str]:
    """Return where the ranking of the running month says something else than the logs.

    Args:
        session: a read transaction.
        viewer: of the county.
        logs: of all alerts.
        today: local day.
    """
    period = period_of("month", today)
    figures = AreaFigures(session, viewer, Scope(COUNTY, period, today, ZONE))
    columns = AlertRow.id, AlertRow.grid_code, AlertRow.state, AlertRow.due_on
    rows = [row for row in session.execute(select(*columns)) if categories()[row[2]] != "gone"]
    faults: list[str] = []
    sums: dict[str, list[int]] = {}
    for level, digits in (("township", 9), ("village", 12)):
        areas = figures.ranking(level).areas  # type: ignore[arg-type]
        for area in areas:
            own = [row for row in rows if row[1].startswith(area.code)]
            found = sum(period.contains(logs[alert][0].day) for alert, *_ in own)
            standing = [row for row in own if is_open(row[2])]
            late = sum(due is not None and due < today for *_, due in standing)
            overdue = area.shares["overdue"]
            if (area.found, overdue.denominator, overdue.numerator) != (found, len(standing), late):
                faults.append(
                    f"{area.code} is ranked by {area.found} found, {overdue.denominator:g} open, {overdue.numerator:g} "
                    f"late; by the logs {found}, {len(standing)}, {late}"
                )
            if len(area.code) != digits:
                faults.append(f"{area.code} is ranked as a {level}")
        faults += _order_faults(areas)
        sums[level] = [sum(area.found for area in areas), sum(area.confirmed for area in areas)]
    if sums["township"] != sums["village"]:
        faults.append(f"the ranking counts {sums['township']} by townships and {sums['village']} by villages")
    return faults


def _order_faults(areas: Sequence[AreaRank]) -> list[str]:
    """Return areas whose rank does not follow from their score, or whose score not from their points."""
    faults = []
    scores = [area.score for area in areas if area.score is not None]
    for area in areas:
        earned = [value for value in area.points.values() if value is not None]
        if (area.score is None) != (not earned):
            faults.append(f"{area.code} has the score {area.score} from {len(earned)} indicators")
        expected = None if area.score is None else 1 + sum(score > area.score for score in scores)
        if area.rank != expected:
            faults.append(f"{area.code} has rank {area.rank}; by its score {expected}")
    return faults
