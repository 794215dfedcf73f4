"""Ground that the images of finished scans cover but do not show: under cloud or snow, overexposed or blurred."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.overlap_ratio import area_m2
from errors import Reason
from imagery.set_operations import make_valid
from store.schema.outlines import bounds_of
from store.schema.tables import Scan, SceneRow, UncomparedGround

KEY = "hidden"
"""Key of ``scan.json`` with the outline of hidden ground (WKT, longitude and latitude) by date."""

_REASONS = {
    "earlier": Reason(
        "cloud, snow, overexposure or blur hide it in the earlier image, or that image is displaced there",
        "scan.hidden_earlier",
    ),
    "later": Reason("cloud, snow, overexposure or blur hide it in the later image", "scan.hidden_later"),
}


def outlines_of(result: Mapping[str, Any]) -> dict[str, BaseGeometry]:
    """Return the hidden ground of a scan by date, ``earlier`` and ``later``, from the contents of ``scan.json``."""
    return {date: make_valid(shapely.from_wkt(wkt)) for date, wkt in result.get(KEY, {}).items() if date in _REASONS}


def hidden_ground(session: Session, area_code: str) -> dict[tuple[int, int], BaseGeometry]:
    """Return {(earlier scene id, later scene id): ground} that the earlier image of a finished scan does not show."""
    outline = Scan.result["hidden"]["earlier"].as_string()
    rows = session.execute(
        select(Scan.before_id, Scan.after_id, outline)
        .join(SceneRow, SceneRow.id == Scan.after_id)
        .where(SceneRow.area_code == area_code, Scan.state == "done", Scan.withdrawn_at.is_(None))
        .where(Scan.windows.is_(None), outline.is_not(None))
    )
    return {(before, after): make_valid(shapely.from_wkt(wkt)) for before, after, wkt in rows}


def report_hidden_ground(session: Session, scan: Scan) -> None:
    """Record the hidden ground of a finished scan as not compared, with the date that hides it."""
    for date, outline in outlines_of(scan.result).items():
        reason = _REASONS[date]
        session.add(
            UncomparedGround(
                night_id=scan.night_id,
                scene_id=scan.after_id,
                scan_id=scan.id,
                area_code=scan.area_code,
                area_m2=area_m2(outline),
                reason=str(reason),
                why=Reason.json_of(reason),
                **bounds_of(outline),
            )
        )
    session.flush()
