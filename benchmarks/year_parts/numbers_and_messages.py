"""Checks of numbers (none twice, none missing), of messages (once to each person), and of sums."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from benchmarks.year_parts.service import PostOffice
from enforcement.messages.message_kinds import read_message_kinds
from store.schema.chain.message_tables import MessageRow, SendingMessageRow, SendingRow
from store.schema.chain.tip_tables import PatrolRow, TipRow
from store.schema.tables import AlertRow, Job, Night, Observation, Scan
from store.schema.user_tables import User


def number_faults(session: Session) -> list[str]:
    """Return numbers of alerts, tips and patrols that are given twice or are missing in their series."""
    faults = []
    for name, column in (("alert", AlertRow.number), ("tip", TipRow.number), ("patrol", PatrolRow.number)):
        digits = 6 if name == "alert" else 4
        faults += series_faults(name, session.scalars(select(column)), digits)
    return faults


def series_faults(name: str, numbers: Iterable[str], period_digits: int) -> list[str]:
    """Return the faults of series of numbers: prefix, period of some digits, running number from 1 without gaps."""
    series: dict[str, list[int]] = defaultdict(list)
    form = re.compile(rf"^(\d{{6}}\D+\d{{{period_digits}}})(\d+)$")
    faults = []
    for number in numbers:
        match = form.match(number)
        if match is None:
            faults.append(f"{name} {number} has an unknown form")
        else:
            series[match[1]].append(int(match[2]))
    for prefix, given in series.items():
        if sorted(given) != list(range(1, len(given) + 1)):
            twice = [number for number, count in Counter(given).items() if count > 1]
            missing = sorted(set(range(1, max(given) + 1)) - set(given))
            faults.append(f"{name} {prefix}: twice {twice[:5]}, missing {missing[:5]}")
    return faults


def message_faults(session: Session, post: PostOffice, *, end: bool) -> list[str]:
    """Return messages that were sent twice, never, or to people whom they do not concern.

    Args:
        session: a read transaction.
        post: what arrived.
        end: whether all jobs have run, so that no message may be on its way.
    """
    faults = []
    people = {user.id: user for user in session.scalars(select(User))}
    sent = Counter(session.scalars(select(SendingMessageRow.message_id)))
    split = dict(session.execute(select(SendingMessageRow.message_id, func.max(SendingRow.parts)).join(
        SendingRow, SendingRow.id == SendingMessageRow.sending_id
    ).group_by(SendingMessageRow.message_id)).all())  # fmt: skip
    receivers = dict(session.execute(select(SendingMessageRow.message_id, SendingRow.person_id).join(
        SendingRow, SendingRow.id == SendingMessageRow.sending_id
    )).all())  # fmt: skip
    kinds = read_message_kinds().kinds
    for message in session.scalars(select(MessageRow)):
        person = people[message.person_id]
        where = f"message {message.id} ({message.kind}) to {person.login}"
        times = sent[message.id]
        if times and (times != split[message.id] or receivers[message.id] != person.id):
            faults.append(f"{where} is in {times} texts of {split[message.id]} parts to {receivers[message.id]}")
        if message.kind not in kinds:
            faults.append(f"{where} is of an unknown kind")
        silent = message.content.get("withdrawn") or not person.active or not message.code.startswith(person.code)
        if end and message.collected_at is None and person.active:
            faults.append(f"{where} of {message.created_at} was never collected")
        if message.collected_at is not None and not times and not silent:
            faults.append(f"{where} was collected and is in no text")
    keys = {key: state for key, state in session.execute(select(SendingRow.sending_key, SendingRow.state))}  # noqa: C416
    for key, count in post.received.items():
        if key not in keys:
            faults.append(f"text {key} arrived {count} times and is not stored")
    for key, state in keys.items():
        arrived = post.received[key]
        if state == "accepted" and not arrived:
            faults.append(f"text {key} is accepted and never arrived")
        if end and state == "waiting":
            faults.append(f"text {key} still waits")
    return faults


def sum_faults(session: Session) -> list[str]:
    """Return sums that do not agree: nights with their scans, alerts with their sightings, jobs that died."""
    faults = []
    changes: dict[int | None, int] = defaultdict(int)
    for night_id, number in session.execute(select(Scan.night_id, Scan.changes).where(Scan.withdrawn_at.is_(None))):
        changes[night_id] += number
    for night in session.scalars(select(Night).where(Night.state == "done")):
        withdrawn = session.scalar(
            select(func.count()).where(Scan.night_id == night.id, Scan.withdrawn_at.is_not(None))
        )
        if not withdrawn and night.summary.get("changes") != changes[night.id]:
            faults.append(
                f"night {night.day} counts {night.summary.get('changes')} changes; its scans {changes[night.id]}"
            )
    sightings = dict(session.execute(
        select(Observation.alert_id, func.count(Observation.scan_id.distinct())).group_by(Observation.alert_id)
    ).all())  # fmt: skip
    drawn = dict(session.execute(
        select(Observation.alert_id, func.count()).where(Observation.scan_id.is_(None)).group_by(Observation.alert_id)
    ).all())  # fmt: skip
    for alert_id, alert, seen in session.execute(select(AlertRow.id, AlertRow.number, AlertRow.seen)):
        expected = sightings.get(alert_id, 0) + drawn.get(alert_id, 0)
        if seen != expected:
            faults.append(f"{alert} was seen {seen} times; it has {expected} sightings")
    unfinished = session.execute(select(Job.kind, Job.state, Job.error).where(Job.state.in_(("dead", "running")))).all()
    faults += [f"job {kind} is {state}: {error}" for kind, state, error in unfinished]
    return faults
