"""All images that show the place of an alert, whether or not something was detected in them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from imagery.set_operations import intersection, make_valid
from store.schema.outlines import bounds_intersect
from store.schema.tables import AlertRow, Scan, SceneRow

SHOWN_SHARE = 0.5
"""Share of the outline that an image has to show to be offered."""


@dataclass(frozen=True)
class PlaceImage:
    """An image that shows the place.

    Attributes:
        scene_id: database id.
        date: acquisition date; None: unknown.
        source: drone, satellite, camera.
        gsd_m: ground sample distance in metres.
        name: file name.
        sha256: of the received file.
        share: share of the outline that it shows, 0…1.
    """

    scene_id: int
    date: dt.date | None
    source: str
    gsd_m: float
    name: str
    sha256: str
    share: float

    def evidence(self) -> dict[str, Any]:
        """Return the image as it is named in the evidence of a transition."""
        return {
            "image": self.scene_id,
            "date": self.date.isoformat() if self.date else None,
            "source": self.source,
            "name": self.name,
            "sha256": self.sha256,
        }


def images_of_place(session: Session, alert: AlertRow, least_share: float = SHOWN_SHARE) -> list[PlaceImage]:
    """List the usable images that show at least a share of an alert's outline, oldest first, undated ones last.

    Access to the alert includes these images only around the alert; the caller has to enforce that. Frames of cameras
    are left out: they have pages of their own.
    """
    outline = make_valid(alert.outline)
    query = select(SceneRow).where(
        bounds_intersect(SceneRow, outline), SceneRow.state == "ready", SceneRow.source != "camera"
    )
    found = []
    for scene in session.scalars(query.order_by(SceneRow.date.asc().nulls_last(), SceneRow.id)):
        shown = intersection(make_valid(scene.outline), outline).area
        share = shown / outline.area if outline.area else 0.0
        if share >= least_share:
            found.append(
                PlaceImage(
                    scene.id, scene.date, scene.source, scene.gsd_m, scene.name, scene.sha256, round(float(share), 3)
                )
            )
    return found


def images_after(session: Session, alert: AlertRow, day: dt.date) -> list[PlaceImage]:
    """List the images taken on ``day`` or later, latest first."""
    return [
        image for image in reversed(images_of_place(session, alert)) if image.date is not None and image.date >= day
    ]


def registration_scan(session: Session, before_id: int, after_id: int) -> Scan | None:
    """Return the latest finished scan of two images, which registered the earlier to the later one."""
    pair = Scan.before_id == before_id, Scan.after_id == after_id, Scan.state == "done"
    return session.scalar(select(Scan).where(*pair).order_by(Scan.id.desc()).limit(1))
