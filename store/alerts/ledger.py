"""The ledger of alerts: all sightings of each, and the columns of the row that are derived from them.

A sighting is a comparison of two images that shows the alert's ground: an observation, or a finished scan of that
ground that detected nothing there; or an outline that a person drew (:mod:`store.alerts.drawn_sighting`). Sightings of
withdrawn scans do not count. The rule is documented in :mod:`enforcement.ledger.derive`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from enforcement.ledger.confidence import combine_sources
from enforcement.ledger.derive import LedgerState
from enforcement.ledger.sighting import Sighting
from enforcement.overlap_ratio import area_m2
from enforcement.settings import read_enforcement
from imagery.set_operations import difference, intersection, make_valid, union_all
from store.alerts.sighting_chain import append_sighting
from store.scans.hidden_ground import outlines_of
from store.schema.outlines import bounds_intersect, bounds_of, error_ellipse_from_json, error_ellipse_to_json
from store.schema.tables import AlertRow, Observation, Scan, SceneRow


@dataclass(frozen=True)
class Comparison:
    """A finished scan as a sighting of any alert: its facts, and the ground that both images show."""

    scan_id: int
    before: dt.date | None
    after: dt.date | None
    source: str
    gsd_m: float
    visible: BaseGeometry

    def nothing(self) -> Sighting:
        """Return the sighting of an alert where this comparison detected nothing."""
        return Sighting(self.scan_id, self.before, self.after, self.source, self.gsd_m, self.visible)


def comparison_of(scan: Scan, before: SceneRow, after: SceneRow) -> Comparison:
    """Return a scan with its scenes as a comparison."""
    return Comparison(
        scan.id,
        before.date,
        after.date,
        after.source,
        max(before.gsd_m, after.gsd_m),
        visible_ground(before.outline, after.outline, scan.windows, scan.result),
    )


def visible_ground(
    before: BaseGeometry,
    after: BaseGeometry,
    windows: Sequence[Sequence[float]] | None,
    result: Mapping[str, Any],
) -> BaseGeometry:
    """Return the ground that a scan compared: what both images show, without cloud and the like, within its windows."""
    ground = intersection(make_valid(before), make_valid(after))
    for hidden in outlines_of(result).values():
        ground = difference(ground, hidden)
    if windows is not None:
        ground = intersection(ground, union_all([box(*window) for window in windows]))
    return ground


def load_sightings(session: Session, alerts: Collection[AlertRow]) -> dict[int, list[Sighting]]:
    """Return all sightings of some alerts by alert id, without those of withdrawn scans.

    Args:
        session: a transaction, flushed.
        alerts: rows with their ids set.
    """
    sightings: dict[int, list[Sighting]] = {alert.id: [] for alert in alerts}
    if not sightings:
        return sightings
    detected: set[tuple[int, int]] = set()
    earlier, later = aliased(SceneRow), aliased(SceneRow)
    rows = session.execute(
        select(Observation, Scan.windows, Scan.result, earlier.outline, later.outline)
        .outerjoin(Scan, Scan.id == Observation.scan_id)
        .outerjoin(earlier, earlier.id == Scan.before_id)
        .outerjoin(later, later.id == Scan.after_id)
        .where(Observation.alert_id.in_(sightings), Scan.withdrawn_at.is_(None))
        .order_by(Observation.id)
    )
    for row, windows, result, before, after in rows:
        if row.scan_id is None:
            sightings[row.alert_id].append(sighting_of(row, make_valid(row.outline)))
            continue
        detected.add((row.alert_id, row.scan_id))
        sightings[row.alert_id].append(sighting_of(row, visible_ground(before, after, windows, result)))
    comparisons = _comparisons(session, alerts)
    if comparisons:
        tree = shapely.STRtree([comparison.visible for comparison in comparisons])
        for alert in alerts:
            for index in sorted(tree.query(make_valid(alert.outline), predicate="intersects")):
                comparison = comparisons[index]
                if (alert.id, comparison.scan_id) not in detected:
                    sightings[alert.id].append(comparison.nothing())
    return sightings


def sighting_of(row: Observation, visible: BaseGeometry) -> Sighting:
    """Return an observation as a sighting; ``visible`` is the ground that its scan compared."""
    return Sighting(
        row.scan_id or 0,
        row.before_date,
        row.after_date,
        row.source,
        row.gsd_m or 0.5,
        visible,
        row.outline,
        row.kind,
        row.score,
        error_ellipse_from_json(row.position_error),
    )


def _comparisons(session: Session, alerts: Collection[AlertRow]) -> list[Comparison]:
    """Return the finished scans, not of cameras, whose images may show any of the alerts."""
    around = box(*shapely.total_bounds([alert.outline for alert in alerts]))
    earlier, later = aliased(SceneRow), aliased(SceneRow)
    rows = session.execute(
        select(Scan, earlier, later)
        .join(earlier, earlier.id == Scan.before_id)
        .join(later, later.id == Scan.after_id)
        .where(
            Scan.state == "done",
            Scan.withdrawn_at.is_(None),
            later.source != "camera",
            bounds_intersect(earlier, around),
            bounds_intersect(later, around),
        )
        .order_by(Scan.id)
    )
    return [comparison_of(scan, before, after) for scan, before, after in rows]


def copy_observations(session: Session, alert: AlertRow, into: AlertRow) -> None:
    """Copy the sightings of an alert to the one that it is merged into."""
    rows = select(Observation).where(Observation.alert_id == alert.id).order_by(Observation.id)
    for row in session.scalars(rows).all():
        append_sighting(session, copy_of(row, into, row.outline, alert.number))


def copy_of(row: Observation, into: AlertRow, outline: BaseGeometry, copied_from: str) -> Observation:
    """Return a copy of a sighting for another alert, with its own outline; not yet added to a session."""
    return Observation(
        alert_id=into.id,
        scan_id=row.scan_id,
        change_number=row.change_number,
        source=row.source,
        before_date=row.before_date,
        after_date=row.after_date,
        kind=row.kind,
        score=row.score,
        area_m2=round(area_m2(outline), 2),
        position_error=row.position_error,
        gsd_m=row.gsd_m,
        copied_from=copied_from,
        evidence=dict(row.evidence),
        created_at=row.created_at,
        **bounds_of(outline),
    )


def count_sightings(session: Session, alert: AlertRow) -> None:
    """Count the sightings of an alert, their sources and days; the same comparison counts once."""
    counts = select(
        func.count(Observation.scan_id.distinct()) + func.count().filter(Observation.scan_id.is_(None)),
        func.count(Observation.source.distinct()),
        func.min(Observation.after_date),
        func.max(Observation.after_date),
    ).where(Observation.alert_id == alert.id)
    seen, sources, alert.first_date, alert.last_date = session.execute(counts).one()
    alert.seen, alert.sources_seen = seen, sources or 1


def set_derived_columns(alert: AlertRow, state: LedgerState) -> None:
    """Set dates and confidence of an alert, which people do not decide, from its sightings."""
    rates = read_enforcement().confidence
    confidence = combine_sources(state, rates.prior, rates.detection)
    alert.not_yet_on, alert.there_on, alert.gone_on = state.not_yet_on, state.there_on, state.gone_on
    alert.confidence = confidence.probability
    alert.confidence_parts = [part.to_json() for part in confidence.parts]


def set_derived_area(alert: AlertRow, state: LedgerState, *, changed: bool) -> None:
    """Set the area of an alert whose outline ``changed``, its error, and the position error."""
    if changed:
        alert.area_m2 = state.area_m2
    alert.area_error_m2 = state.area_error_m2
    alert.position_error = error_ellipse_to_json(state.error)
