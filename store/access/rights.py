"""What a person may see: whatever lies under their administrative code.

Alerts go by ``grid_code``; scenes, batches, scans and what was not compared by ``area_code``; areas by ``code``.
Polygons of layers have no code: they go by place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, and_, false, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session, defer

from store.scenes.scenes import known_area
from store.schema.outlines import near
from store.schema.tables import Area, Feature


@dataclass(frozen=True)
class Viewer:
    """Who asks.

    Attributes:
        login: by which they sign in.
        name: for people.
        role: of ``configs/states.yaml``.
        code: their administrative code; rights are on whatever begins with it, "" on everything.
        administrator: whether they may manage people, areas and layers under their code.
        person_id: of their row.
    """

    login: str
    name: str
    role: str
    code: str
    administrator: bool
    person_id: int


def may_see(viewer: Viewer, code: str) -> bool:
    """Whether a row of ``code`` is theirs; one without a code is only for who sees everything."""
    return code.startswith(viewer.code)


def under(column: InstrumentedAttribute[str] | ColumnElement[str], viewer: Viewer) -> ColumnElement[bool]:
    """The same as :func:`may_see`, as a condition on the column of a query."""
    return begins(column, viewer.code)


def begins(column: InstrumentedAttribute[str] | ColumnElement[str], code: str) -> ColumnElement[bool]:
    """Condition: what stands in ``column`` begins with ``code``; found by an ordinary index.

    A range between digits means the same in every collation, where LIKE finds an index in some only.
    """
    if not code:
        return true()
    if not (code.isascii() and code.isdigit()):
        return func.substr(column, 1, len(code)) == code
    shorter = code.rstrip("9")  # the first code that comes after: 330109… ends before 33011
    if not shorter:
        return column >= code
    return and_(column >= code, column < f"{shorter[:-1]}{int(shorter[-1]) + 1}")


def visible_areas(session: Session, viewer: Viewer) -> list[Area]:
    """Their areas and, to name where they are, those that these lie in; by code, without outlines. No siblings."""
    above = [viewer.code[:digits] for digits in range(1, len(viewer.code))]
    query = select(Area).where(or_(under(Area.code, viewer), Area.code.in_(above))).options(defer(Area.outline))
    return list(session.scalars(query.order_by(Area.code)))


def visible_ground(session: Session, viewer: Viewer) -> BaseGeometry | None:
    """Where their areas lie, longitude and latitude; None: everywhere. Empty where no area of theirs was loaded."""
    if not viewer.code:
        return None
    area = known_area(session, viewer.code)
    return area.outline if area is not None else shapely.Polygon()


def visible_features(
    session: Session, viewer: Viewer, *conditions: ColumnElement[bool], limit: int | None = None
) -> list[Feature]:
    """Polygons of layers that touch their ground, by id.

    Args:
        session: reads.
        viewer: who asks.
        conditions: further ones on :class:`store.schema.tables.Feature`: a layer, a place (:func:`store.schema.outlines.near`).
        limit: not more than so many; None: all.
    """
    ground = visible_ground(session, viewer)
    query = select(Feature).where(*conditions, _touches(ground)).order_by(Feature.id)
    if ground is None:
        return list(session.scalars(query.limit(limit)))
    shapely.prepare(ground)
    found: list[Feature] = []
    for feature in session.scalars(query.execution_options(yield_per=500)):
        if limit is not None and len(found) == limit:
            break
        if shapely.intersects(ground, feature.outline):
            found.append(feature)
    return found


def _touches(ground: Any) -> ColumnElement[bool]:
    if ground is None:
        return true()
    return false() if ground.is_empty else near(Feature, ground)
