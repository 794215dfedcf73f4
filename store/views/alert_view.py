"""Data of the alert page besides the row and the log: observations, assignable users and user names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from enforcement.states import read_states
from store.schema.tables import AlertRow, Observation, Scan, SceneRow
from store.schema.user_tables import User


@dataclass(frozen=True)
class SightingImage:
    """One of the two images of an observation: day, source, ground sample distance in metres, file name."""

    date: dt.date | None
    source: str
    gsd_m: float
    name: str


@dataclass(frozen=True)
class AlertSighting:
    """One observation of an alert.

    Attributes:
        before, after: the compared images.
        kind, score, area_m2: as that scan detected it.
        residual_m, residual_px: median residual shift between the images; None: unknown.
        registration_method: of the scan (:data:`inference.registration.alignment.Method`); None: unknown.
        accuracy_m: accuracy of the coordinates, for images that were compared as georeferenced; None: unknown.
    """

    before: SightingImage
    after: SightingImage
    kind: str
    score: float
    area_m2: float
    residual_m: float | None
    residual_px: float | None
    registration_method: str | None
    accuracy_m: float | None


@dataclass(frozen=True)
class DrawnSighting:
    """What a person reported or drew of an alert: day, source, kind, probability and area."""

    date: dt.date | None
    source: str
    kind: str
    score: float
    area_m2: float


@dataclass(frozen=True)
class AssignableUser:
    """A user to whom an alert can be assigned."""

    login: str
    name: str
    role: str


def alert_sightings(session: Session, alert: AlertRow) -> list[AlertSighting]:
    """List the observations of an alert in the order in which they were recorded."""
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
    sightings = []
    for kind, score, area_m2, result, *images in rows:
        alignment = result.get("alignment") or {}
        registration = [alignment.get(name) for name in ("residual_m", "residual_px", "method", "accuracy_m")]
        sightings.append(
            AlertSighting(SightingImage(*images[:4]), SightingImage(*images[4:]), kind, score, area_m2, *registration)
        )
    return sightings


def drawn_sightings(session: Session, alert: AlertRow) -> list[DrawnSighting]:
    """List what people reported or drew of an alert, in the order in which it was recorded."""
    columns = Observation.after_date, Observation.source, Observation.kind, Observation.score, Observation.area_m2
    query = select(*columns).where(Observation.alert_id == alert.id, Observation.scan_id.is_(None))
    return [DrawnSighting(*row) for row in session.execute(query.order_by(Observation.id))]


def assignable_users(session: Session, alert: AlertRow) -> list[AssignableUser]:
    """List the active users who may see and change an alert, those with the smallest area first."""
    prefixes = [alert.grid_code[:digits] for digits in range(len(alert.grid_code) + 1)]
    rows = session.execute(
        select(User.login, User.name, User.role, User.other_roles, User.code).where(
            User.active, User.code.in_(prefixes)
        )
    )
    acting = [row for row in rows if not read_states().views_only((row.role, *row.other_roles))]
    users = sorted(acting, key=lambda row: (-len(row.code), row.login))
    return [AssignableUser(row.login, row.name or row.login, row.role) for row in users]


def user_names(session: Session, logins: Collection[str]) -> dict[str, str]:
    """Return login → display name of the users that exist."""
    rows = session.execute(select(User.login, User.name).where(User.login.in_(logins)))
    return {login: name or login for login, name in rows}
