"""Problems of the whole service, found from any of its processes: for `tuban status`, health checks and metrics."""

from __future__ import annotations

import datetime as dt
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from configs.service import ServiceSettings
from errors import Reason, TubanError
from service.broker import UNREACHABLE, queue_lengths, redacted_address
from service.context import Context
from service.night_schedule import local_time_to_utc, night_due
from store.deadlines.calendar import missing_holidays
from store.jobs.queue import list_jobs
from store.scans.nights import night_summary, recent_nights
from store.schema.database import Session
from store.schema.database_errors import DatabaseError
from store.views.statistics import ALIVE_SECONDS, ServiceStatistics, read_statistics

PROBLEM_KINDS = (
    *("database", "broker", "objects", "disk", "workers", "schedule"),
    *("night_missing", "night_failed"),
)
"""Kinds of problems; the label ``problem`` of the metric ``tuban_problem``."""

NIGHT_LATE = dt.timedelta(hours=1)
"""A night is missing if it was not planned this long after its time; while the service was down, it is planned late."""

RECHECK_SECONDS = 5.0
"""How long the answer of the broker and of the object store is reused, since anybody may request ``/health/ready``."""

_PROBE_KEY = "check/health"  # of an object that does not exist


@dataclass(frozen=True)
class ServiceProblem:
    """A problem.

    Attributes:
        kind: one of :data:`PROBLEM_KINDS`, or ``calendar``.
        reason: what was found and what to do.
    """

    kind: str
    reason: Reason


def find_problems(context: Context) -> list[ServiceProblem]:
    """Return the problems of the service; empty: all is well."""
    problems = _disk_problems(context.settings)
    try:
        with context.database.read() as session:
            now = context.clock()
            statistics = read_statistics(session, now, alive_seconds(context.settings))
            problems += _process_problems(statistics, context.settings)
            problems += _night_problems(session, context.settings, now)
    except DatabaseError as error:
        cause = cause_of(error)
        message = f"The database does not answer: {cause}."
        problems.append(ServiceProblem("database", Reason(message, "problem.database", cause=cause)))
    for kind, check in (("broker", _broker_fault), ("objects", _objects_fault)):
        fault = _Recent.fault(kind, context, check)
        if fault is not None:
            problems.append(ServiceProblem(kind, fault))
    return sorted(problems, key=lambda problem: PROBLEM_KINDS.index(problem.kind))


def find_warnings(context: Context) -> list[ServiceProblem]:
    """Return what a person has to do although the service works: the calendar lacks the holidays of a year."""
    try:
        with context.database.read() as session:
            year = missing_holidays(session, context.today)
    except DatabaseError:
        return []  # a problem of its own
    if year is None:
        return []
    message = (
        f"The calendar lacks the public holidays of {year}: deadlines across them are too early. "
        "Enter them on the page Calendar."
    )
    return [ServiceProblem("calendar", Reason(message, "problem.calendar", year=year))]


def alive_seconds(settings: ServiceSettings) -> float:
    """Return the age of a heartbeat from which its process is considered stopped."""
    return max(ALIVE_SECONDS, 2 * settings.jobs.heartbeat_seconds)


