"""A scan of just one place on request: the two latest images of it, within a window around a tip or a patrol."""

from __future__ import annotations

import datetime as dt

from service.scan_jobs import add_prepare_job
from store.scans.place_pairs import PlacePair, place_scan, place_window
from store.scans.scans import add_scan
from store.schema.database import Session
from store.schema.tables import Scan

HALF_M = 150.0
"""Half the side of the window that is compared, metres."""


def request_place_scan(session: Session, pair: PlacePair, lon: float, lat: float, now: dt.datetime) -> Scan | None:
    """Add the scan of a place, unless one of both images around it exists; return it. None: there is only one image.

    A scan that failed is requested again, at most once an hour.

    Args:
        session: a write transaction.
        pair: the images.
        lon, lat: the place.
        now: current time.
    """
    if pair.before is None:
        return None
    existing = place_scan(session, pair.before.id, pair.after.id, lon, lat)
    if existing is not None and existing.windows is None and existing.state != "done":
        existing = None  # the regular scan waits for its night, or could not compare its images as a whole
    if existing is not None and existing.state != "failed":
        return existing
    hour = f":{now:%Y%m%d%H}" if existing is not None else ""
    scan_id = add_scan(
        session,
        unique_key=f"place:{pair.before.id}:{pair.after.id}:{lon:.5f}:{lat:.5f}{hour}",
        before=pair.before.id,
        after=pair.after.id,
        area_code=pair.after.area_code,
        night_id=None,
        now=now,
        windows=[place_window(lon, lat, HALF_M)],
    )
    if scan_id is None:
        return existing
    add_prepare_job(session, scan_id, now)
    return session.get_one(Scan, scan_id)
