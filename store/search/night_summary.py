"""Summaries of nights for a viewer's area, including the part of other areas' images that shows its ground."""

from __future__ import annotations

from typing import Any

from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, and_, func, not_, select, true
from sqlalchemy.orm import Session, aliased

from enforcement.overlap_ratio import area_m2
from imagery.set_operations import intersection, make_valid
from store.access.rights import Viewer, scene_visible_to, visible_region, visible_to
from store.scans.nights import night_summary, partial_night_summary
from store.schema.tables import AlertRow, Night, Observation, Scan, SceneRow, UncomparedGround

MIN_AREA_M2 = 1.0
"""Area below which ground in the viewer's area is ignored."""


class NightSummaries:
    """Summaries (:func:`store.scans.nights.night_summary`) of nights for one viewer.

    Scans under the viewer's code count completely. Of scans under other codes, for example of the county, the part in
    the viewer's area counts.
    """

    def __init__(self, session: Session, viewer: Viewer) -> None:
        """Prepare for ``viewer``; ``session`` is a read transaction."""
        self._session, self._viewer = session, viewer
        region = visible_region(session, viewer)
        self._region = None if region is None else make_valid(region)

    def of(self, night: Night) -> dict[str, Any]:
        """Return the summary of a night."""
        session, viewer = self._session, self._viewer
        if self._region is None:
            return night_summary(session, night) or partial_night_summary(session, night, true(), true())
        summary = partial_night_summary(
            session, night, visible_to(Scan.area_code, viewer), visible_to(UncomparedGround.area_code, viewer)
        )
        self._add_scans(night.id, summary)
        self._add_uncompared(night.id, summary)
        return summary

    def uncompared_in_area(self, ground: UncomparedGround) -> tuple[BaseGeometry, float]:
        """Return the part of uncompared ground in the viewer's area and its m²."""
        if self._region is None or ground.area_code.startswith(self._viewer.code):
            return ground.outline, ground.area_m2
        part = intersection(make_valid(ground.outline), self._region)
        return part, area_m2(part)

    def _add_scans(self, night_id: int, summary: dict[str, Any]) -> None:
        before, after = aliased(SceneRow), aliased(SceneRow)
        rows = self._session.execute(
            select(Scan.id, Scan.state, Scan.result, Scan.windows, before.outline, after.outline)
            .join(before, before.id == Scan.before_id)
            .join(after, after.id == Scan.after_id)
            .where(Scan.night_id == night_id, scans_of_others(self._viewer))
            .order_by(Scan.id)
        )
        for scan_id, state, result, windows, first, second in rows:
            common = intersection(make_valid(first), make_valid(second))
            own_m2 = area_m2(intersection(common, self._region))
            if own_m2 < MIN_AREA_M2:
                continue
            summary["scans"] += 1
            summary["states"][state] = summary["states"].get(state, 0) + 1
            if state == "done":
                if windows is None:  # ground around known alerts is also part of the scan of the whole image
                    compared = result.get("looked_at", {}).get("area_m2", 0.0)
                    summary["looked_at_m2"] = round(summary["looked_at_m2"] + compared * own_m2 / area_m2(common), 2)
                self._add_alerts(scan_id, summary)

    def _add_alerts(self, scan_id: int, summary: dict[str, Any]) -> None:
        own = visible_to(AlertRow.grid_code, self._viewer)
        seen = (
            select(Observation.alert_id)
            .join(AlertRow, AlertRow.id == Observation.alert_id)
            .where(Observation.scan_id == scan_id, own)
        )
        ids = list(self._session.scalars(seen))
        first = self._session.execute(
            select(Observation.alert_id, func.min(Observation.scan_id))
            .where(Observation.alert_id.in_(ids))
            .group_by(Observation.alert_id)
        )
        summary["changes"] += len(ids)
        for _, first_scan in first:
            outcome = "new" if first_scan == scan_id else "again"
            summary["alerts"][outcome] = summary["alerts"].get(outcome, 0) + 1

    def _add_uncompared(self, night_id: int, summary: dict[str, Any]) -> None:
        rows = self._session.scalars(
            select(UncomparedGround).where(UncomparedGround.night_id == night_id, gaps_of_others(self._viewer))
        )
        by_reason = {one["reason"]: one for one in summary["uncompared"]}
        for ground in rows:
            _, own_m2 = self.uncompared_in_area(ground)
            if own_m2 < MIN_AREA_M2:
                continue
            one = by_reason.get(ground.reason)
            if one is None:
                one = {"reason": ground.reason, "why": ground.why, "pieces": 0, "area_m2": 0.0}
                by_reason[ground.reason] = one
                summary["uncompared"].append(one)
            one["pieces"] += 1
            one["area_m2"] = round(one["area_m2"] + own_m2, 2)


def scans_of_others(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition that a scan is under another code but its later image shows the viewer's ground."""
    return and_(scene_visible_to(viewer, Scan.after_id, Scan.area_code), not_(visible_to(Scan.area_code, viewer)))


def gaps_of_others(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition that uncompared ground is under another code but its image shows the viewer's ground."""
    code = UncomparedGround.area_code
    return and_(scene_visible_to(viewer, UncomparedGround.scene_id, code), not_(visible_to(code, viewer)))