def cause_of(error: BaseException) -> str:
    """Return the first line of an error, of the database's own one if there is one."""
    text = str(getattr(error, "orig", None) or error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__


def _disk_problems(settings: ServiceSettings) -> list[ServiceProblem]:
    required = settings.limits.intake_mib
    folders = [settings.home.resolve(), settings.drop_folder]
    if "://" not in settings.objects_url:
        folders.append(Path(settings.objects_url))
    problems = []
    for folder in dict.fromkeys(folders):
        existing = next((each for each in (folder, *folder.parents) if each.is_dir()), folder)
        try:
            free = shutil.disk_usage(existing).free // 2**20
        except OSError:
            free = 0
        if free < required:
            stopped = settings.limits.free_disk_mib > free
            what = "Intake and scans are stopped" if stopped else "Intake is stopped"
            message = (
                f"{free} MiB are free in {folder}; {required} are needed. {what}; pages, decisions and deliveries "
                "continue. Free some space, or lower the limit."
            )
            values = {"free": free, "folder": str(folder), "required": required}
            reason = (
                Reason(message, "problem.disk_scans", **values)
                if stopped
                else Reason(message, "problem.disk", **values)
            )
            problems.append(ServiceProblem("disk", reason))
    return problems[:1]


def _process_problems(statistics: ServiceStatistics, settings: ServiceSettings) -> list[ServiceProblem]:
    seconds = alive_seconds(settings)
    found = []
    if not statistics.processes.get("worker"):
        message = f"No worker was seen within {seconds:g} seconds: start `tuban up`."
        found.append(ServiceProblem("workers", Reason(message, "problem.workers", seconds=seconds)))
    if not statistics.processes.get("schedule"):
        message = f"The schedule was not seen within {seconds:g} seconds: no night is planned. Start `tuban up`."
        found.append(ServiceProblem("schedule", Reason(message, "problem.schedule", seconds=seconds)))
    return found


def _night_problems(session: Session, settings: ServiceSettings, now: dt.datetime) -> list[ServiceProblem]:
    day = night_due(now, settings.night.at, settings.zone, catch_up_hours=24)
    nights = recent_nights(session, 2)
    if day is None:
        return []
    planning = list_jobs(session, state="dead", kind="night.plan", limit=20)
    failed = next((job for job in planning if job.payload.get("day") == day.isoformat()), None)
    if failed is not None:
        message = f"The night of {day} could not be planned: {failed.error} `tuban revive {failed.id}` tries again."
        reason = Reason(message, "problem.night_failed", day=day.isoformat(), cause=failed.error, job=failed.id)
        return [ServiceProblem("night_failed", reason)]
    night = next((night for night in nights if night.day == day), None)
    if night is None:
        late = now - local_time_to_utc(day, settings.night.at, settings.zone) >= NIGHT_LATE
        if not late or not nights:  # a new installation has had no night yet
            return []
        message = f"The night of {day} was not planned. `tuban night --now` plans one."
        return [ServiceProblem("night_missing", Reason(message, "problem.night_missing", day=day.isoformat()))]
    states = night_summary(session, night)["states"]
    scans = sum(states.values())
    if states.get("failed"):
        failures = f"{states['failed']} of {scans} scans failed"
        message = f"In the night of {day}, {failures}. `tuban jobs --state dead` lists them."
        reason = Reason(message, "problem.night_scans", day=day.isoformat(), failed=states["failed"], scans=scans)
        return [ServiceProblem("night_failed", reason)]
    return []


def _broker_fault(context: Context) -> Reason | None:
    address = redacted_address(context.settings)
    try:
        if not context.settings.embedded_broker or Path(address).is_dir():  # `tuban up` creates the folder
            queue_lengths(context.settings)
    except UNREACHABLE as error:
        cause = cause_of(error)
        return Reason(
            f"The broker {address} does not answer: {cause}. Jobs wait in the database.",
            "problem.broker",
            address=address,
            cause=cause,
        )
    return None


def _objects_fault(context: Context) -> Reason | None:
    try:
        context.objects.exists(_PROBE_KEY)
    except (TubanError, OSError) as error:
        cause = cause_of(error)
        return Reason(f"The object store does not answer: {cause}.", "problem.objects", cause=cause)
    return None


class _Recent:
    """Answers of the last seconds, by kind and settings."""

    _lock = threading.Lock()
    _answers: dict[tuple[str, int], tuple[float, Reason | None]] = {}  # noqa: RUF012  (one per process)

    @classmethod
    def fault(cls, kind: str, context: Context, check: Callable[[Context], Reason | None]) -> Reason | None:
        key = (kind, id(context))
        with cls._lock:  # also: one check at a time
            at, fault = cls._answers.get(key, (float("-inf"), None))
            if time.monotonic() - at > RECHECK_SECONDS:
                fault = check(context)
                cls._answers[key] = (time.monotonic(), fault)
        return fault
