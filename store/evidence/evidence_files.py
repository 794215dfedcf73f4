"""Photos and documents that people add as evidence. Bytes are objects under ``files/``, kept as received.

Adding is idempotent by ``uid``: a phone may send the same file any number of times. Rights are those of the owner: a
file of an alert is seen by whoever sees the alert; owners of other kinds check their own rows before they call here.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from errors import TubanError
from store.access.rights import Viewer, visible_to
from store.schema.chain.evidence_tables import EvidenceFile
from store.schema.chain.field_tables import FieldStep
from store.schema.insert import insert_new
from store.schema.tables import AlertRow, Transition

PHOTO, DOCUMENT = "photo", "document"
KEPT, QUARANTINE = "kept", "quarantine"


class EvidenceConflict(TubanError):  # noqa: N818  (an expected condition that callers handle)
    """The id belongs to another file already, or the file is fixed evidence of a step."""


@dataclass(frozen=True)
class ReceivedFile:
    """A checked file whose bytes are stored.

    Attributes:
        uid: UUID, see :func:`new_uid` and :func:`parse_uid`.
        kind: ``photo`` or ``document``.
        object_key: of the original bytes, see :func:`object_key`.
        sha256: of the original bytes.
        size: bytes.
        media_type: by content.
        name: original name.
        shown_key: of a JPEG copy for browsers; "": none.
        record: the photo's own record: position, accuracy, heading, times.
        taken_at: best known time of capture, aware.
    """

    uid: str
    kind: str
    object_key: str
    sha256: str
    size: int
    media_type: str
    name: str = ""
    shown_key: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    taken_at: dt.datetime | None = None


@dataclass(frozen=True)
class Owner:
    """What a file belongs to: an alert, a row of another kind, or both (a tip that became an alert)."""

    alert_id: int | None = None
    kind: str = ""
    id: int | None = None


def new_uid() -> str:
    """Return a new id for a file whose sender gave none."""
    return str(uuid.uuid4())


def parse_uid(text: str) -> str | None:
    """Return the canonical form of a UUID; None if it is not one."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def object_key(uid: str, sha256: str, extension: str) -> str:
    """Return the key of the original bytes, like ``files/ab/UID-0123456789abcdef.jpg``.

    It contains the checksum, so that other bytes sent under a known id never replace stored ones. ``extension`` is by
    content, never from a user.
    """
    return f"files/{uid[:2]}/{uid}-{sha256[:16]}.{extension}"


def shown_key(uid: str, sha256: str) -> str:
    """Return the key of the JPEG copy that browsers can show."""
    return f"files/{uid[:2]}/{uid}-{sha256[:16]}-shown.jpg"


def add_file(
    session: Session,
    received: ReceivedFile,
    owner: Owner,
    *,
    who: str,
    now: dt.datetime,
    step: str = "",
    evidence_field: str = "",
    state: str = KEPT,
) -> EvidenceFile:
    """Add a file; return the existing row if the same file was added before under this id.

    Args:
        session: a write transaction.
        received: the checked file.
        owner: what it belongs to; the caller checked that the sender may add to it.
        who: login of the sender; "": public form.
        now: server time.
        step: state that the step enters, as ``field_checked``; "": none yet.
        evidence_field: evidence name of that step, as ``photos``.
        state: ``kept`` or ``quarantine``.

    Raises:
        EvidenceConflict: the id belongs to other bytes or to another owner.
    """
    values = {
        "uid": received.uid,
        "alert_id": owner.alert_id,
        "owner_kind": owner.kind,
        "owner_id": owner.id,
        "kind": received.kind,
        "state": state,
        "step": step[:20],
        "field": evidence_field[:40],
        "object_key": received.object_key,
        "shown_key": received.shown_key,
        "sha256": received.sha256,
        "size": received.size,
        "media_type": received.media_type,
        "name": received.name[:400],
        "record": dict(received.record),
        "taken_at": received.taken_at,
        "who": who,
        "received_at": now,
    }
    added = insert_new(session, EvidenceFile, values, EvidenceFile.id)
    if added is not None:
        return session.get_one(EvidenceFile, added)
    existing = session.scalars(select(EvidenceFile).where(EvidenceFile.uid == received.uid)).one()
    same_owner = (existing.alert_id, existing.owner_kind, existing.owner_id) == (owner.alert_id, owner.kind, owner.id)
    if existing.sha256 != received.sha256 or not same_owner:
        raise EvidenceConflict(
            f"The file id {received.uid} belongs to another file already; send this file under a new id.",
            "evidence.uid_taken",
        )
    return existing


def file_by_uid(session: Session, uid: str) -> EvidenceFile | None:
    """Return a file without a check of rights: for callers that check its owner."""
    canonical = parse_uid(uid)
    return None if canonical is None else session.scalar(select(EvidenceFile).where(EvidenceFile.uid == canonical))


def visible_file(session: Session, viewer: Viewer, uid: str) -> tuple[EvidenceFile, AlertRow] | None:
    """Return a kept file of an alert that the viewer may see, with the alert; None: no such file for this viewer."""
    canonical = parse_uid(uid)
    if canonical is None:
        return None
    query = (
        select(EvidenceFile, AlertRow)
        .join(AlertRow, AlertRow.id == EvidenceFile.alert_id)
        .where(EvidenceFile.uid == canonical, EvidenceFile.state == KEPT, visible_to(AlertRow.grid_code, viewer))
    )
    row = session.execute(query).first()
    return None if row is None else (row[0], row[1])


