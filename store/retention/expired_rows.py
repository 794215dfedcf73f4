"""Rows whose time is over: photos, informants, messages, events and addresses. Open, listed and held ones never are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from enforcement.states import read_states
from store.retention.holds import Held
from store.schema.chain.deadline_tables import SupervisionRow
from store.schema.chain.evidence_tables import EvidenceFile
from store.schema.chain.message_tables import MessageAlertRow, MessageRow, SendingMessageRow, SendingRow
from store.schema.chain.sharing_tables import ShareReadRow
from store.schema.chain.tip_tables import TipRow
from store.schema.tables import AlertRow, Delivery
from store.schema.user_tables import Action

PURGED = "purged"
"""State of an evidence file whose bytes were deleted; its checksum stays."""

KEPT = "kept"
"""State of an evidence file that was accepted, as in :mod:`store.evidence.evidence_files`."""

BATCH = 2000
"""Most rows of one run."""

_SETTLED = ("answered", "declined")


def kept_alerts(session: Session, *, open_ones: bool = True) -> set[int]:
    """Return the alerts of which nothing is deleted: open, being corrected, listed for supervision, or on hold.

    ``open_ones=False``: only those that are listed or held, of which not even files that nobody submitted are deleted.
    """
    held = Held(session)
    listed = set(session.scalars(select(SupervisionRow.alert_id).where(SupervisionRow.state == "open")))
    rows = session.execute(select(AlertRow.id, AlertRow.grid_code, AlertRow.state))
    still_open = read_states().open
    return {
        alert_id
        for alert_id, code, state in rows
        if (open_ones and state in still_open) or alert_id in listed or held.covers(code, alert_id)
    }


def expired_files(session: Session, before: dt.datetime) -> list[EvidenceFile]:
    """Return evidence files of alerts that were finished, and of tips that were answered, before a time."""
    kept, held = kept_alerts(session), Held(session)
    query = (
        select(EvidenceFile, AlertRow.id, TipRow.area_code, TipRow.alert_id)
        .outerjoin(AlertRow, AlertRow.id == EvidenceFile.alert_id)
        .outerjoin(TipRow, (EvidenceFile.owner_kind == "tip") & (TipRow.id == EvidenceFile.owner_id))
        .where(EvidenceFile.state == KEPT, EvidenceFile.received_at < before)
        .where(or_(AlertRow.changed_at < before, AlertRow.id.is_(None) & _answered_before(before)))
        .order_by(EvidenceFile.id)
    )
    return [
        file
        for file, alert_id, tip_code, tip_alert in session.execute(query)
        if alert_id not in kept and tip_alert not in kept and (tip_code is None or not held.covers(tip_code))
    ][:BATCH]


def purge_file(file: EvidenceFile) -> list[str]:
    """Empty a file's row except for its checksum, and return the keys of the objects to delete."""
    keys = [key for key in (file.object_key, file.shown_key) if key]
    file.state, file.record, file.name, file.shown_key = PURGED, {}, "", ""
    return keys


def keys_in_use(session: Session, keys: Sequence[str]) -> set[str]:
    """Return those of ``keys`` that a file which was not purged still refers to."""
    used: set[str] = set()
    for first in range(0, len(keys), 500):
        part = keys[first : first + 500]
        for column in (EvidenceFile.object_key, EvidenceFile.shown_key):
            used |= set(session.scalars(select(column).where(column.in_(part), EvidenceFile.state != PURGED)))
    return used


def expired_tips(session: Session, before: dt.datetime) -> list[TipRow]:
    """Return tips with an informant that were answered or declined before a time."""
    kept, held = kept_alerts(session), Held(session)
    known = or_(TipRow.informant != "", TipRow.code_sha256 != "")
    rows = session.scalars(select(TipRow).where(known, _answered_before(before)).order_by(TipRow.id))
    return [tip for tip in rows if tip.alert_id not in kept and not held.covers(tip.area_code)][:BATCH]


