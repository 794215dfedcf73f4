"""Facts of all alerts of an area at a moment, by a fixed number of statements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from enforcement.deadlines.state_deadlines import read_deadline_rules
from enforcement.figures.alert_facts import AlertFacts, RelatedRecords
from enforcement.figures.facts_from_steps import AlertRecord, DueDays, LoggedStep, facts_of
from enforcement.states import read_states
from store.access.rights import starts_with
from store.deadlines.calendar import calendar_of
from store.schema.chain.deadline_tables import DeadlineLogRow, SupervisionRow
from store.schema.chain.tip_tables import PatrolFinding, PatrolRow, TipRow
from store.schema.tables import AlertRow, Transition
from store.search.alert_filter import ZONE

_ROWS = 5000
_CHUNK = 500

_COLUMNS = (
    AlertRow.id,
    AlertRow.number,
    AlertRow.county_code,
    AlertRow.township_code,
    AlertRow.grid_code,
    AlertRow.kind,
    AlertRow.change_type,
    AlertRow.source,
    AlertRow.first_date,
    AlertRow.area_m2,
    AlertRow.overlaps,
    AlertRow.over_cap,
    AlertRow.created_at,
)


def read_facts(
    session: Session, code: str, until: dt.datetime | None = None, *, zone: dt.tzinfo = ZONE
) -> list[AlertFacts]:
    """Return the facts of all alerts under an administrative code, in the order of their recording.

    State, determination, days and evidence are those of the moment. Outline, areas, layers, official type and the
    responsible area are the present ones.

    Args:
        session: a read transaction.
        code: prefix of the administrative code; "": all.
        until: last moment that counts; None: now. Alerts that were recorded later are left out.
        zone: time zone of local days.
    """
    return list(read_facts_lazily(session, starts_with(AlertRow.grid_code, code), until, zone))


def read_recent_facts(
    session: Session, code: str, until: dt.datetime, since: dt.datetime, *, zone: dt.tzinfo = ZONE
) -> list[AlertFacts]:
    """Return the facts, as of :func:`read_facts`, of the alerts that were open at some time since a moment.

    Left out are those that were decided before and not touched since, whose number grows with the archive.

    Args:
        session: a read transaction.
        code: prefix of the administrative code; "": all.
        until: last moment that counts.
        since: earlier moment.
        zone: time zone of local days.
    """
    touched = select(Transition.alert_id).where(Transition.at > since)
    recent = or_(AlertRow.state.in_(read_states().open), AlertRow.id.in_(touched))
    return list(read_facts_lazily(session, and_(starts_with(AlertRow.grid_code, code), recent), until, zone))


def facts_of_alerts(
    session: Session, alert_ids: Sequence[int], until: dt.datetime | None = None, *, zone: dt.tzinfo = ZONE
) -> list[AlertFacts]:
    """Return the facts of some alerts, as of :func:`read_facts`."""
    found: list[AlertFacts] = []
    for start in range(0, len(alert_ids), _CHUNK):
        found += read_facts_lazily(session, AlertRow.id.in_(alert_ids[start : start + _CHUNK]), until, zone)
    return found


def read_facts_lazily(
    session: Session, which: ColumnElement[bool], until: dt.datetime | None, zone: dt.tzinfo
) -> Iterator[AlertFacts]:
    """Yield the facts of the alerts that meet a condition on their rows, as of :func:`read_facts`."""
    due_days = DueDays(read_states(), read_deadline_rules(), calendar_of(session))
    related = _related(session, which, until)
    logs = _Logs(session, which, until, zone)
    alerts = select(*_COLUMNS).where(which, _up_to(AlertRow.created_at, until)).order_by(AlertRow.id)
    for row in session.execute(alerts).yield_per(_ROWS):
        yield facts_of(_record(row, zone), logs.of(row[0]), due_days, related.get(row[0]))


class _Logs:
    """Steps of alerts, read in parallel with them, in the order of their ids."""

    def __init__(self, session: Session, which: ColumnElement[bool], until: dt.datetime | None, zone: dt.tzinfo):
        query = (
            select(
                Transition.alert_id,
                Transition.sequence,
                Transition.at,
                Transition.who,
                Transition.role,
                Transition.to_state,
                Transition.evidence,
            )
            .join(AlertRow, AlertRow.id == Transition.alert_id)
            .where(which, _up_to(Transition.at, until))
            .order_by(Transition.alert_id, Transition.sequence)
        )
        self._rows: Iterator[Any] = iter(session.execute(query).yield_per(_ROWS))
        self._next: Any = next(self._rows, None)
        self._zone = zone

    def of(self, alert_id: int) -> list[LoggedStep]:
        """Return the steps of an alert; ids have to be asked for in ascending order."""
        log: list[LoggedStep] = []
        while self._next is not None and self._next[0] <= alert_id:
            if self._next[0] == alert_id:
                _, sequence, at, who, role, to_state, evidence = self._next
                day = at.astimezone(self._zone).date()
                log.append(LoggedStep(sequence, at, day, who, role, to_state, evidence or {}))
            self._next = next(self._rows, None)
        return log


def _record(row: Any, zone: dt.tzinfo) -> AlertRecord:
    created: dt.datetime = row[12]
    return AlertRecord(
        alert_id=row[0],
        number=row[1],
        county_code=row[2],
        township_code=row[3],
        grid_code=row[4],
        kind=row[5],
        official_type=row[6],
        source=row[7],
        first_image_day=row[8],
        area_m2=row[9],
        overlaps=row[10] or (),
        over_cap=bool(row[11]),
        created_at=created,
        created_on=created.astimezone(zone).date(),
    )


def _related(session: Session, which: ColumnElement[bool], until: dt.datetime | None) -> dict[int, RelatedRecords]:
    """Return what tips, patrols, the log of deadlines and listed supervision say, by alert; {}: nothing."""
    found: dict[int, dict[str, Any]] = {}
    tips = _of_alerts(TipRow.alert_id, which, TipRow.number).where(_up_to(TipRow.created_at, until))
    for alert_id, number in session.execute(tips.order_by(TipRow.id)):
        _append(found, alert_id, "tips", number)
    patrols = _of_alerts(PatrolFinding.alert_id, which, PatrolRow.number).join(
        PatrolRow, PatrolRow.id == PatrolFinding.patrol_id
    )
    for alert_id, number in session.execute(patrols.where(_up_to(PatrolRow.created_at, until)).order_by(PatrolRow.id)):
        _append(found, alert_id, "patrols", number)
    log = _of_alerts(DeadlineLogRow.alert_id, which, DeadlineLogRow.kind, DeadlineLogRow.to_day).where(
        DeadlineLogRow.kind.in_(("escalated", "went_on")), _up_to(DeadlineLogRow.at, until)
    )
    for alert_id, kind, day in session.execute(log.order_by(DeadlineLogRow.id)):
        if kind == "went_on":
            _append(found, alert_id, "went_on", day)
        else:
            entry = found.setdefault(alert_id, {})
            entry["escalated"] = entry.get("escalated", 0) + 1
    listed = _of_alerts(
        SupervisionRow.alert_id, which, SupervisionRow.listed_on, SupervisionRow.due_on, SupervisionRow.ended_at
    ).where(_up_to(SupervisionRow.listed_at, until))
    for alert_id, listed_on, due_on, ended_at in session.execute(listed.order_by(SupervisionRow.id)):
        in_progress = ended_at is None or (until is not None and ended_at > until)
        found.setdefault(alert_id, {}).update(
            supervised_on=listed_on, supervision_due=due_on, supervision_open=in_progress
        )
    return {alert_id: RelatedRecords(**values) for alert_id, values in found.items()}


def _of_alerts(alert_id: Any, which: ColumnElement[bool], *columns: Any) -> Select[Any]:
    return select(alert_id, *columns).join(AlertRow, AlertRow.id == alert_id).where(which)


def _append(found: dict[int, dict[str, Any]], alert_id: int, name: str, value: Any) -> None:
    entry = found.setdefault(alert_id, {})
    entry[name] = (*entry.get(name, ()), value)


def _up_to(column: InstrumentedAttribute[dt.datetime], until: dt.datetime | None) -> ColumnElement[bool]:
    return true() if until is None else column <= until
