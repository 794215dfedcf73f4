"""Order of the sightings of an alert by how well their images show its works."""

from __future__ import annotations

import datetime as dt

from store.schema.tables import Observation


def picture_order(row: Observation, not_yet_on: dt.date | None) -> tuple[bool, dt.date, float, int]:
    """Sort key of observations by how well their images show the works; the best is last."""
    whole = not_yet_on is None or row.before_date is None or row.before_date <= not_yet_on
    return whole, row.after_date or dt.date.min, row.area_m2, row.id
