"""What is kept for how long, by category: list what would be deleted, delete it, and log that.

Every category follows one rule: nothing of an open or listed alert and nothing on hold is listed; what is deleted is
counted and digested in the log of deletions; checksums of evidence stay in their rows, so that hash chains verify.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from errors import TubanError
from service.context import Context
from service.evidence.abandoned import delete_abandoned
from service.images.retention import delete_expired, expired_images
from service.retention.log_files import overwrite_in_logs, rotated_files
from store.cameras.capture_retention import expired_captures, remove_captures
from store.retention import expired_rows as rows
from store.retention.purge_log import record_purge
from store.retention.scrub import scrub
from store.schema.database import Session
from store.tips.informant_key import InformantLocked, informant_key

CATEGORIES = ("images", "captures", "photos", "informants", "messages", "events", "addresses", "logs")

logger = structlog.get_logger("tuban.retention")


@dataclass(frozen=True)
class Expired:
    """What would be deleted of one category.

    Attributes:
        category: of :data:`CATEGORIES`.
        days: how long it is kept; 0: no limit by age.
        count, size: number of rows or files, and bytes of their objects.
        oldest: time of the oldest; None: there is none, or it has no time.
    """

    category: str
    days: int
    count: int
    size: int
    oldest: dt.datetime | None


def list_expired(context: Context) -> list[Expired]:
    """List what would be deleted now, by category; nothing is changed."""
    return [_LISTED[category](context) for category in CATEGORIES]


def purge(context: Context, who: str, categories: Sequence[str] = CATEGORIES) -> list[Expired]:
    """Delete what :func:`list_expired` lists, at most some thousand rows of each category; return what was deleted."""
    deleted = []
    for category in categories:
        found = _LISTED[category](context)
        if found.count:
            _DELETED[category](context, found, who)
            deleted.append(found)
            logger.info("deleted by retention", category=category, count=found.count, size=found.size)
    delete_abandoned(context)
    return deleted


def days_of(context: Context, category: str) -> int:
    """Return the days for which a category is kept, by the settings; 0: no limit by age."""
    limits = context.settings.retention
    return {
        "images": limits.days,
        "captures": context.settings.cameras.keep_days,
        "photos": limits.photo_days,
        "informants": limits.informant_days,
        "messages": limits.message_days,
        "events": limits.event_days,
        "addresses": limits.address_days,
        "logs": limits.log_days,
    }[category]


def _before(context: Context, category: str) -> dt.datetime | None:
    days = days_of(context, category)
    return context.clock() - dt.timedelta(days=days) if days else None


def _none(context: Context, category: str) -> Expired:
    return Expired(category, days_of(context, category), 0, 0, None)


def _size(context: Context, keys: Sequence[str]) -> int:
    total = 0
    for key in keys:
        try:
            total += context.objects.size(key)
        except TubanError:
            continue  # it is missing already
    return total


def _delete_objects(context: Context, keys: Sequence[str]) -> None:
    for key in keys:
        try:
            context.objects.delete(key)
        except TubanError as error:
            logger.warning("an object could not be deleted", key=key, error=str(error))


def _list_images(context: Context) -> Expired:
    images = expired_images(context)
    oldest = min((image.scene.received_at for image in images), default=None)
    days = days_of(context, "images")
    return Expired("images", days, len(images), sum(image.size for image in images), oldest)


def _purge_images(context: Context, found: Expired, who: str) -> None:
    images = expired_images(context)
    count = delete_expired(context, images, who)
    with context.database.write() as session:
        _record(session, context, found, who, [image.scene.object_key for image in images], {"deleted": count})


def _list_captures(context: Context) -> Expired:
    before = _before(context, "captures")
    if before is None:
        return _none(context, "captures")
    with context.database.read() as session:
        old = expired_captures(session, before)
    return Expired("captures", days_of(context, "captures"), len(old.ids), _size(context, old.keys), None)


def _purge_captures(context: Context, found: Expired, who: str) -> None:
    before = _before(context, "captures")
    assert before is not None
    with context.database.read() as session:
        old = expired_captures(session, before)
    _delete_objects(context, old.keys)  # before the rows, so that an interrupted run can be repeated
    with context.database.write() as session:
        remove_captures(session, old.ids)
        _record(session, context, found, who, map(str, old.ids))


def _list_photos(context: Context) -> Expired:
    before = _before(context, "photos")
    if before is None:
        return _none(context, "photos")
    with context.database.read() as session:
        files = rows.expired_files(session, before)
        oldest = min((file.received_at for file in files), default=None)
        size = sum(file.size for file in files)
    return Expired("photos", days_of(context, "photos"), len(files), size, oldest)


def _purge_photos(context: Context, found: Expired, who: str) -> None:
    before = _before(context, "photos")
    assert before is not None
    with context.database.write() as session:
        files = rows.expired_files(session, before)
        keys = [key for file in files for key in rows.purge_file(file)]
        session.flush()
        still_used = rows.keys_in_use(session, keys)
        _record(session, context, found, who, [file.sha256 for file in files])
    _delete_objects(context, [key for key in keys if key not in still_used])


def _list_informants(context: Context) -> Expired:
    before = _before(context, "informants")
    if before is None:
        return _none(context, "informants")
    with context.database.read() as session:
        tips = rows.expired_tips(session, before)
        oldest = min((tip.created_at for tip in tips), default=None)
    return Expired("informants", days_of(context, "informants"), len(tips), 0, oldest)


def _purge_informants(context: Context, found: Expired, who: str) -> None:
    before = _before(context, "informants")
    assert before is not None
    key = informant_key(context.settings)
    in_logs: list[str] = []
    with context.database.write() as session:
        tips = rows.expired_tips(session, before)
        numbers, changed, in_chains = [tip.number for tip in tips], 0, 0
        for tip in tips:
            try:
                informant = key.decrypt(tip.informant)
            except InformantLocked:
                informant = None
            rows.purge_informant(tip)
            number = tip.number
            session.flush()
            if informant is not None:
                anywhere = [informant.phone, informant.address if len(informant.address) > 5 else ""]
                first, second = scrub(session, anywhere), scrub(session, [informant.name, informant.words], number)
                changed += first.rows + second.rows
                in_chains += first.in_chains + second.in_chains
                in_logs += [*anywhere, informant.words, informant.name if len(informant.name) > 2 else ""]
        _record(session, context, found, who, numbers, {"rows": changed, "in_chains": in_chains})
    places = overwrite_in_logs(context.settings.log, in_logs)
    if places:
        logger.info("overwrote informants in log files", places=places)


def _list_messages(context: Context) -> Expired:
    before = _before(context, "messages")
    if before is None:
        return _none(context, "messages")
    with context.database.read() as session:
        ids = rows.expired_messages(session, before)
        oldest = rows.oldest_message(session, ids)
    return Expired("messages", days_of(context, "messages"), len(ids), 0, oldest)


def _purge_messages(context: Context, found: Expired, who: str) -> None:
    before = _before(context, "messages")
    assert before is not None
    with context.database.write() as session:
        ids = rows.expired_messages(session, before)
        rows.delete_messages(session, ids)
        _record(session, context, found, who, map(str, ids))


def _list_events(context: Context) -> Expired:
    before = _before(context, "events")
    if before is None:
        return _none(context, "events")
    with context.database.read() as session:
        ids = rows.expired_events(session, before)
    return Expired("events", days_of(context, "events"), len(ids), 0, None)


def _purge_events(context: Context, found: Expired, who: str) -> None:
    before = _before(context, "events")
    assert before is not None
    with context.database.write() as session:
        ids = rows.expired_events(session, before)
        rows.empty_events(session, ids)
        _record(session, context, found, who, map(str, ids))


def _list_addresses(context: Context) -> Expired:
    before = _before(context, "addresses")
    if before is None:
        return _none(context, "addresses")
    with context.database.read() as session:
        count, oldest = rows.expired_addresses(session, before)
    return Expired("addresses", days_of(context, "addresses"), count, 0, oldest)


def _purge_addresses(context: Context, found: Expired, who: str) -> None:
    before = _before(context, "addresses")
    assert before is not None
    with context.database.write() as session:
        rows.clear_addresses(session, before)
        _record(session, context, found, who, [before.isoformat()])


def _list_logs(context: Context) -> Expired:
    before = _before(context, "logs")
    if before is None:
        return _none(context, "logs")
    files = rotated_files(context.settings.log, before)
    size = sum(path.stat().st_size for path in files)
    oldest = min((dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC) for path in files), default=None)
    return Expired("logs", days_of(context, "logs"), len(files), size, oldest)


def _purge_logs(context: Context, found: Expired, who: str) -> None:
    before = _before(context, "logs")
    assert before is not None
    files = rotated_files(context.settings.log, before)
    for path in files:
        path.unlink(missing_ok=True)
    with context.database.write() as session:
        _record(session, context, found, who, [path.name for path in files])


def _record(
    session: Session,
    context: Context,
    found: Expired,
    who: str,
    items: Iterable[str],
    detail: dict[str, int] | None = None,
) -> None:
    record_purge(
        session,
        category=found.category,
        count=found.count,
        size=found.size,
        oldest=found.oldest,
        items=items,
        who=who,
        now=context.clock(),
        detail=detail,
    )


_LISTED: dict[str, Callable[[Context], Expired]] = {
    "images": _list_images,
    "captures": _list_captures,
    "photos": _list_photos,
    "informants": _list_informants,
    "messages": _list_messages,
    "events": _list_events,
    "addresses": _list_addresses,
    "logs": _list_logs,
}
_DELETED: dict[str, Callable[[Context, Expired, str], None]] = {
    "images": _purge_images,
    "captures": _purge_captures,
    "photos": _purge_photos,
    "informants": _purge_informants,
    "messages": _purge_messages,
    "events": _purge_events,
    "addresses": _purge_addresses,
    "logs": _purge_logs,
}
