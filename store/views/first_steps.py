"""What a new installation still lacks before alerts can appear."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.access.rights import Viewer, scene_visible_to, visible_to
from store.schema.tables import AlertRow, Area, Layer, Night, SceneRow
from store.schema.user_tables import User


class FirstSteps(NamedTuple):
    """Which of the first steps are done."""

    areas: bool
    layers: bool
    people: bool
    images: bool
    dates: bool
    night: bool


def first_steps(session: Session, viewer: Viewer) -> FirstSteps | None:
    """Return the first steps in an administrator's area; None: for others, or once people have alerts to work on."""
    if not viewer.administrator:
        return None
    people = session.scalar(select(func.count(User.id)).where(User.active)) or 0
    has_alerts = session.scalar(select(AlertRow.id).where(visible_to(AlertRow.grid_code, viewer)).limit(1)) is not None
    if has_alerts and people > 1:
        return None
    usable = scene_visible_to(viewer), SceneRow.state == "ready"
    images, days = session.execute(
        select(func.count(SceneRow.id), func.count(SceneRow.date.distinct())).where(*usable)
    ).one()
    return FirstSteps(
        areas=session.scalar(select(Area.id).limit(1)) is not None,
        layers=session.scalar(select(Layer.id).limit(1)) is not None,
        people=people > 1,
        images=images > 0,
        dates=days > 1,
        night=session.scalar(select(Night.id).where(Night.state == "done").limit(1)) is not None,
    )
