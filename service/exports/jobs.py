"""Exports by a job: request, write, and delete their files after some days."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import structlog

from errors import Reason, SettingsError
from service.context import Context
from service.exports.writing import FILES, ExportOptions, write_export
from store.access.audit_log import record_action
from store.access.rights import Viewer
from store.access.users import viewer_of
from store.exports.export_rows import (
    READY,
    add_export,
    count_waiting,
    expired_exports,
    export_to_write,
    forget_file,
    set_failed,
)
from store.objects.object_store import file_digest
from store.schema.chain.export_tables import ExportRow
from store.schema.database import Session
from store.search.alert_search import AlertFilter, count_alerts

MAX_ALERTS = 200_000
"""Alerts of an export by a job; more would not fit into the memory of a worker."""

MAX_WAITING = 5
"""Exports of a user that wait or run."""

logger = structlog.get_logger("tuban.exports")


def request_export(
    context: Context, viewer: Viewer, alert_filter: AlertFilter, options: ExportOptions, address: str = ""
) -> str:
    """Add an export that a job writes; return its uid.

    Raises:
        SettingsError: the options do not fit, the filter matches too many alerts, or too many exports are waiting.
    """
    options.check()
    now, query = context.clock(), alert_filter.to_query()
    with context.database.read() as session:
        count = count_alerts(session, viewer, alert_filter, MAX_ALERTS + 1)
    if count > MAX_ALERTS:
        message = f"The filter matches more than {MAX_ALERTS} alerts; narrow it by place, date or state."
        raise SettingsError(message, "export.too_many", most=MAX_ALERTS)
    with context.database.write() as session:
        if count_waiting(session, viewer.person_id) >= MAX_WAITING:
            message = f"{MAX_WAITING} of your exports are waiting; wait until one of them is written."
            raise SettingsError(message, "export.waiting", most=MAX_WAITING)
        kept = {name: value for name, value in asdict(options).items() if name != "format"}
        row = add_export(session, viewer.person_id, options.format, kept, query, now)
        detail = {"export": row.uid, "format": options.format, "alerts": count, "filter": query}
        _record(session, viewer.login, "requested_export", row, viewer.code, detail, now, address)
        return row.uid


def write_requested(
    context: Context, export_id: int, progress: Callable[[float], None] = lambda _share: None
) -> Callable[[Session], None]:
    """Write the file of an export; return the function that records it.

    The alerts are those that the user may see when the job runs. A filter or option that cannot be written is a result
    too: the export is ``failed``, with the reason.
    """
    with context.database.read() as session:
        found = export_to_write(session, export_id)
        if found is None:
            return lambda session: None
        row, user = found
        viewer, active = viewer_of(user), user.active
        options = ExportOptions(format=row.format, **row.options)  # type: ignore[arg-type]  # checked when it was added
        key = f"exports/{row.uid}"
        if not active:
            return _failure(context, export_id, Reason("The user was deactivated.", "export.inactive"))
        try:
            alert_filter = AlertFilter.from_query(row.filter, context.settings.zone)
            total = max(count_alerts(session, viewer, alert_filter, MAX_ALERTS), 1)
            with tempfile.TemporaryDirectory(prefix="tuban-export-") as folder:
                path = Path(folder) / FILES[options.format][0]
                written = write_export(
                    context, session, viewer, alert_filter, options, path, lambda count: progress(count / total)
                )
                size, sha256 = path.stat().st_size, file_digest(path)
                context.objects.put(key, path)
        except SettingsError as error:
            return _failure(context, export_id, error.reason)

    def finish(session: Session) -> None:
        now = context.clock()
        row = session.get(ExportRow, export_id, populate_existing=True)
        if row is None or row.state == "deleted":
            return
        row.state, row.finished_at = READY, now
        row.alerts, row.remarks = written.alerts, list(written.remarks)
        row.object_key, row.size, row.sha256 = key, size, sha256
        detail = {"export": row.uid, "alerts": written.alerts, "sha256": sha256}
        _record(session, viewer.login, "exported", row, viewer.code, detail, now, "")

    return finish


def delete_expired_exports(context: Context) -> int:
    """Delete the files of exports older than the setting ``web.export_days``; return their number."""
    before = context.clock() - dt.timedelta(days=context.settings.web.export_days)
    with context.database.write() as session:
        keys = [forget_file(row) for row in expired_exports(session, before)]
    for key in keys:
        context.objects.delete(key)
    if keys:
        logger.info("deleted old exports", exports=len(keys))
    return len(keys)


def delete_export(context: Context, viewer: Viewer, row: ExportRow, address: str = "") -> None:
    """Delete the file of an export of the viewer, or withdraw its job."""
    with context.database.write() as session:
        found = session.get_one(ExportRow, row.id, with_for_update=True)
        key = forget_file(found)
        _record(session, viewer.login, "deleted_export", found, viewer.code, {}, context.clock(), address)
    if key:
        context.objects.delete(key)


def _failure(context: Context, export_id: int, reason: Reason) -> Callable[[Session], None]:
    return lambda session: set_failed(session, export_id, reason, context.clock())


def _record(
    session: Session,
    who: str,
    what: str,
    row: ExportRow,
    code: str,
    detail: dict[str, object],
    now: dt.datetime,
    address: str,
) -> None:
    record_action(
        session, who=who, what=what, about=row.format, code=code, detail={"export": row.uid, **detail}, now=now,
        address=address,
    )  # fmt: skip
