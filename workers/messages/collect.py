"""Job that collects the messages of one person into one text per channel, outside of their quiet hours."""

from __future__ import annotations

import datetime as dt

import structlog

from enforcement.messages.message_kinds import read_message_kinds
from enforcement.messages.quiet_hours import quiet_until
from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from service.messages.channels import texts_for
from store.access.rights import may_see
from store.access.users import user_by_id, viewer_of
from store.chain_settings import read_chain_values
from store.messages.preferences import Preferences, preferences_of
from store.messages.sendings import add_sendings, lock_person, uncollected
from store.messages.writing import COLLECT, add_collection
from store.schema.chain.message_tables import MessageRow
from store.schema.database import Session

logger = structlog.get_logger("tuban.messages")


def collect(context: Context, job: JobRun) -> Commit:
    """Put the waiting messages of ``person_id`` into texts; with ``digest`` also those that wait for the digest."""
    person_id, digest = int(job.payload["person_id"]), bool(job.payload.get("digest"))

    def commit(session: Session) -> None:
        collect_messages(session, context, person_id, digest=digest, now=context.clock())

    return commit


def collect_messages(session: Session, context: Context, person_id: int, *, digest: bool, now: dt.datetime) -> int:
    """Store the texts of a person's waiting messages with their jobs; return the number of sendings.

    Within quiet hours, the job is added again for their end. A message about an area that the person may no longer
    see, and one that was withdrawn, is sent to nobody.
    """
    lock_person(session, person_id)
    person = user_by_id(session, person_id)
    waiting = uncollected(session, person_id)
    if person is None or not waiting:
        return 0
    preferences = preferences_of(session, person_id)
    until = quiet_until(now, *preferences.quiet_hours(read_chain_values(session)), context.settings.zone)
    if until is not None and person.active:
        add_collection(session, person_id, now, at=until, digest=digest)
        return 0
    viewer = viewer_of(person)
    ready = [message for message in waiting if digest or not _waits(message, preferences)]
    allowed = [
        message
        for message in ready
        if person.active and may_see(viewer, message.code) and not message.content.get("withdrawn")
    ]
    count = 0
    for text, included in texts_for(context.settings, person, preferences, allowed):
        count += add_sendings(session, person_id, [text], included, now)
    for message in ready:
        message.collected_at = now
    if ready:
        logger.info("messages collected", person=person.login, messages=len(ready), sendings=count)
    return count


def _waits(message: MessageRow, preferences: Preferences) -> bool:
    """Whether a message waits for the digest: by its kind, by its sender, or by the person's choice."""
    kind = read_message_kinds().kinds.get(message.kind)
    if message.content.get("waits") or (kind is not None and kind.waits):
        return True
    return preferences.once_a_day and kind is not None and not kind.urgent


JOB_KINDS = (JobKind(COLLECT, "deliver", collect),)
