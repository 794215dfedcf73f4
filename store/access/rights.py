"""Row-level access: a user sees the rows whose administrative code begins with the user's own.

Alerts are filtered by ``grid_code``; batches by ``area_code``; areas by ``code``. Scenes, scans and uncompared ground
are filtered by ``area_code`` or by the ground that they show (:mod:`store.scenes.scene_areas`): a village sees its part
of an image of the county.
Polygons of layers have no code and are filtered by location.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session, defer

from enforcement.states import read_states
from store.scenes.scenes import find_area
from store.schema.outlines import bounds_intersect
from store.schema.tables import Area, Feature, SceneArea, SceneRow


@dataclass(frozen=True)
class Viewer:
    """The access rights of the current user.

    Attributes:
        login: sign-in name.
        name: display name.
        role: the highest one, of ``configs/states.yaml``.
        code: administrative code; grants access to every code that begins with it, "" to all.
        administrator: may manage users, areas and layers under this code.
        person_id: id of the row in ``people``.
        other_roles: further roles in the same area.
    """

    login: str
    name: str
    role: str
    code: str
    administrator: bool
    person_id: int
    other_roles: tuple[str, ...] = ()

    @property
    def roles(self) -> tuple[str, ...]:
        """All roles, the highest first."""
        return (self.role, *self.other_roles)

    @property
    def views_only(self) -> bool:
        """Whether no role of the viewer may change anything."""
        return read_states().views_only(self.roles)

    @property
    def shared_only(self) -> bool:
        """Whether the viewer belongs to a receiving body: every right by area is void (:mod:`store.sharing.shares`)."""
        return read_states().shared_only(self.roles)


COMMAND = Viewer("command", "command", "city", "", True, 0)
"""Whoever runs a command on the machine of the service: rights on everything."""


def may_see(viewer: Viewer, code: str) -> bool:
    """Return whether the viewer may see a row with ``code``; rows without a code need access to all areas."""
    return code.startswith(viewer.code) and not viewer.shared_only


def visible_to(column: InstrumentedAttribute[str] | ColumnElement[str], viewer: Viewer) -> ColumnElement[bool]:
    """Return :func:`may_see` as a condition on a column of a query."""
    return false() if viewer.shared_only else starts_with(column, viewer.code)


def starts_with(column: InstrumentedAttribute[str] | ColumnElement[str], code: str) -> ColumnElement[bool]:
    """Return the condition that ``column`` begins with ``code``, in a form that can use an ordinary index.

    A range of digits sorts alike in every collation; LIKE uses an index only in some.
    """
    if not code:
        return true()
    if not (code.isascii() and code.isdigit()):
        return func.substr(column, 1, len(code)) == code
    shorter = code.rstrip("9")  # exclusive upper bound: the prefix 330109 ends before 33011
    if not shorter:
        return column >= code
    return and_(column >= code, column < f"{shorter[:-1]}{int(shorter[-1]) + 1}")


def scene_visible_to(viewer: Viewer, scene_id: Any = SceneRow.id, area_code: Any = None) -> ColumnElement[bool]:
    """Return the condition that a viewer may see a scene: by the code of its batch, or by the ground it shows.

    Args:
        viewer: the current user.
        scene_id: column with the id of the scene.
        area_code: column with the administrative code that grants access beside; None: that of the scene.
    """
    if viewer.shared_only:
        return false()
    if not viewer.code:
        return true()
    shown = exists().where(SceneArea.scene_id == scene_id, visible_to(SceneArea.code, viewer))
    return or_(visible_to(SceneRow.area_code if area_code is None else area_code, viewer), shown)


def may_see_scene(session: Session, viewer: Viewer, scene: SceneRow) -> bool:
    """Return whether the viewer may see the ground of a scene that lies in the viewer's area, or all of it."""
    if may_see(viewer, scene.area_code):
        return True
    shown = select(SceneArea.code).where(SceneArea.scene_id == scene.id, visible_to(SceneArea.code, viewer))
    return session.scalar(shown.limit(1)) is not None


def visible_areas(session: Session, viewer: Viewer) -> list[Area]:
    """List the viewer's areas and the areas that contain them, by code, without outlines. Siblings are left out."""
    ancestors = [viewer.code[:digits] for digits in range(1, len(viewer.code))]
    query = (
        select(Area).where(or_(visible_to(Area.code, viewer), Area.code.in_(ancestors))).options(defer(Area.outline))
    )
    return list(session.scalars(query.order_by(Area.code)))


def visible_region(session: Session, viewer: Viewer) -> BaseGeometry | None:
    """Return the viewer's area in longitude and latitude; None: unlimited. Empty if that area is not loaded."""
    if viewer.shared_only:
        return shapely.Polygon()
    if not viewer.code:
        return None
    area = find_area(session, viewer.code)
    return area.outline if area is not None else shapely.Polygon()


def visible_features(
    session: Session, viewer: Viewer, *conditions: ColumnElement[bool], limit: int | None = None
) -> list[Feature]:
    """List the polygons of layers that touch the viewer's area, by id.

    Args:
        session: a read transaction.
        viewer: the current user.
        conditions: further conditions on :class:`store.schema.tables.Feature`: a layer, a place
            (:func:`store.schema.outlines.bounds_intersect`).
        limit: maximum number of polygons; None: all.
    """
    region = visible_region(session, viewer)
    query = select(Feature).where(*conditions, _touches(region)).order_by(Feature.id)
    if region is None:
        return list(session.scalars(query.limit(limit)))
    shapely.prepare(region)
    found: list[Feature] = []
    for feature in session.scalars(query.execution_options(yield_per=500)):
        if limit is not None and len(found) == limit:
            break
        if shapely.intersects(region, feature.outline):
            found.append(feature)
    return found


def _touches(region: Any) -> ColumnElement[bool]:
    if region is None:
        return true()
    return false() if region.is_empty else bounds_intersect(Feature, region)
