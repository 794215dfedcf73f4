"""What fills reports, read once per moment for many reports: facts of alerts, places, patrols, names of areas."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from enforcement.figures.alert_facts import AlertFacts
from enforcement.overlaps import PLAN
from enforcement.reports.alert_rows import AlertPlace
from enforcement.reports.inspection_rows import Inspection
from store.access.rights import starts_with
from store.figures.read_facts import facts_of_alerts, read_facts, read_recent_facts
from store.schema.chain.layer_tables import Layer
from store.schema.chain.tip_tables import PatrolFinding, PatrolRow, TipRow
from store.schema.tables import AlertRow, Area
from store.views.alert_view import user_names

_CHUNK = 500


class ReportFacts:
    """Facts for reports under one administrative code, each moment read once."""

    def __init__(self, session: Session, code: str, zone: dt.tzinfo) -> None:
        """``code``: prefix of all areas whose reports are filled with it."""
        self.session = session
        self.zone = zone
        self.code = code
        self._at: dict[tuple[dt.datetime, dt.datetime | None], dict[int, AlertFacts]] = {}
        self._patrols: dict[tuple[dt.datetime, dt.datetime], dict[str, int]] = {}
        self._plan_loaded: bool | None = None
        names = select(Area.code, Area.name).where(starts_with(Area.code, code[:6]))
        self.names: dict[str, str] = {area: name for area, name in session.execute(names)}  # noqa: C416

    def at(self, moment: dt.datetime, code: str, since: dt.datetime | None = None) -> dict[int, AlertFacts]:
        """Return the facts at a moment of the alerts under a code, by id.

        Args:
            moment: up to which steps count.
            code: administrative code.
            since: without alerts that were decided before this moment and not touched since; None: all.
        """
        if (moment, since) not in self._at:
            if since is None:
                found = read_facts(self.session, self.code, moment, zone=self.zone)
            else:
                found = read_recent_facts(self.session, self.code, moment, since, zone=self.zone)
            self._at[moment, since] = {facts.alert_id: facts for facts in found}
        kept = self._at[moment, since]
        if code == self.code:
            return kept
        return {key: facts for key, facts in kept.items() if facts.village_code.startswith(code)}

    def of_patrols(self, code: str, first: dt.date, last: dt.date, moment: dt.datetime) -> dict[int, AlertFacts]:
        """Return the facts at a moment of the alerts under a code that patrols of some days found, by id."""
        found = (
            select(PatrolFinding.alert_id)
            .join(PatrolRow, PatrolRow.id == PatrolFinding.patrol_id)
            .where(starts_with(PatrolRow.area_code, code), PatrolRow.day >= first, PatrolRow.day <= last)
            .where(PatrolFinding.alert_id.is_not(None))
        )
        ids = sorted({alert_id for alert_id in self.session.scalars(found) if alert_id is not None})
        facts = facts_of_alerts(self.session, ids, moment, zone=self.zone)
        return {one.alert_id: one for one in facts if one.village_code.startswith(code)}

    def places(self, alert_ids: Collection[int]) -> dict[int, AlertPlace]:
        """Return where alerts lie."""
        if self._plan_loaded is None:
            self._plan_loaded = self.session.scalar(select(Layer.id).where(Layer.kind == PLAN).limit(1)) is not None
        found: dict[int, AlertPlace] = {}
        ids = sorted(alert_ids)
        columns = (AlertRow.id, AlertRow.west, AlertRow.south, AlertRow.east, AlertRow.north, AlertRow.overlaps)
        for start in range(0, len(ids), _CHUNK):
            rows = self.session.execute(select(*columns).where(AlertRow.id.in_(ids[start : start + _CHUNK])))
            for alert_id, west, south, east, north, overlaps in rows:
                centre = (west + east) / 2, (south + north) / 2
                found[alert_id] = AlertPlace(*centre, tuple(overlaps or ()), self._plan_loaded)
        return found

    def patrols(self, code: str, after: dt.datetime, until: dt.datetime) -> dict[str, int]:
        """Count the patrols of each area under a code that were registered in a period."""
        if (after, until) not in self._patrols:
            query = (
                select(PatrolRow.area_code, func.count())
                .where(starts_with(PatrolRow.area_code, self.code))
                .where(PatrolRow.created_at > after, PatrolRow.created_at <= until)
                .group_by(PatrolRow.area_code)
            )
            self._patrols[after, until] = {area: count for area, count in self.session.execute(query)}  # noqa: C416
        return {area: count for area, count in self._patrols[after, until].items() if area.startswith(code)}

    def tips(self, code: str, after: dt.datetime, until: dt.datetime) -> tuple[int, int]:
        """Count the tips received and those answered in a period."""
        under = starts_with(TipRow.area_code, code)
        counts = []
        for column in (TipRow.created_at, TipRow.answered_at):
            query = select(func.count()).select_from(TipRow).where(under, column > after, column <= until)
            counts.append(int(self.session.scalar(query) or 0))
        return counts[0], counts[1]

    def inspections(
        self, code: str, first: dt.date, last: dt.date, facts: Mapping[int, AlertFacts]
    ) -> list[Inspection]:
        """Return the places that patrols found, and the other alerts checked on the ground, in a period."""
        rows = self.session.execute(
            select(
                PatrolRow.id,
                PatrolRow.number,
                PatrolRow.day,
                PatrolRow.unit,
                PatrolRow.people,
                PatrolRow.region,
                PatrolRow.opinion,
                PatrolRow.remarks,
                PatrolFinding.sequence,
                PatrolFinding.fields,
                PatrolFinding.alert_id,
            )
            .join(PatrolFinding, PatrolFinding.patrol_id == PatrolRow.id)
            .where(starts_with(PatrolRow.area_code, code), PatrolRow.day >= first, PatrolRow.day <= last)
            .order_by(PatrolRow.id, PatrolFinding.sequence)
        )
        found: list[Inspection] = []
        seen: set[int] = set()
        for row in rows:
            if row.alert_id is not None:
                seen.add(row.alert_id)
            found.append(
                Inspection(
                    f"{row.number}-{row.sequence}",
                    row.day,
                    row.unit,
                    row.people,
                    row.region,
                    row.number,
                    row.fields or {},
                    row.opinion,
                    row.remarks,
                    facts.get(row.alert_id) if row.alert_id is not None else None,
                    f"/patrols/{row.id}",
                )
            )
        people = user_names(self.session, {one.checked_by for one in facts.values()})
        for alert_id, one in facts.items():
            if alert_id in seen or one.checked_on is None or not first <= one.checked_on <= last:
                continue
            unit = self.names.get(one.township_code, "")
            region = self.names.get(one.village_code, "")
            who, link = people.get(one.checked_by, one.checked_by), f"/alerts/{one.number}"
            day, task = one.checked_on, one.number
            found.append(Inspection(task, day, unit, who, region, task, {}, facts=one, link=link))
        return found
