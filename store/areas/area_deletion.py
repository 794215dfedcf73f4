"""Deletion of areas that nothing refers to."""

from __future__ import annotations

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from errors import SettingsError
from store.schema.tables import AlertRow, Area, Batch, SceneArea
from store.schema.user_tables import User


def delete_area(session: Session, area: Area) -> None:
    """Delete an area.

    Raises:
        SettingsError: it contains other areas, or alerts, images or people belong to it; the message counts them.
    """
    code = area.code
    below = session.scalar(select(func.count(Area.id)).where(Area.code.startswith(code), Area.code != code)) or 0
    belongs = or_(AlertRow.grid_code == code, AlertRow.township_code == code, AlertRow.county_code == code)
    alerts = session.scalar(select(func.count(AlertRow.id)).where(belongs)) or 0
    images = session.scalar(select(func.count(Batch.id)).where(Batch.area_code == code)) or 0
    people = session.scalar(select(func.count(User.id)).where(User.code == code)) or 0
    if below or alerts or images or people:
        raise SettingsError(
            f"{code} {area.name} cannot be deleted: {below} areas lie in it, and {alerts} alerts, {images} batches of "
            f"images and {people} people belong to it. Delete or move them first; load a file to change its outline.",
            "area.in_use",
            area=code,
            name=area.name,
            below=below,
            alerts=alerts,
            images=images,
            people=people,
        )
    session.execute(delete(SceneArea).where(SceneArea.code == code))
    session.delete(area)
    session.flush()
