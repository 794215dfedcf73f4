"""Steps of checks as phones announce them: stored once by the id that the phone made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.chain_settings import ChainValues
from enforcement.field_check.form import read_field_form
from enforcement.field_check.photo_record import parse_record
from errors import Reason, TubanError
from store.access.rights import Viewer
from store.evidence.evidence_files import file_by_uid
from store.schema.chain.field_tables import FieldStep
from store.schema.insert import insert_new
from store.schema.tables import AlertRow

ACCEPT, PHOTO, FINDINGS, REPORT = "accept", "photo", "findings", "report"
KINDS = (ACCEPT, PHOTO, FINDINGS, REPORT)
NEEDS_FILE, WAITING, APPLIED, KEPT, REFUSED = "needs_file", "waiting", "applied", "kept", "refused"
SETTLED = (APPLIED, KEPT, REFUSED)
"""States in which a step is finished: done, kept for people to see without effect on the alert, or invalid."""

MIB = 2**20


class StepRefused(TubanError):  # noqa: N818  (an answer to the phone, not a malfunction)
    """A step cannot be stored: its id belongs to another step."""


@dataclass(frozen=True)
class AnnouncedStep:
    """A step as the phone sends it.

    Attributes:
        uid: UUID made by the phone; of a photo also that of its evidence file.
        kind: one of :data:`KINDS`.
        after: ids of the steps that have to be settled before.
        content: of a photo ``sha256``, ``size``, ``name``, ``record``; of findings their values.
        device_time: when the step was made, by the clock of the phone.
    """

    uid: str
    kind: str
    after: Sequence[str] = ()
    content: Mapping[str, Any] = field(default_factory=dict)
    device_time: dt.datetime | None = None


def announce(
    session: Session,
    viewer: Viewer,
    alert: AlertRow,
    check_uid: str,
    step: AnnouncedStep,
    *,
    values: ChainValues,
    offset_s: float | None,
    today: dt.date,
    now: dt.datetime,
) -> FieldStep:
    """Store a step, or return the one that was stored under its id before.

    An invalid step is stored as refused, with its reason, so that both sides can read it.

    Args:
        session: a write transaction.
        viewer: the sender.
        alert: which the sender may see or took along.
        check_uid: id of the check, made by the phone.
        step: the step.
        values: chain settings.
        offset_s: server time minus device time.
        today: local date.
        now: server time.

    Raises:
        StepRefused: the id belongs to a step of another check, alert or person.
    """
    existing = find_step(session, step.uid)
    if existing is None:
        state, reason, content = _check(step, values, today)
        row = {
            "uid": step.uid,
            "check_uid": check_uid,
            "alert_id": alert.id,
            "who": viewer.login,
            "kind": step.kind,
            "after": [uid for uid in step.after if uid != step.uid],
            "content": content,
            "state": state,
            "reason": str(reason or ""),
            "why": Reason.json_of(reason or ""),
            "notes": [],
            "device_time": step.device_time,
            "clock_offset_s": offset_s,
            "received_at": now,
            "settled_at": now if state == REFUSED else None,
        }
        insert_new(session, FieldStep, row, FieldStep.id)
        existing = find_step(session, step.uid)
        assert existing is not None
    if (existing.who, existing.alert_id, existing.check_uid) != (viewer.login, alert.id, check_uid):
        raise StepRefused("The id of this step belongs to another check.", "field.uid_taken")
    return existing


def find_step(session: Session, uid: str) -> FieldStep | None:
    """Return a step by its id, without a check of rights."""
    return session.scalar(select(FieldStep).where(FieldStep.uid == uid))


def own_photo_step(session: Session, viewer: Viewer, uid: str) -> FieldStep | None:
    """Return a photo that the viewer announced; None: there is none."""
    step = find_step(session, uid)
    return step if step is not None and step.kind == PHOTO and step.who == viewer.login else None


def steps_of_check(session: Session, check_uid: str, alert_id: int) -> list[FieldStep]:
    """List the steps of a check in the order in which they were announced."""
    query = select(FieldStep).where(FieldStep.alert_id == alert_id, FieldStep.check_uid == check_uid)
    return list(session.scalars(query.order_by(FieldStep.id)))


def stored_sha256(session: Session, step: FieldStep) -> str:
    """Return the SHA-256 of the stored original of a photo; "": it is not stored yet."""
    file = file_by_uid(session, step.uid) if step.kind == PHOTO and step.state in (APPLIED, KEPT) else None
    return "" if file is None else file.sha256


def _check(step: AnnouncedStep, values: ChainValues, today: dt.date) -> tuple[str, Reason | None, dict[str, Any]]:
    """Return state, reason and valid content of a new step."""
    content = dict(step.content)
    if step.kind == FINDINGS:
        try:
            return WAITING, None, read_field_form().check(content, today)
        except TubanError as error:
            return REFUSED, error.reason, content
    if step.kind == PHOTO:
        reason = _photo_fault(content, values)
        return (REFUSED if reason else NEEDS_FILE), reason, content
    return WAITING, None, {}


def _photo_fault(content: dict[str, Any], values: ChainValues) -> Reason | None:
    sha256, size = content.get("sha256"), content.get("size")
    if not (isinstance(sha256, str) and len(sha256) == 64 and set(sha256) <= set("0123456789abcdef")):
        return Reason("The photo was announced without its SHA-256.", "field.no_checksum")
    most = values.whole("field.photo_mib")
    if not (isinstance(size, int) and not isinstance(size, bool) and 0 < size <= most * MIB):
        found = f"{size / MIB:.1f}" if isinstance(size, int) else "?"
        return Reason(f"The photo has {found} MiB; expected up to {most}.", "field.too_large", mib=found, most=most)
    content["name"] = str(content.get("name", ""))[:200]
    try:
        record = parse_record(content.get("record"))
    except ValidationError as error:
        names = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors())[:200]
        return Reason(f"The record of the photo is invalid: {names}.", "field.bad_record", names=names)
    if record.shot not in read_field_form().shots:
        return Reason(f"There is no kind of photo {record.shot!r}.", "field.no_shot", name=record.shot)
    if record.source == "gallery" and not values.flag("field.gallery"):
        return Reason("Photos from the gallery are not accepted; take it with the camera.", "field.no_gallery")
    return None
