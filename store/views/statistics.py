"""Statistics of the service, counted in the database, for ``tuban status`` and the metrics."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from store.alerts.audit import AuditStatistics, last_audit
from store.cameras.cameras import all_cameras
from store.cameras.captures import latest_captures
from store.integrity.damage import damaged_objects, last_check
from store.jobs.job_counts import count_jobs
from store.jobs.processes import list_processes
from store.jobs.queue import QueueStatistics, queue_statistics
from store.schema.tables import AlertRow, BatchFile, Delivery, Night, Scan

RATE_HOURS = 24
"""Period over which the scan rate is measured, hours."""

ALIVE_SECONDS = 60
"""Processes without a heartbeat for longer than this are not counted."""


@dataclass(frozen=True)
class ScanStatistics:
    """Recent scans.

    Attributes:
        hours: length of the period.
        scans: number of successful scans in it.
        km2: area compared.
        megapixels: the same in megapixels at the resolution of comparison.
        busy_hours: time from start to end of these scans, waits included; concurrent scans count once.
    """

    hours: float
    scans: int
    km2: float
    megapixels: float
    busy_hours: float

    @property
    def km2_per_hour(self) -> float:
        """Rate over the busy hours."""
        return self.km2 / self.busy_hours if self.busy_hours else 0.0

    @property
    def megapixels_per_hour(self) -> float:
        """Rate over the busy hours."""
        return self.megapixels / self.busy_hours if self.busy_hours else 0.0


@dataclass(frozen=True)
class TargetStatistics:
    """Deliveries to one target.

    Attributes:
        target: ``queue``, ``drop``, or a hook without its query string, which may contain a key.
        waiting: number of deliveries not yet sent.
        dead: number of deliveries that failed permanently and need a user.
        delivered: total number of deliveries sent.
        oldest_seconds: age of the oldest waiting or dead delivery.
    """

    target: str
    waiting: int
    dead: int
    delivered: int
    oldest_seconds: float


@dataclass(frozen=True)
class NightStatistics:
    """The latest night: local day, state (planning, scanning, done), start and end."""

    day: dt.date
    state: str
    begun_at: dt.datetime
    finished_at: dt.datetime | None


@dataclass(frozen=True)
class CameraStatistics:
    """State of one camera, since when and why, and the time of its latest capture."""

    name: str
    state: str
    since: dt.datetime
    error: str
    captured_at: dt.datetime | None


@dataclass(frozen=True)
class IntegrityStatistics:
    """Known damage.

    Attributes:
        checked_at: end of the last check; None: there was none.
        damaged: number of objects that are missing or damaged.
        first: a sentence about the first of them; "": none.
        problems: problems of rows and logs that the last check found.
    """

    checked_at: dt.datetime | None
    damaged: int
    first: str
    problems: tuple[str, ...]


@dataclass(frozen=True)
class ServiceStatistics:
    """All statistics of the service.

    Attributes:
        queues: waiting, running and dead jobs of each queue, and the age of the oldest.
        jobs: number of jobs by kind and state.
        scans: number of scans by state.
        lately: rate of recent scans.
        files: number of files of batches by state.
        alerts: number of alerts by state and kind.
        targets: deliveries by target.
        processes: number of live processes by part.
        night: the latest night.
        cameras: active cameras, by name.
        audit: the latest audit of all alerts' logs.
        integrity: damage of stored objects, rows and logs.
    """

    queues: tuple[QueueStatistics, ...]
    jobs: dict[tuple[str, str], int]
    scans: dict[str, int]
    lately: ScanStatistics
    files: dict[str, int]
    alerts: dict[tuple[str, str], int]
    targets: tuple[TargetStatistics, ...]
    processes: dict[str, int]
    night: NightStatistics | None
    cameras: tuple[CameraStatistics, ...] = ()
    audit: AuditStatistics | None = None
    integrity: IntegrityStatistics | None = None


def read_statistics(session: Session, now: dt.datetime, alive_seconds: float = ALIVE_SECONDS) -> ServiceStatistics:
    """Compute all statistics.

    Args:
        session: a read transaction.
        now: current time.
        alive_seconds: processes without a heartbeat for longer than this are not counted.
    """
    return ServiceStatistics(
        queues=tuple(queue_statistics(session, now)),
        jobs=count_jobs(session),
        scans=_by_state(session, Scan.state),
        lately=scan_statistics(session, now),
        files=_by_state(session, BatchFile.state),
        alerts={
            (state, kind): count
            for state, kind, count in session.execute(
                select(AlertRow.state, AlertRow.kind, func.count()).group_by(AlertRow.state, AlertRow.kind)
            )
        },
        targets=target_statistics(session, now),
        processes=Counter(row.part for row in list_processes(session, now - dt.timedelta(seconds=alive_seconds))),
        night=_last_night(session),
        cameras=camera_statistics(session),
        audit=last_audit(session),
        integrity=integrity_statistics(session),
    )


def integrity_statistics(session: Session) -> IntegrityStatistics:
    """Summarize the last check and the objects known to be damaged."""
    check, damaged = last_check(session), damaged_objects(session)
    return IntegrityStatistics(
        None if check is None else check.finished_at,
        len(damaged),
        damaged[0].detail if damaged else "",
        () if check is None else tuple(map(str, check.problems)),
    )


def camera_statistics(session: Session) -> tuple[CameraStatistics, ...]:
    """List the states of the active cameras."""
    cameras = [camera for camera in all_cameras(session) if camera.active]
    last = latest_captures(session, [camera.id for camera in cameras])
    return tuple(
        CameraStatistics(
            camera.name,
            camera.state,
            camera.state_since or camera.created_at,
            camera.error,
            last[camera.id].taken_at if camera.id in last else None,
        )
        for camera in cameras
    )


def scan_statistics(session: Session, now: dt.datetime, hours: float = RATE_HOURS) -> ScanStatistics:
    """Measure the successful scans of the last ``hours``."""
    rows = session.execute(
        select(Scan.result, Scan.started_at, Scan.finished_at, Scan.created_at)
        .where(Scan.state == "done", Scan.finished_at > now - dt.timedelta(hours=hours))
        .order_by(Scan.finished_at)
    ).all()
    area_m2 = pixels = 0.0
    spans: list[tuple[dt.datetime, dt.datetime]] = []
    for result, started, finished, created in rows:
        compared = float((result.get("looked_at") or {}).get("area_m2") or 0)
        resolution = (result.get("grid") or {}).get("resolution_m")
        area_m2 += compared
        pixels += compared / float(resolution) ** 2 if resolution else 0
        if finished is not None:
            spans.append((started or created, finished))
    return ScanStatistics(hours, len(rows), area_m2 / 1e6, pixels / 1e6, _covered_seconds(spans) / 3600)


def target_statistics(session: Session, now: dt.datetime) -> tuple[TargetStatistics, ...]:
    """Count the deliveries of each target, sorted by target."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    since: dict[str, dt.datetime] = {}
    rows = session.execute(
        select(Delivery.target, Delivery.state, func.count(), func.min(Delivery.created_at)).group_by(
            Delivery.target, Delivery.state
        )
    )
    for target, state, count, oldest in rows:
        name = shown_target(target)
        counts[name][state] += count
        if state in ("waiting", "dead"):
            since[name] = min(since.get(name, oldest), oldest)
    return tuple(
        TargetStatistics(
            target,
            counted["waiting"],
            counted["dead"],
            counted["delivered"],
            max((now - since[target]).total_seconds(), 0.0) if target in since else 0.0,
        )
        for target, counted in sorted(counts.items())
    )


def shown_target(target: str) -> str:
    """Return the display name of a target: a hook without its query string, which may contain a key."""
    if not target.startswith("hook:"):
        return target
    parts = urlsplit(target.removeprefix("hook:"))
    return f"hook:{parts.scheme}://{parts.netloc}{parts.path}"


def _by_state(session: Session, state: InstrumentedAttribute[str]) -> dict[str, int]:
    rows = session.execute(select(state, func.count()).group_by(state).order_by(state))
    return {name: count for name, count in rows}  # noqa: C416  (rows are no pairs to a type checker)


def _last_night(session: Session) -> NightStatistics | None:
    night = session.scalar(select(Night).order_by(Night.day.desc()).limit(1))
    return None if night is None else NightStatistics(night.day, night.state, night.begun_at, night.finished_at)


def _covered_seconds(spans: list[tuple[dt.datetime, dt.datetime]]) -> float:
    """Return the length of the union of time spans, seconds."""
    covered, until = 0.0, None
    for begin, end in sorted(spans):
        if until is None or begin > until:
            covered += (end - begin).total_seconds()
            until = end
        elif end > until:
            covered += (end - until).total_seconds()
            until = end
    return covered
