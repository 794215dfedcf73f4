"""Scheduler process: the night, the audit, camera captures, the reaper and the watched folder.

Started by ``python -m workers.runtime.schedule``. Several schedulers may run: one is the leader, the others take over
when it stops renewing its leadership. Even if two believe they are the leader, each planned time is claimed only once,
in the transaction that adds its job.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from celery import beat

from configs.service import ServiceSettings, read_service
from service.audit_schedule import add_audit_job, audit_due
from service.cameras.jobs import add_capture_job
from service.cameras.jobs import add_retention_job as add_capture_retention_job
from service.cameras.schedule import capture_due
from service.context import Context
from service.images.retention import add_retention_job
from service.layers.administration import add_ended_job
from service.logs import log_version, set_up_logging
from service.messages.schedule import add_daily_job, digest_due
from service.night_schedule import night_due
from service.process import exit_with_parent, process_name
from service.reports.schedule import add_reports_job, reports_due
from service.scan_jobs import add_night_job
from service.sharing.jobs import add_write_job
from store.cameras.cameras import all_cameras
from store.exports.export_rows import add_expire_job
from store.jobs.processes import record_heartbeat, remove_process, remove_stale_processes
from store.jobs.queue import add_job
from store.jobs.recovery import has_unpublished_jobs
from store.jobs.schedule_slots import become_leader, claim_slot, resign_leadership
from workers.runtime.celery_app import make_app
from workers.runtime.reaper import MAX_JOBS, reap

TICK_SECONDS = 1.0
LEADERSHIP_SECONDS = 60.0
HEARTBEAT_SECONDS = 10.0
WATCH_SECONDS = 5.0
CAPTURE_SECONDS = 30.0
MESSAGE_SECONDS = 30.0
CHECK_HOURS = 23.0
KEEP_PROCESSES = dt.timedelta(days=1)

logger = structlog.get_logger("tuban.schedule")


class PeriodicTasks:
    """Tasks of one scheduler, run by the leader when they are due."""

    def __init__(self, context: Context, owner: str, seconds: Callable[[], float] = time.monotonic) -> None:
        """Prepare the tasks.

        Args:
            context: of this process.
            owner: this process, as ``host:process:schedule``.
            seconds: a monotonic clock, for intervals; planned times of day are those of the context's clock.
        """
        self.context = context
        self.owner = owner
        self._seconds = seconds
        self._leading = False
        self._heartbeat_at = -math.inf
        self._reap_at = -math.inf
        self._watch_at = -math.inf
        self._captures_at = -math.inf
        self._messages_at = -math.inf
        self._last_night: dt.date | None = None
        self._last_audit: dt.date | None = None
        self._last_check: dt.date | None = None
        self._last_retention: dt.date | None = None
        self._last_image_retention: dt.date | None = None
        self._last_ended: dt.date | None = None
        self._last_shares: dt.date | None = None
        self._reports_at = -math.inf
        self._last_reports = ""
        self._watch_thread: threading.Thread | None = None

    def run_due(self) -> bool:
        """Run the tasks that are due; failures are logged and retried on the next tick.

        Returns:
            Whether this scheduler is the leader.
        """
        now = self.context.clock()
        self._guarded("the heartbeat", lambda: self._send_heartbeat(now))
        if self._leading:
            self._guarded("the night", lambda: self._plan_night(now))
            self._guarded("the audit", lambda: self._plan_audit(now))
            self._guarded("the check", lambda: self._plan_check(now))
            self._guarded("ended approvals", lambda: self._plan_ended_approvals(now))
            self._guarded("files of receiving bodies", lambda: self._plan_shares(now))
            self._guarded("image retention", lambda: self._plan_image_retention(now))
            self._guarded("the messages of the day", lambda: self._plan_messages(now))
            self._guarded("reports", lambda: self._plan_reports(now))
            self._guarded("camera captures", lambda: self._plan_captures(now))
            self._guarded("the reaper", lambda: self._reap(now))
            self._guarded("the watched folder", self._watch)
        return self._leading

    def close(self) -> None:
        """Resign, so that another scheduler can take over immediately."""
        self._guarded("resigning", self._resign)

    def _resign(self) -> None:
        with self.context.database.write() as session:
            resign_leadership(session, self.owner)
            remove_process(session, self.owner.removesuffix(":schedule"))

    def _guarded(self, task: str, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception:
            logger.exception("%s failed; retrying", task)

    def _send_heartbeat(self, now: dt.datetime) -> None:
        if self._seconds() < self._heartbeat_at:
            return
        self._leading = False
        with self.context.database.write() as session:
            record_heartbeat(session, self.owner, "schedule", now)
            remove_stale_processes(session, now - KEEP_PROCESSES)
            self._leading = become_leader(session, self.owner, now, LEADERSHIP_SECONDS)
        self._heartbeat_at = self._seconds() + HEARTBEAT_SECONDS

    def _plan_night(self, now: dt.datetime) -> None:
        settings = self.context.settings
        day = night_due(now, settings.night.at, settings.zone, settings.night.catch_up_hours)
        if day is None or day == self._last_night:
            return
        with self.context.database.write() as session:
            if claim_slot(session, "night", day.isoformat(), self.owner, now):
                add_night_job(session, day, now)
                logger.info("night planned", day=day.isoformat())
        self._last_night = day

    def _plan_audit(self, now: dt.datetime) -> None:
        settings = self.context.settings
        if not settings.audit.enabled:
            return
        day = audit_due(now, settings.audit, settings.zone)
        if day == self._last_audit:
            return
        with self.context.database.write() as session:
            if claim_slot(session, "audit", day.isoformat(), self.owner, now):
                add_audit_job(session, day, now)
        self._last_audit = day

    def _plan_check(self, now: dt.datetime) -> None:
        """Add the nightly check of stored objects, rows and hash chains."""
        settings = self.context.settings
        day = night_due(now, settings.check.at, settings.zone, CHECK_HOURS) if settings.check.enabled else None
        if day is None or day == self._last_check:
            return
        with self.context.database.write() as session:
            if claim_slot(session, "check", day.isoformat(), self.owner, now):
                key = f"objects:check:{day}"
                add_job(session, kind="objects.check", queue="ingest", payload={}, unique_key=key, now=now)
        self._last_check = day

    def _plan_messages(self, now: dt.datetime) -> None:
        """Add the job that escalates overdue alerts and writes the digest; its time is a setting of the pages."""
        if self._seconds() < self._messages_at:
            return
        with self.context.database.read() as session:
            day = digest_due(session, now, self.context.settings)
        if day is not None:
            with self.context.database.write() as session:
                if claim_slot(session, "messages", day.isoformat(), self.owner, now):
                    add_daily_job(session, day, now)
        self._messages_at = self._seconds() + MESSAGE_SECONDS

    def _plan_reports(self, now: dt.datetime) -> None:
        """Add the job of the hour that plans and fills reports."""
        if self._seconds() < self._reports_at:
            return
        with self.context.database.read() as session:
            hour = reports_due(session, now, self.context.settings.zone)
        if hour is not None and hour != self._last_reports:
            with self.context.database.write() as session:
                if claim_slot(session, "reports", hour, self.owner, now):
                    add_reports_job(session, hour, now)
            self._last_reports = hour
        self._reports_at = self._seconds() + MESSAGE_SECONDS

    def _plan_captures(self, now: dt.datetime) -> None:
        """Add capture jobs for all cameras that are due; checked every half minute."""
        if self._seconds() < self._captures_at:
            return
        settings = self.context.settings
        with self.context.database.read() as session:
            cameras = all_cameras(session)
            due = [
                (camera.id, slot)
                for camera in cameras
                if camera.active
                and (slot := capture_due(now, camera.times, settings.zone, settings.cameras.late_minutes))
            ]
        if cameras:
            self._plan_retention(now)
        if due:
            with self.context.database.write() as session:
                for camera_id, slot in due:
                    if claim_slot(session, "capture", f"{camera_id}:{slot}", self.owner, now):
                        add_capture_job(session, camera_id, slot, now)
        self._captures_at = self._seconds() + CAPTURE_SECONDS

    def _plan_ended_approvals(self, now: dt.datetime) -> None:
        """Add the daily job that returns alerts whose approvals have ended, at the beginning of a local day."""
        day = now.astimezone(self.context.settings.zone).date()
        if day == self._last_ended:
            return
        with self.context.database.write() as session:
            if claim_slot(session, "ended approvals", day.isoformat(), self.owner, now):
                add_ended_job(session, day, now)
        self._last_ended = day

    def _plan_shares(self, now: dt.datetime) -> None:
        """Add the daily job that writes the files of receiving bodies, at the beginning of a local day."""
        day = now.astimezone(self.context.settings.zone).date()
        if day == self._last_shares:
            return
        with self.context.database.write() as session:
            if claim_slot(session, "shares", day.isoformat(), self.owner, now):
                add_write_job(session, day.isoformat(), now)
        self._last_shares = day

    def _plan_image_retention(self, now: dt.datetime) -> None:
        """Add the daily job that deletes images beyond the limits of the settings."""
        day = now.astimezone(self.context.settings.zone).date()
        if not self.context.settings.retention.limited or day == self._last_image_retention:
            return
        with self.context.database.write() as session:
            if claim_slot(session, "old images", day.isoformat(), self.owner, now):
                add_retention_job(session, day, now)
        self._last_image_retention = day

    def _plan_retention(self, now: dt.datetime) -> None:
        """Add the daily jobs that delete old captures and exports."""
        day = now.astimezone(self.context.settings.zone).date()
        if day == self._last_retention:
            return
        with self.context.database.write() as session:
            if claim_slot(session, "old captures", day.isoformat(), self.owner, now):
                add_capture_retention_job(session, day, now)
                add_expire_job(session, day, now)
        self._last_retention = day

    def _reap(self, now: dt.datetime) -> None:
        if self._seconds() < self._reap_at:
            with self.context.database.read() as session:
                if not has_unpublished_jobs(session, now):
                    return
        self._reap_at = self._seconds() + self.context.settings.jobs.reap_seconds
        if reap(self.context) == MAX_JOBS:
            self._reap_at = self._seconds()

    def _watch(self) -> None:
        """Poll the watched folder on a thread, because copying a large file must not delay the reaper."""
        if not self.context.settings.watch.folder or self._seconds() < self._watch_at:
            return
        if self._watch_thread is not None and self._watch_thread.is_alive():
            return
        self._watch_at = self._seconds() + WATCH_SECONDS
        self._watch_thread = threading.Thread(
            target=self._guarded, args=("the watched folder", self._poll_folder), name="watched folder", daemon=True
        )
        self._watch_thread.start()

    def _poll_folder(self) -> None:
        from workers.ingest.watched_folder import poll_watched_folder

        poll_watched_folder(self.context)


class TubanScheduler(beat.Scheduler):  # type: ignore[misc]
    """Celery beat scheduler that runs :class:`PeriodicTasks` instead of entries of a schedule file."""

    tasks: PeriodicTasks

    def setup_schedule(self) -> None:
        """Do nothing: the state is in the database."""

    def tick(self, *_: Any, **__: Any) -> float:
        """Run the tasks that are due; return the seconds until the next tick."""
        self.tasks.run_due()
        return TICK_SECONDS

    def close(self) -> None:
        """Resign when beat stops."""
        self.tasks.close()
        super().close()


def run(settings: ServiceSettings) -> None:
    """Run the scheduler until it is stopped."""
    context = Context.from_settings(settings)
    if settings.metrics_port:
        from service.metrics import MetricsServer

        MetricsServer(context, settings.metrics_port)
    tasks = PeriodicTasks(context, f"{process_name(os.getpid())}:schedule")
    scheduler = type("TubanScheduler", (TubanScheduler,), {"tasks": tasks})
    service = beat.Service(make_app(settings), scheduler_cls=scheduler)
    for number in (signal.SIGTERM, signal.SIGINT):  # stop after the current tick, never within a transaction
        signal.signal(number, lambda *_: service.stop())
    service.start()


def main(arguments: list[str] | None = None) -> int:
    """Run the scheduler process; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers.runtime.schedule", description="Run scheduled tasks.")
    parser.add_argument("--parent", type=int, default=0, help="exit when the process with this pid ends")
    options = parser.parse_args(arguments)
    if options.parent:
        exit_with_parent(options.parent)
    settings = read_service()
    set_up_logging(settings)
    log_version("schedule")
    run(settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
