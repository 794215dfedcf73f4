"""Patrol records: add, list, and count per village and week."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from configs.service import ServiceSettings
from enforcement.patrols.track import Track, simplified
from errors import Reason, SettingsError
from store.access.rights import Viewer, visible_to
from store.areas.areas import area_names
from store.schema.chain.tip_tables import PatrolFinding, PatrolRow
from store.schema.counters import next_number
from store.schema.tables import AlertRow

MAX_FINDINGS = 5
"""Blocks of the form (建设项目)."""

_AREA = re.compile(r"\d{1,7}(\.\d{1,4})?", re.ASCII)

FINDING_FIELDS = ("project", "party", "started", "works", "area_mu", "place", "notice_state")
"""建设项目, 建设单位, 动工时间, 建设情况, 占地面积, 占地位置, 抄告单状态."""

_TRACK_POINTS = 3000


@dataclass(frozen=True)
class NewPatrol:
    """Fields of 巡查日志; names as in :class:`store.schema.chain.tip_tables.PatrolRow`."""

    area_code: str
    day: dt.date
    unit: str = ""
    region: str = ""
    people: str = ""
    route: str = ""
    found: bool = False
    approvals: str = ""
    opinion: str = ""
    remarks: str = ""
    client_id: str | None = None
    findings: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


@dataclass(frozen=True)
class VillageWeek:
    """Patrols of an area in an ISO week: how often, how far, with nothing found, and places found."""

    area_code: str
    area_name: str
    week: str
    patrols: int
    nothing_found: int
    findings: int
    length_m: float
    days: int


def add_patrol(
    session: Session,
    patrol: NewPatrol,
    track: Track | None,
    *,
    track_source: str = "",
    track_key: str = "",
    track_sha256: str = "",
    who: str,
    now: dt.datetime,
    settings: ServiceSettings,
) -> PatrolRow:
    """Add a patrol record; a repeated request with the same ``client_id`` by the same user returns the first one.

    Args:
        session: a write transaction.
        patrol: checked here.
        track: where they went; None: not recorded.
        track_source: gpx or drawn.
        track_key, track_sha256: object and checksum of the received GPX file.
        who: login.
        now: current time.
        settings: time zone.

    Raises:
        SettingsError: a field is invalid.
    """
    today = now.astimezone(settings.zone).date()
    if patrol.client_id is not None:
        existing = session.scalar(select(PatrolRow).where(PatrolRow.client_id == patrol.client_id))
        if existing is not None and existing.created_by == who:
            return existing
        if existing is not None:
            raise SettingsError("This id belongs to another patrol record.", "patrol.id_taken")
    if not today - dt.timedelta(days=366) <= patrol.day <= today:
        raise SettingsError(
            f"The patrol was on {patrol.day}: expected a day of the last year, at most today.",
            "patrol.day",
            day=patrol.day.isoformat(),
        )
    if not patrol.people.strip():
        raise SettingsError("Say who was on patrol.", "patrol.people")
    if patrol.found != bool(patrol.findings):
        raise SettingsError(
            "The record says that something was found, but describes no place; or the reverse.", "patrol.findings"
        )
    if len(patrol.findings) > MAX_FINDINGS:
        raise SettingsError(
            f"{len(patrol.findings)} places; one record holds at most {MAX_FINDINGS}.",
            "patrol.many",
            count=len(patrol.findings),
            most=MAX_FINDINGS,
        )
    for found in patrol.findings:
        area = str(found.get("area_mu") or "").strip()
        if area and not _AREA.fullmatch(area):
            raise SettingsError(
                f"The area taken is {area[:40]!r}: expected a number of mu, like 2.5.", "patrol.area", found=area[:40]
            )
    county = (patrol.area_code[:6] or "0").ljust(6, "0")
    serial = next_number(session, f"patrol:{county}:{patrol.day:%Y}")
    row = PatrolRow(
        number=f"{county}XC{patrol.day:%Y}{serial:05d}",
        client_id=patrol.client_id,
        area_code=patrol.area_code,
        day=patrol.day,
        unit=patrol.unit.strip()[:200],
        region=patrol.region.strip()[:300],
        people=patrol.people.strip()[:300],
        route=patrol.route.strip()[:2000],
        found=patrol.found,
        approvals=patrol.approvals.strip()[:2000],
        opinion=patrol.opinion.strip()[:2000],
        remarks=patrol.remarks.strip()[:2000],
        track=[] if track is None else [[list(point) for point in part] for part in simplified(track, _TRACK_POINTS)],
        track_source=track_source if track is not None else "",
        track_key=track_key,
        track_sha256=track_sha256,
        gaps=[] if track is None else [gap.to_json() for gap in track.gaps],
        length_m=0.0 if track is None else track.length_m,
        started_at=track.started_at if track else None,
        ended_at=track.ended_at if track else None,
        created_by=who,
        created_at=now,
    )
    session.add(row)
    session.flush()
    for number, found in enumerate(patrol.findings, 1):
        fields = {name: str(found[name])[:300] for name in FINDING_FIELDS if str(found.get(name) or "").strip()}
        session.add(PatrolFinding(patrol_id=row.id, sequence=number, fields=fields))
    session.flush()
    return row


def visible_patrol(session: Session, viewer: Viewer, patrol_id: int) -> PatrolRow | None:
    """Return a patrol record that the viewer may see; None: there is none for this viewer."""
    return session.scalar(select(PatrolRow).where(PatrolRow.id == patrol_id, visible_to(PatrolRow.area_code, viewer)))


def list_patrols(
    session: Session, viewer: Viewer, *, area: str = "", before_id: int | None = None, limit: int = 50
) -> list[PatrolRow]:
    """List patrol records, newest first, without their tracks; keyset pagination by ``before_id``."""
    query = select(PatrolRow).where(visible_to(PatrolRow.area_code, viewer))
    if area:
        query = query.where(PatrolRow.area_code.startswith(area, autoescape=True))
    if before_id is not None:
        query = query.where(PatrolRow.id < before_id)
    return list(session.scalars(query.options(defer(PatrolRow.track)).order_by(PatrolRow.id.desc()).limit(limit)))


def findings_of(session: Session, patrol_id: int) -> list[tuple[PatrolFinding, str]]:
    """List the places that a patrol found, each with the number of its alert; "": none."""
    rows = session.execute(
        select(PatrolFinding, AlertRow.number)
        .outerjoin(AlertRow, AlertRow.id == PatrolFinding.alert_id)
        .where(PatrolFinding.patrol_id == patrol_id)
        .order_by(PatrolFinding.sequence)
    )
    return [(finding, number or "") for finding, number in rows]


def patrols_of_alert(session: Session, viewer: Viewer, alert_id: int) -> list[PatrolRow]:
    """List the patrols that found an alert, which the viewer may see, oldest first."""
    query = (
        select(PatrolRow)
        .join(PatrolFinding, PatrolFinding.patrol_id == PatrolRow.id)
        .where(PatrolFinding.alert_id == alert_id, visible_to(PatrolRow.area_code, viewer))
        .options(defer(PatrolRow.track))
    )
    return list(session.scalars(query.order_by(PatrolRow.id)))


def patrol_statistics(session: Session, viewer: Viewer, first: dt.date, last: dt.date) -> list[VillageWeek]:
    """Count the patrols of each area and ISO week from ``first`` to ``last``, by week and code.

    "Nothing found" counts as a patrol. Weeks and areas without any patrol are left out: who reports compares with the
    villages that should have patrolled.
    """
    rows = session.execute(
        select(PatrolRow.id, PatrolRow.area_code, PatrolRow.day, PatrolRow.found, PatrolRow.length_m)
        .where(visible_to(PatrolRow.area_code, viewer), PatrolRow.day >= first, PatrolRow.day <= last)
        .order_by(PatrolRow.day, PatrolRow.id)
    ).all()
    counts: dict[int, int] = defaultdict(int)
    for patrol_id in session.scalars(
        select(PatrolFinding.patrol_id)
        .join(PatrolRow, PatrolRow.id == PatrolFinding.patrol_id)
        .where(visible_to(PatrolRow.area_code, viewer), PatrolRow.day >= first, PatrolRow.day <= last)
    ):
        counts[patrol_id] += 1
    groups: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        year, week, _ = row.day.isocalendar()
        groups[f"{year:04d}-W{week:02d}", row.area_code].append(row)
    names = area_names(session, {code for _, code in groups})
    return [
        VillageWeek(
            code,
            names.get(code, ""),
            week,
            len(patrols),
            sum(not patrol.found for patrol in patrols),
            sum(counts[patrol.id] for patrol in patrols),
            round(sum(patrol.length_m for patrol in patrols), 1),
            len({patrol.day for patrol in patrols}),
        )
        for (week, code), patrols in sorted(groups.items())
    ]


def why_of(patrol: PatrolRow) -> Reason:
    """Return why an alert exists that a patrol found."""
    return Reason(f"found by patrol {patrol.number}", "alert.from_patrol", patrol=patrol.number)