def purge_informant(tip: TipRow) -> None:
    """Remove informant, code and the person of an assignment from a tip; the tip itself stays."""
    tip.informant, tip.code_sha256, tip.anonymous = "", "", True
    tip.assignment = {name: value for name, value in tip.assignment.items() if name not in ("phone", "person", "by")}


def expired_messages(session: Session, before: dt.datetime) -> list[int]:
    """Return the ids of messages that were written before a time and wait for nothing."""
    kept = kept_alerts(session)
    rows = session.execute(
        select(MessageRow.id, MessageAlertRow.alert_id)
        .outerjoin(MessageAlertRow, MessageAlertRow.message_id == MessageRow.id)
        .where(MessageRow.created_at < before, MessageRow.collected_at.is_not(None))
        .order_by(MessageRow.id)
    )
    ids: dict[int, bool] = {}
    for message_id, alert_id in rows:
        ids[message_id] = ids.get(message_id, True) and alert_id not in kept
    return [message_id for message_id, free in ids.items() if free][:BATCH]


def oldest_message(session: Session, ids: Sequence[int]) -> dt.datetime | None:
    """Return the time of the oldest of some messages."""
    return session.scalar(select(func.min(MessageRow.created_at)).where(MessageRow.id.in_(ids))) if ids else None


def delete_messages(session: Session, ids: Sequence[int]) -> None:
    """Delete messages, and the sent texts that contained nothing else."""
    sent = set(session.scalars(select(SendingMessageRow.sending_id).where(SendingMessageRow.message_id.in_(ids))))
    session.execute(delete(SendingMessageRow).where(SendingMessageRow.message_id.in_(ids)))
    session.execute(delete(MessageAlertRow).where(MessageAlertRow.message_id.in_(ids)))
    session.execute(delete(MessageRow).where(MessageRow.id.in_(ids)))
    left = set(session.scalars(select(SendingMessageRow.sending_id).where(SendingMessageRow.sending_id.in_(sent))))
    session.execute(delete(SendingRow).where(SendingRow.id.in_(sent - left), SendingRow.state != "waiting"))


def expired_events(session: Session, before: dt.datetime) -> list[int]:
    """Return the ids of deliveries that ended before a time and still hold their event."""
    kept = kept_alerts(session)
    settled = Delivery.state.in_(("delivered", "dropped")), Delivery.created_at < before
    rows = session.execute(select(Delivery.id, Delivery.alert_id, Delivery.event).where(*settled).order_by(Delivery.id))
    return [row.id for row in rows if row.event and row.alert_id not in kept][:BATCH]


def empty_events(session: Session, ids: Sequence[int]) -> None:
    """Empty delivered events; their rows stay for the order of later ones."""
    session.execute(update(Delivery).where(Delivery.id.in_(ids)).values(event={}, error=""))


def expired_addresses(session: Session, before: dt.datetime) -> tuple[int, dt.datetime | None]:
    """Return how many rows of the logs hold a network address from before a time, and the time of the oldest."""
    count, oldest = 0, None
    for table, condition in _with_addresses(before):
        number, first = session.execute(select(func.count(), func.min(table.at)).where(*condition)).one()
        count += number
        oldest = min(filter(None, (oldest, first)), default=None)
    return count, oldest


def clear_addresses(session: Session, before: dt.datetime) -> None:
    """Remove network addresses from rows of the logs from before a time; the rows stay."""
    for table, condition in _with_addresses(before):
        session.execute(update(table).where(*condition).values(address=""))


def _with_addresses(
    before: dt.datetime,
) -> list[tuple[type[Action] | type[ShareReadRow], tuple[ColumnElement[bool], ...]]]:
    return [(table, (table.at < before, table.address != "")) for table in (Action, ShareReadRow)]


def _answered_before(before: dt.datetime) -> ColumnElement[bool]:
    ended = func.coalesce(TipRow.answered_at, TipRow.judged_at, TipRow.changed_at)
    return TipRow.state.in_(_SETTLED) & (ended < before)
