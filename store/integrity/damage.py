"""Damaged objects: recorded until a check finds them intact. Damaged images are quarantined meanwhile.

A quarantined scene has the state ``damaged``: nothing is compared with it. Alerts that rest on it keep their state, and
their pages say that an image of theirs is damaged.
"""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from errors import ImageError
from store.objects.object_store import ObjectNotFound, ObjectStore, file_digest
from store.schema.insert import insert_new
from store.schema.integrity_tables import DamagedObject, ObjectCheck
from store.schema.tables import Observation, Scan, SceneRow

VERIFIED_SECONDS = 12 * 3600.0
"""An unchanged file is read again for its checksum after this time, because a disk can lose bits silently."""

DAMAGED = "damaged"
"""State of a quarantined scene."""


@dataclass(frozen=True)
class Damage:
    """A damaged object.

    Attributes:
        key: of the object.
        fault: ``missing``, or ``changed``: it differs from its checksum.
        detail: a sentence that names what it belongs to.
    """

    key: str
    fault: Literal["missing", "changed"]
    detail: str


def record_damage(session: Session, damage: Damage, now: dt.datetime) -> None:
    """Record a damaged object, and quarantine its scene if it is one."""
    values = {"key": damage.key, "fault": damage.fault, "detail": damage.detail, "found_at": now}
    insert_new(session, DamagedObject, values, DamagedObject.key)
    session.execute(
        update(SceneRow)
        .where(SceneRow.object_key == damage.key, SceneRow.state == "ready")
        .values(state=DAMAGED, state_reason=damage.detail)
        .execution_options(synchronize_session=False)
    )


def record_intact(session: Session, keys: Collection[str]) -> None:
    """Remove objects from the damaged ones, and end the quarantine of their scenes."""
    session.execute(
        delete(DamagedObject).where(DamagedObject.key.in_(keys)).execution_options(synchronize_session=False)
    )
    session.execute(
        update(SceneRow)
        .where(SceneRow.object_key.in_(keys), SceneRow.state == DAMAGED)
        .values(state="ready", state_reason="")
        .execution_options(synchronize_session=False)
    )


def damaged_objects(session: Session) -> list[DamagedObject]:
    """Return all objects known to be damaged, by key."""
    return list(session.scalars(select(DamagedObject).order_by(DamagedObject.key)))


def damaged_images_of(session: Session, alert_id: int) -> list[str]:
    """Return the names of the damaged images that an alert rests on."""
    scans = select(Observation.scan_id).where(Observation.alert_id == alert_id)
    rows = session.execute(
        select(SceneRow.id, SceneRow.name)
        .join(Scan, (Scan.before_id == SceneRow.id) | (Scan.after_id == SceneRow.id))
        .where(Scan.id.in_(scans), SceneRow.state == DAMAGED)
        .distinct()
        .order_by(SceneRow.id)
    )
    return [name for _, name in rows]


class VerifiedObjects:
    """Gives local files of objects whose checksum was verified, once per version of the file and process."""

    def __init__(self, objects: ObjectStore) -> None:
        """Set the object store."""
        self._objects = objects
        self._verified: dict[tuple[str, int, int, int, str], float] = {}  # monotonic seconds of the verification

    @contextmanager
    def local(self, key: str, sha256: str, owner: str) -> Iterator[Path]:
        """Give a local file with the content of an object.

        Args:
            key: of the object.
            sha256: expected checksum.
            owner: what the object is, for messages.

        Raises:
            DamagedObjectError: the object is missing or differs from the checksum.
        """
        with ExitStack() as stack:
            try:
                path = stack.enter_context(self._objects.local(key))
            except ObjectNotFound as error:
                raise DamagedObjectError(Damage(key, "missing", f"The object {key} ({owner}) is missing")) from error
            facts = path.stat()
            version = (str(path), facts.st_ino, facts.st_size, facts.st_mtime_ns, sha256)
            if time.monotonic() - self._verified.get(version, -math.inf) > VERIFIED_SECONDS:
                digest = file_digest(path)
                if digest != sha256:
                    raise DamagedObjectError(Damage(key, "changed", changed_detail(key, owner, sha256, digest)))
                self._verified[version] = time.monotonic()
            yield path


class DamagedObjectError(ImageError):
    """An image that is needed is missing or damaged.

    Attributes:
        damage: to be recorded.
    """

    def __init__(self, damage: Damage) -> None:
        """Describe it."""
        self.damage = damage
        super().__init__(f"{damage.detail}. Restore it with `tuban check --repair BACKUP`.")


def changed_detail(key: str, owner: str, expected: str, found: str) -> str:
    """Describe an object that differs from its checksum."""
    named = f"{key} ({owner})" if owner else key
    return f"The object {named} has sha256 {found[:12]}…, expected {expected[:12]}…: it was changed or damaged"


def last_check(session: Session) -> ObjectCheck | None:
    """Return the latest check; None: there was none yet."""
    return session.scalar(select(ObjectCheck).order_by(ObjectCheck.id.desc()).limit(1))
