"""What happens by the clock: the night, the audit, captures, the reaper, the watched folder.

Started by ``python -m workers.runtime.schedule``.

Several schedulers may run: one is the leader, the others wait for it to be silent. Even if two believed to be the leader, each planned
moment is taken once, in the transaction that adds its job.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import structlog
from celery import beat

from configs.service import ServiceSettings, read_service
from service.audit_schedule import add_audit_job, audit_due
from service.camera_jobs import add_capture_job, add_retention_job
from service.capture_schedule import capture_due
from service.context import Context
from service.logs import set_up_logging
from service.night_schedule import night_due
from service.process import exit_with_parent, process_name
from service.publishing import publishing
from service.scan_jobs import add_night_job
from store.cameras.cameras import all_cameras
from store.jobs.processes import record_heartbeat, remove_process, remove_stale_processes
from store.jobs.recovery import has_unpublished_jobs
from store.jobs.schedule_slots import become_leader, claim_slot, resign_leadership
from workers.runtime.celery_app import make_app
from workers.runtime.reaper import BATCH, reap

ROUND_SECONDS = 1.0
LEADER_SECONDS = 60.0
ALIVE_SECONDS = 10.0
WATCH_SECONDS = 5.0
KEEP_PROCESSES = dt.timedelta(days=1)

logger = structlog.get_logger("tuban.schedule")


class PeriodicTasks:
    """One scheduler: looks round again and again at what is due."""

    def __init__(self, context: Context, who: str) -> None:
        """``who``: this process, as ``host:process:schedule``."""
        self.context = context
        self.who = who
        self._alerts = False
        self._alive_at: dt.datetime | None = None
        self._reap_at: dt.datetime | None = None
        self._watch_at: dt.datetime | None = None
        self._night: dt.date | None = None
        self._audit: dt.date | None = None
        self._captures_at: dt.datetime | None = None
        self._forgotten: dt.date | None = None
        self._watching: threading.Thread | None = None

    def once(self) -> bool:
        """Do what is due now; what fails is logged and tried in the next round. True: this scheduler alerts."""
        now = self.context.clock()
        self._guarded("staying alive", lambda: self._say_alive(now))
        if self._alerts:
            self._guarded("the night", lambda: self._begin_night(now))
            self._guarded("the audit", lambda: self._begin_audit(now))
            self._guarded("captures of cameras", lambda: self._capture(now))
            self._guarded("the reaper", lambda: self._reap(now))
            self._guarded("the watched folder", lambda: self._watch(now))
        return self._alerts

    def close(self) -> None:
        """Let another scheduler alert at once."""
        self._guarded("resigning", self._resign)

    def _resign(self) -> None:
        with self.context.database.write() as session:
            resign_leadership(session, self.who)
            remove_process(session, self.who.removesuffix(":schedule"))

    def _guarded(self, what: str, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception:
            logger.exception("%s failed; once more in a moment", what)

    def _say_alive(self, now: dt.datetime) -> None:
        if not _over(self._alive_at, now):
            return
        self._alerts = False
        with self.context.database.write() as session:
            record_heartbeat(session, self.who, "schedule", now)
            remove_stale_processes(session, now - KEEP_PROCESSES)
            self._alerts = become_leader(session, self.who, now, LEADER_SECONDS)
        self._alive_at = now + dt.timedelta(seconds=ALIVE_SECONDS)

    def _begin_night(self, now: dt.datetime) -> None:
        settings = self.context.settings
        day = night_due(now, settings.night.at, settings.zone, settings.night.catch_up_hours)
        if day is None or day == self._night:
            return
        with publishing(self.context.database, settings) as session:
            if claim_slot(session, "night", day.isoformat(), self.who, now):
                add_night_job(session, day, now)
                logger.info("the night begins", day=day.isoformat())
        self._night = day

    def _begin_audit(self, now: dt.datetime) -> None:
        settings = self.context.settings
        if not settings.audit.enabled:
            return
        day = audit_due(now, settings.audit, settings.zone)
        if day == self._audit:
            return
        with publishing(self.context.database, settings) as session:
            if claim_slot(session, "audit", day.isoformat(), self.who, now):
                add_audit_job(session, day, now)
        self._audit = day

    def _capture(self, now: dt.datetime) -> None:
        """Have every camera captured whose time has come; looked at once a minute."""
        if not _over(self._captures_at, now):
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
            self._forget_captures(now)
        if due:
            with publishing(self.context.database, settings) as session:
                for camera_id, slot in due:
                    if claim_slot(session, "capture", f"{camera_id}:{slot}", self.who, now):
                        add_capture_job(session, camera_id, slot, now)
        self._captures_at = now.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)

    def _forget_captures(self, now: dt.datetime) -> None:
        day = now.astimezone(self.context.settings.zone).date()
        if day == self._forgotten:
            return
        with publishing(self.context.database, self.context.settings) as session:
            if claim_slot(session, "old captures", day.isoformat(), self.who, now):
                add_retention_job(session, day, now)
        self._forgotten = day

    def _reap(self, now: dt.datetime) -> None:
        if not _over(self._reap_at, now):
            with self.context.database.read() as session:
                if not has_unpublished_jobs(session, now):
                    return
        self._reap_at = now + dt.timedelta(seconds=self.context.settings.jobs.reap_seconds)
        if reap(self.context) == BATCH:
            self._reap_at = now

    def _watch(self, now: dt.datetime) -> None:
        """In a thread of its own: to take in a large file must not keep the reaper waiting."""
        if not self.context.settings.watch.folder or not _over(self._watch_at, now):
            return
        if self._watching is not None and self._watching.is_alive():
            return
        self._watch_at = now + dt.timedelta(seconds=WATCH_SECONDS)
        self._watching = threading.Thread(
            target=self._guarded, args=("the watched folder", self._look), name="watched folder", daemon=True
        )
        self._watching.start()

    def _look(self) -> None:
        from workers.ingest.watched_folder import look

        look(self.context)


class TubanScheduler(beat.Scheduler):  # type: ignore[misc]
    """Celery's beat, whose entries are not in a file but are what :class:`PeriodicTasks` looks at."""

    rounds: PeriodicTasks

    def setup_schedule(self) -> None:
        """Nothing is kept beside the database."""

    def tick(self, *_: Any, **__: Any) -> float:
        """Look round; returns the seconds until the next time."""
        self.rounds.once()
        return ROUND_SECONDS

    def close(self) -> None:
        """Beat is asked to stop."""
        self.rounds.close()
        super().close()


def run(settings: ServiceSettings) -> None:
    """Look round until asked to stop."""
    context = Context.from_settings(settings)
    if settings.metrics_port:
        from service.metrics import MetricsServer

        MetricsServer(context, settings.metrics_port)
    rounds = PeriodicTasks(context, f"{process_name(os.getpid())}:schedule")
    scheduler = type("TubanScheduler", (TubanScheduler,), {"rounds": rounds})
    service = beat.Service(make_app(settings), scheduler_cls=scheduler)
    for number in (signal.SIGTERM, signal.SIGINT):  # after the round: never in the middle of a transaction
        signal.signal(number, lambda *_: service.stop())
    service.start()


def main(arguments: list[str] | None = None) -> int:
    """The process; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m workers.runtime.schedule", description="Does what happens by the clock."
    )
    parser.add_argument("--parent", type=int, default=0, help="end with this process")
    given = parser.parse_args(arguments)
    if given.parent:
        exit_with_parent(given.parent)
    settings = read_service()
    set_up_logging(settings)
    run(settings)
    return 0


def _over(moment: dt.datetime | None, now: dt.datetime) -> bool:
    return moment is None or now >= moment


if __name__ == "__main__":
    sys.exit(main())
