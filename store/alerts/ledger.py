"""The ledger of alerts: all sightings of each, and the columns of the row that are derived from them.

A sighting is a comparison of two images that shows the alert's ground: an observation, or a finished scan of that
ground that detected nothing there; or an outline that a person drew (:mod:`store.alerts.drawn_sighting`). Sightings of
withdrawn scans do not count. The rule is documented in :mod:`enforcement.ledger.derive`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, aliased

from enforcement.ledger.confidence import combine_sources
from enforcement.ledger.derive import LedgerState
from enforcement.ledger.sighting import Sighting
from enforcement.overlap_ratio import area_m2
from enforcement.settings import read_enforcement
from imagery.set_operations import difference, intersection, make_valid, union_all
from store.alerts.sighting_chain import append_sighting
from store.scans.hidden_ground import KEY, outlines_of
from store.schema.outlines import bounds_intersect, bounds_of, error_ellipse_from_json, error_ellipse_to_json
from store.schema.tables import AlertRow, Observation, Scan, SceneRow

_CHUNK = 500


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
    """Return the ground that a scan compared: what both images show, without cloud and the like, within its windows.

    The same ground is asked for with each alert that it shows: the latest results are kept.
    """
    hidden = result.get(KEY, {})
    return _visible_ground(
        shapely.to_wkb(before),
        shapely.to_wkb(after),
        None if windows is None else tuple(tuple(window) for window in windows),
        tuple(sorted((date, str(wkt)) for date, wkt in hidden.items())),
    )


@lru_cache(maxsize=1024)
def _visible_ground(
    before: bytes,
    after: bytes,
    windows: tuple[tuple[float, ...], ...] | None,
    hidden: tuple[tuple[str, str], ...],
) -> BaseGeometry:
    ground = intersection(make_valid(shapely.from_wkb(before)), make_valid(shapely.from_wkb(after)))
    for outline in outlines_of({KEY: dict(hidden)}).values():
        ground = difference(ground, outline)
    if windows is not None:
        ground = intersection(ground, union_all([box(*window) for window in windows]))
    ground = make_valid(ground)
    shapely.prepare(ground)
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
    comparisons = _comparisons(session, alerts)
    rows = list(
        session.scalars(
            select(Observation)
            .outerjoin(Scan, Scan.id == Observation.scan_id)
            .where(Observation.alert_id.in_(sightings), Scan.withdrawn_at.is_(None))
            .order_by(Observation.id)
        )
    )
    unknown = {row.scan_id for row in rows if row.scan_id is not None} - set(comparisons)  # of cameras, unfinished
    others = {one.scan_id: one for one in _of_scans(session, Scan.id.in_(unknown))} if unknown else {}
    for row in rows:
        if row.scan_id is None:
            sightings[row.alert_id].append(sighting_of(row, make_valid(row.outline)))
            continue
        detected.add((row.alert_id, row.scan_id))
        comparison = comparisons.get(row.scan_id) or others[row.scan_id]
        sightings[row.alert_id].append(sighting_of(row, comparison.visible))
    tree = shapely.STRtree([make_valid(alert.outline) for alert in alerts])
    numbered = list(alerts)
    for comparison in comparisons.values():
        for index in tree.query(comparison.visible, predicate="intersects"):
            alert = numbered[index]
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


def _comparisons(session: Session, alerts: Collection[AlertRow]) -> dict[int, Comparison]:
    """Return the finished scans, not of cameras, whose images may show any of the alerts, by id in ascending order."""
    around = box(*shapely.total_bounds([alert.outline for alert in alerts]))
    earlier, later = aliased(SceneRow), aliased(SceneRow)
    ids = (
        select(Scan.id)
        .join(earlier, earlier.id == Scan.before_id)
        .join(later, later.id == Scan.after_id)
        .where(
            Scan.state == "done",
            Scan.withdrawn_at.is_(None),
            later.source != "camera",
            bounds_intersect(earlier, around),
            bounds_intersect(later, around),
        )
    )
    return {comparison.scan_id: comparison for comparison in _of_scans(session, Scan.id.in_(ids))}


def _of_scans(session: Session, which: ColumnElement[bool]) -> Iterator[Comparison]:
    """Yield scans as comparisons, by id; the rest of their results, which may be long, is not read."""
    scans = session.execute(
        select(Scan.id, Scan.before_id, Scan.after_id, Scan.windows, Scan.result[KEY]).where(which).order_by(Scan.id)
    ).all()
    ids = sorted({scene_id for scan in scans for scene_id in (scan.before_id, scan.after_id)})
    scenes: dict[int, Any] = {}
    columns = (SceneRow.id, SceneRow.date, SceneRow.source, SceneRow.gsd_m, SceneRow.outline)
    for start in range(0, len(ids), _CHUNK):
        rows = session.execute(select(*columns).where(SceneRow.id.in_(ids[start : start + _CHUNK])))
        scenes |= {row.id: row for row in rows}
    for scan_id, before_id, after_id, windows, hidden in scans:
        before, after = scenes[before_id], scenes[after_id]
        visible = visible_ground(before.outline, after.outline, windows, {KEY: hidden or {}})
        gsd_m = max(before.gsd_m, after.gsd_m)
        yield Comparison(scan_id, before.date, after.date, after.source, gsd_m, visible)


def comparisons_of(session: Session, scan_ids: Collection[int]) -> list[Comparison]:
    """Return the finished ones of some scans as comparisons, also withdrawn ones, without those of cameras."""
    found = _of_scans(session, and_(Scan.id.in_(scan_ids), Scan.state == "done"))
    return [comparison for comparison in found if comparison.source != "camera"]


def comparisons_since(session: Session, ground: BaseGeometry, day: dt.date, besides: int) -> list[Comparison]:
    """Return the finished comparisons from above near some ground whose later image is of a day or later.

    Args:
        session: any transaction, flushed.
        ground: longitude, latitude.
        day: of the later image.
        besides: id of a scan that is left out.
    """
    later = aliased(SceneRow)
    ids = (
        select(Scan.id)
        .join(later, later.id == Scan.after_id)
        .where(
            later.date >= day,
            later.source != "camera",
            bounds_intersect(later, ground),
            Scan.state == "done",
            Scan.withdrawn_at.is_(None),
            Scan.id != besides,
        )
    )
    return list(_of_scans(session, Scan.id.in_(ids)))


def observed_since(session: Session, day: dt.date, besides: int) -> dict[int, dt.date]:
    """Return the latest day of the sightings that found a change on a day or later, by alert id.

    Args:
        session: any transaction, flushed.
        day: of the later image.
        besides: id of a scan whose sightings are left out.
    """
    later = aliased(SceneRow)
    scans = select(Scan.id).join(later, later.id == Scan.after_id).where(later.date >= day, Scan.id != besides)
    found: dict[int, dt.date] = {}
    for which in (Observation.scan_id.in_(scans), Observation.scan_id.is_(None)):
        query = select(Observation.alert_id, Observation.after_date).where(which, Observation.after_date >= day)
        for alert_id, on in session.execute(query):
            if on is not None:
                found[alert_id] = max(on, found.get(alert_id, on))
    return found


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
