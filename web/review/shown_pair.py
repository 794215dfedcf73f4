"""The two images that the page of an alert shows: those of its latest scan, or the latest ones of its place."""

from __future__ import annotations

from dataclasses import dataclass

from shapely.geometry import box

from inference.settings import read_config
from store.alerts.image_pairs import latest_pair
from store.scans.place_pairs import latest_pair_at
from store.schema.database import Session
from store.schema.tables import AlertRow, Scan, SceneRow


@dataclass(frozen=True)
class ShownPair:
    """Two images; ``scan``: the comparison that registered them, None: no scan has seen the alert yet."""

    before: SceneRow | None
    after: SceneRow
    scan: Scan | None


def shown_pair(session: Session, alert: AlertRow) -> ShownPair | None:
    """Return the images to show; None: no image shows the place.

    An alert that a person drew has no scan of its own: the two latest images of its place are shown.
    """
    pair = latest_pair(session, alert.id)
    if pair is not None:
        return ShownPair(pair.before, pair.after, pair.scan)
    ground = box(alert.west, alert.south, alert.east, alert.north)
    found = latest_pair_at(session, ground, read_config().max_scale_ratio)
    return None if found is None else ShownPair(found.before, found.after, None)
