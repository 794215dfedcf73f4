"""What the review shows of an alert besides its row and its log: what was seen of it, areas around, who could have it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from store.access.rights import Viewer, visible_to
from store.schema.outlines import bounds_intersect
from store.schema.tables import AlertRow, Area, Observation, Scan, SceneRow
from store.schema.user_tables import User

MOST_AREAS = 40
"""Outlines on the small map: more would be a blot."""

_EXACT = 4e-5  # degrees, four metres: not seen on a map of a village


@dataclass(frozen=True)
class SightImage:
    """One of the two images of a sight: day, source, ground sample distance in metres, name of the file."""

    date: dt.date | None
    source: str
    gsd_m: float
    name: str


@dataclass(frozen=True)
class AlertSight:
    """One time that the place was seen changed.

    Attributes:
        before, after: the images that were compared.
        kind, score, area_m2: as that scan saw it.
        residual_m, residual_px: median remaining shift between the images; None: not known.
    """

    before: SightImage
    after: SightImage
    kind: str
    score: float
    area_m2: float
    residual_m: float | None
    residual_px: float | None


@dataclass(frozen=True)
class AreaShape:
    """An area with its outline, longitude and latitude, to four metres."""

    code: str
    name: str
    level: str
    outline: BaseGeometry


@dataclass(frozen=True)
class AssignableUser:
    """Somebody under whose code an alert lies."""

    login: str
    name: str
    role: str


def alert_sights(session: Session, alert: AlertRow) -> list[AlertSight]:
    """Everything that was seen of an alert, in the order in which it was found."""
    earlier, later = aliased(SceneRow), aliased(SceneRow)
    image = [(scene.date, scene.source, scene.gsd_m, scene.name) for scene in (earlier, later)]
    rows = session.execute(
        select(Observation.kind, Observation.score, Observation.area_m2, Scan.result, *image[0], *image[1])
        .join(Scan, Scan.id == Observation.scan_id)
        .join(earlier, earlier.id == Scan.before_id)
        .join(later, later.id == Scan.after_id)
        .where(Observation.alert_id == alert.id)
        .order_by(Observation.id)
    )
    sights = []
    for kind, score, area_m2, result, *images in rows:
        alignment = result.get("alignment") or {}
        residual = alignment.get("residual_m"), alignment.get("residual_px")
        sights.append(AlertSight(SightImage(*images[:4]), SightImage(*images[4:]), kind, score, area_m2, *residual))
    return sights


def areas_around(session: Session, viewer: Viewer, alert: AlertRow) -> list[AreaShape]:
    """The areas of the viewer around an alert's own, and those that they lie in; no others. The alert's own come first."""
    own = {code for code in (alert.grid_code, alert.township_code, alert.county_code) if code}
    rows = list(session.scalars(select(Area).where(Area.code.in_(own)).order_by(Area.code.desc())))
    around = rows[0].outline if rows else alert.outline
    known = select(Area).where(visible_to(Area.code, viewer), bounds_intersect(Area, around), Area.code.not_in(own))
    rows += session.scalars(known.order_by(Area.code).limit(MOST_AREAS - len(rows)))
    return [AreaShape(row.code, row.name, row.level, row.outline.simplify(_EXACT)) for row in rows]


def assignable_users(session: Session, alert: AlertRow) -> list[AssignableUser]:
    """Who an alert can be given to: active people under whose code it lies, those nearest to the ground first."""
    reached = [alert.grid_code[:digits] for digits in range(len(alert.grid_code) + 1)]
    rows = session.execute(
        select(User.login, User.name, User.role, User.code).where(User.active, User.code.in_(reached))
    )
    people = sorted(rows, key=lambda row: (-len(row.code), row.login))
    return [AssignableUser(row.login, row.name or row.login, row.role) for row in people]


def user_names(session: Session, logins: Collection[str]) -> dict[str, str]:
    """Login → name, of people that there are."""
    rows = session.execute(select(User.login, User.name).where(User.login.in_(logins)))
    return {login: name or login for login, name in rows}