def files_of_alert(session: Session, alert_id: int) -> list[EvidenceFile]:
    """Return the kept files of an alert, oldest first. The caller checked that the viewer may see the alert."""
    query = select(EvidenceFile).where(EvidenceFile.alert_id == alert_id, EvidenceFile.state == KEPT)
    return list(session.scalars(query.order_by(EvidenceFile.received_at, EvidenceFile.id)))


def files_of_alerts(session: Session, alert_ids: Sequence[int]) -> dict[int, list[EvidenceFile]]:
    """Return the kept files of several alerts by alert id, oldest first, each alert with an entry."""
    found: dict[int, list[EvidenceFile]] = {alert: [] for alert in alert_ids}
    for first in range(0, len(alert_ids), 500):
        page = EvidenceFile.alert_id.in_(alert_ids[first : first + 500])
        query = select(EvidenceFile).where(page, EvidenceFile.state == KEPT)
        for file in session.scalars(query.order_by(EvidenceFile.received_at, EvidenceFile.id)):
            if file.alert_id is not None:
                found[file.alert_id].append(file)
    return found


def files_of_owner(session: Session, kind: str, owner_id: int) -> list[EvidenceFile]:
    """Return all files of a tip, patrol …, quarantined ones included, oldest first."""
    query = select(EvidenceFile).where(EvidenceFile.owner_kind == kind, EvidenceFile.owner_id == owner_id)
    return list(session.scalars(query.order_by(EvidenceFile.received_at, EvidenceFile.id)))


def pending_files(session: Session, alert_id: int, who: str) -> list[EvidenceFile]:
    """Return the files that ``who`` uploaded for the next step of an alert: not submitted, or that step was undone."""
    mine = EvidenceFile.alert_id == alert_id, EvidenceFile.who == who, EvidenceFile.state == KEPT
    unused = or_(EvidenceFile.transition_id.is_(None), EvidenceFile.transition_id.in_(_undone(session, alert_id)))
    return list(session.scalars(select(EvidenceFile).where(*mine, unused).order_by(EvidenceFile.id)))


def _undone(session: Session, alert_id: int) -> set[int]:
    """Return the ids of the transitions of an alert that were undone: their files may be submitted again."""
    rows = session.execute(
        select(Transition.id, Transition.sequence, Transition.evidence)
        .where(Transition.alert_id == alert_id)
        .order_by(Transition.sequence)
    ).all()
    undone: set[int] = set()
    for _, sequence, evidence in rows:
        if "undoes" in evidence:
            undone |= {row.id for row in rows if int(evidence["undoes"]) <= row.sequence < sequence}
    return undone


def link_to_alert(session: Session, kind: str, owner_id: int, alert_id: int) -> None:
    """Let an alert show the kept files of the tip, patrol … that found it."""
    for file in files_of_owner(session, kind, owner_id):
        if file.state == KEPT:
            file.alert_id = alert_id
    session.flush()


def attach_to_transition(session: Session, uids: Iterable[str], alert_id: int, transition_id: int, step: str) -> None:
    """Fix files as the evidence of a step; each must be a kept file of this alert.

    Raises:
        EvidenceConflict: a file is missing, of another alert, or evidence of another step that was not undone.
    """
    for uid in uids:
        file = file_by_uid(session, uid)
        if file is None or file.alert_id != alert_id or file.state != KEPT:
            raise EvidenceConflict(
                f"No file {uid} was uploaded for this alert; upload it again.", "evidence.file_missing", file=uid
            )
        if file.transition_id not in (None, transition_id) and file.transition_id not in _undone(session, alert_id):
            raise EvidenceConflict(
                f"{file.name or uid} is evidence of another step already; upload it again.",
                "evidence.file_used",
                file=file.name or uid,
            )
        file.transition_id, file.step = transition_id, step
    session.flush()


def accept_quarantined(session: Session, file: EvidenceFile) -> None:
    """Accept a file of the public form after a person looked at it."""
    file.state = KEPT
    session.flush()


def remove_file(session: Session, file: EvidenceFile) -> list[str]:
    """Delete the row of a file that no step uses; return the keys of its objects, to be deleted after the commit.

    Raises:
        EvidenceConflict: the file is evidence of a step, or part of a check on the ground.
    """
    if file.transition_id is not None or "check" in file.record:
        raise EvidenceConflict(
            f"{file.name or file.uid} is evidence of a step and cannot be deleted.",
            "evidence.file_used",
            file=file.name or file.uid,
        )
    keys = [key for key in (file.object_key, file.shown_key) if key]
    session.delete(file)
    session.flush()
    return keys


def abandoned_files(session: Session, before: dt.datetime, limit: int = 500) -> list[EvidenceFile]:
    """Return files uploaded before ``before`` that no step and no other owner uses, oldest first."""
    checks = select(FieldStep.uid)  # photos of checks on the ground are evidence, whether or not the state changed
    unused = EvidenceFile.transition_id.is_(None), EvidenceFile.received_at < before, EvidenceFile.uid.not_in(checks)
    ownerless = or_(EvidenceFile.owner_kind == "", EvidenceFile.owner_id.is_(None))
    return list(session.scalars(select(EvidenceFile).where(*unused, ownerless).order_by(EvidenceFile.id).limit(limit)))
