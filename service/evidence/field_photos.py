"""Store a photo of a check on the ground: the original byte for byte, with its record and what speaks against it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

from enforcement.chain_settings import ChainValues
from enforcement.field_check.photo_record import ExifValues, RecordLimits, doubts_about, parse_record
from errors import TubanError
from service.context import Context
from service.evidence.intake import FileRefused, discard_objects, receive_file
from store.access.rights import Viewer
from store.chain_settings import read_chain_values
from store.evidence.evidence_files import Owner, add_file
from store.field.announced_steps import APPLIED, MIB, NEEDS_FILE, REFUSED, StepRefused, own_photo_step
from store.field.apply_steps import settle, settle_steps
from store.schema.chain.field_tables import FieldStep
from store.schema.database import Session
from store.schema.tables import AlertRow

_CHECKSUM = "evidence.checksum"


def limits_of(values: ChainValues) -> RecordLimits:
    """Return the limits of the chain settings."""
    return RecordLimits(
        *(
            float(values.whole(f"field.{name}"))
            for name in ("accuracy_m", "distance_m", "fix_age_s", "clock_s", "exif_m")
        )
    )


def store_photo(context: Context, viewer: Viewer, uid: str, path: Path) -> bool:
    """Check and store a completely received photo, then apply the steps that waited for it.

    Args:
        context: settings, database, objects.
        viewer: who announced the photo.
        uid: of the step.
        path: the received bytes; not changed.

    Returns:
        False if other bytes arrived than were announced, so that they have to be sent again.
    """
    with context.database.read() as session:
        step = own_photo_step(session, viewer, uid)
        if step is None or step.state != NEEDS_FILE:
            return True
        values = read_chain_values(session)
    content = step.content
    try:
        received = receive_file(
            context,
            path,
            name=str(content["name"]) or "photo",
            uid=uid,
            sha256=content["sha256"],
            accept="photo",
            max_bytes=values.whole("field.photo_mib") * MIB,
            record=content["record"] | {"check": step.check_uid, "clock_offset_s": step.clock_offset_s},
        )
    except FileRefused as error:
        if error.reason.code == _CHECKSUM:
            return False
        _refuse(context, viewer, uid, error)
        return True
    taken_at = parse_record(content["record"]).taken_at(step.clock_offset_s)
    received = dataclasses.replace(received, taken_at=taken_at)
    now = context.clock()
    try:
        with context.database.write() as session:
            row = own_photo_step(session, viewer, uid)
            if row is None or row.state != NEEDS_FILE:
                return True
            alert = session.get_one(AlertRow, row.alert_id)
            owner = Owner(alert_id=alert.id)
            add_file(session, received, owner, who=viewer.login, now=now, step="field_checked", evidence_field="photos")
            _note_doubts(context, row, alert, values, received.record.get("exif") or {})
            settle(row, APPLIED, now)
            settle_steps(session, viewer, alert, settings=context.settings, values=values, now=now)
    except TubanError as error:
        discard_objects(context, received)
        _refuse(context, viewer, uid, error)
    return True


def settle_waiting(context: Context, session: Session, viewer: Viewer, alert: AlertRow) -> None:
    """Apply the waiting steps of the viewer on an alert with the settings in effect."""
    values = read_chain_values(session)
    settle_steps(session, viewer, alert, settings=context.settings, values=values, now=context.clock())


def _note_doubts(
    context: Context, step: FieldStep, alert: AlertRow, values: ChainValues, exif: dict[str, object]
) -> None:
    record = parse_record(step.content["record"])
    found = ExifValues(_number(exif.get("lon")), _number(exif.get("lat")), _time(exif.get("device_time")))
    zone = context.settings.zone
    doubts = doubts_about(record, found, alert.outline, limits_of(values), step.clock_offset_s, zone)
    step.notes = [{"words": str(doubt), **doubt.to_json()} for doubt in doubts]


def _refuse(context: Context, viewer: Viewer, uid: str, error: TubanError) -> None:
    with context.database.write() as session:
        step = own_photo_step(session, viewer, uid)
        if step is None:
            raise StepRefused("The photo was not announced.", "field.not_announced")
        settle(step, REFUSED, context.clock(), error.reason)
        alert = session.get_one(AlertRow, step.alert_id)
        settle_waiting(context, session, viewer, alert)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _time(value: object) -> dt.datetime | None:
    """Return the local time that a camera wrote, without its offset."""
    try:
        return dt.datetime.fromisoformat(str(value)).replace(tzinfo=None)
    except ValueError:
        return None
