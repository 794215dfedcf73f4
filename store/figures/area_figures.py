"""The figures of an area for a viewer: dashboard, ranking, and the alerts behind each number."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from enforcement.figures.conditions import Moment, meets
from enforcement.figures.dashboard import Dashboard, PeriodFacts, make_dashboard
from enforcement.figures.fact_table import FactTable
from enforcement.figures.indicators import Part, Share, mask_of, read_figures
from enforcement.figures.patrol_weeks import VillageWeek, share_of, village_weeks
from enforcement.figures.period import Period
from enforcement.figures.ranking import DIGITS, Level, Ranking, rank_areas
from errors import SettingsError
from store.access.rights import Viewer, may_see, starts_with, visible_to
from store.areas.areas import area_names
from store.chain_settings import read_chain_values
from store.figures.fact_tables import facts_under
from store.schema.chain.tip_tables import PatrolRow
from store.schema.tables import AlertRow, Area


@dataclass(frozen=True)
class Scope:
    """What figures are about.

    Attributes:
        code: administrative code whose alerts are counted; "": all areas.
        period: of the figures.
        today: local day of now.
        zone: of local days.
    """

    code: str
    period: Period
    today: dt.date
    zone: dt.tzinfo

    @property
    def moment(self) -> Moment:
        """Period and day."""
        return Moment(self.period, self.today)


def scope_for(viewer: Viewer, code: str, period: Period, today: dt.date, zone: dt.tzinfo) -> Scope | None:
    """Return the scope of a request by a viewer; None: the area is not the viewer's.

    A code above the viewer's area means the viewer's area.
    """
    if viewer.code.startswith(code):
        code = viewer.code
    return Scope(code, period, today, zone) if may_see(viewer, code) else None


def levels_of(code: str, counties: int) -> list[Level]:
    """Return the levels of area that can be compared under a code, the highest first.

    Args:
        code: of the area; "": all.
        counties: number of counties under it.
    """
    found: list[Level] = []
    if len(code) < DIGITS["county"] and counties > 1:
        found.append("county")
    if len(code) < DIGITS["township"]:
        found.append("township")
    return [*found, "village"]


class AreaFigures:
    """Figures for one viewer and scope, in one transaction; each is read at most once."""

    def __init__(self, session: Session, viewer: Viewer, scope: Scope) -> None:
        """``scope``: of :func:`scope_for`."""
        self._session, self._viewer, self.scope = session, viewer, scope
        self.figures = read_figures()
        self.values = read_chain_values(session)

    @cached_property
    def areas(self) -> list[tuple[str, str, str]]:
        """Code, name and level of the areas under the scope that the viewer may see, by code."""
        query = select(Area.code, Area.name, Area.level).where(
            visible_to(Area.code, self._viewer), starts_with(Area.code, self.scope.code)
        )
        return [(code, name, level) for code, name, level in self._session.execute(query.order_by(Area.code))]

    @property
    def levels(self) -> list[Level]:
        """Levels that can be compared."""
        return levels_of(self.scope.code, sum(level == "county" for _, _, level in self.areas))

    @property
    def default_level(self) -> Level:
        """Level of the parts of the area: its townships, or the villages of a township."""
        return self.levels[0]

    @property
    def area_name(self) -> str:
        """Name of the area; "": all areas, or unknown."""
        return area_names(self._session, {self.scope.code}).get(self.scope.code, self.scope.code)

    def dashboard(self) -> Dashboard:
        """Return the figures of the area, compared with the period before and the year before."""
        period = self.scope.period
        facts = [self._facts(one) for one in (period, period.previous(), period.year_before())]
        return make_dashboard(facts[0], facts[1], facts[2], self.figures)

    def ranking(self, level: Level) -> Ranking:
        """Rank the areas of a level; alerts outside of loaded areas count in the area that their code names.

        Raises:
            SettingsError: the level is not below the area.
        """
        if level not in self.levels:
            raise SettingsError(
                f"Areas of the level {level} are not below {self.scope.code or 'all areas'}; expected one of "
                f"{', '.join(self.levels)}.",
                "figures.level",
                level=level,
            )
        table = self._table(self.scope.moment)
        names = {code: name for code, name, _ in self.areas if len(code) == DIGITS[level]}
        known = (code for code in table.area_numbers(DIGITS[level])[1] if code.startswith(self.scope.code))
        visible = {code for code in known if may_see(self._viewer, code)} | set(names)
        areas = [(code, names.get(code, code)) for code in sorted(visible)]
        weeks: dict[str, list[VillageWeek]] = {}
        for week in self.village_weeks(self.scope.moment):
            weeks.setdefault(week.code[: DIGITS[level]], []).append(week)
        return rank_areas(
            table,
            self.figures,
            self.scope.moment,
            areas,
            level,
            lambda code: share_of(weeks.get(code, [])),
            self.values,
        )

    def alert_ids(
        self, name: str, part: Part, only: dict[str, str] | None = None, as_of: dt.date | None = None
    ) -> list[int]:
        """Return the ids of the alerts that a figure counts.

        Args:
            name: of a figure, like ``indicators.corrected``.
            part: ``of``: the denominator, or the number itself; ``counted``: the numerator.
            only: ``source`` or ``kind``.
            as_of: last day that counts, if it is not that of the period: the period is one of a trend.

        Raises:
            SettingsError: there is no such figure, or it counts no alerts.
        """
        figure = self.figures.figure(name)
        if figure is None or figure.measure == "patrols":
            raise SettingsError(f"There is no figure of alerts {name[:60]!r}.", "figures.unknown", name=name[:60])
        moment = self.scope.moment
        if as_of is None or as_of >= self.scope.today:
            table = self._table(moment) if as_of is None else self._at(None)
        else:
            moment, table = Moment(self.scope.period, as_of), self._at(as_of)
        mask = mask_of(table, figure, part, moment)
        mask &= meets(table, [{key: value} for key, value in (only or {}).items()], moment)
        return [int(one) for one in np.sort(table.id[mask])]

    def village_weeks(self, moment: Moment) -> list[VillageWeek]:
        """Return the weeks of the villages of the area that were due, with their patrols."""
        villages = [code for code, _, level in self.areas if level == "village"]
        first, last = moment.period.first - dt.timedelta(days=6), moment.due_through
        rows = self._session.execute(
            select(PatrolRow.area_code, PatrolRow.day).where(
                visible_to(PatrolRow.area_code, self._viewer),
                starts_with(PatrolRow.area_code, self.scope.code),
                PatrolRow.day >= first,
                PatrolRow.day <= last,
            )
        )
        patrols = [(code, day) for code, day in rows]
        weeks = village_weeks(villages, patrols, moment, self.values.whole("figures.patrols_per_week"))
        return [week for week in weeks if week.week.last >= self._in_use_since]

    @cached_property
    def _in_use_since(self) -> dt.date:
        """Day of the first patrol or alert of this installation: nothing was due before."""
        patrol = self._session.scalar(select(func.min(PatrolRow.day)))
        alert = self._session.scalar(select(func.min(AlertRow.created_at)))
        days = [patrol, None if alert is None else alert.astimezone(self.scope.zone).date()]
        return min((day for day in days if day is not None), default=self.scope.today)

    def _facts(self, period: Period) -> PeriodFacts:
        moment = Moment(period, self.scope.today)
        patrols: Share = share_of(self.village_weeks(moment))
        return PeriodFacts(moment, self._table(moment), patrols)

    def _table(self, moment: Moment) -> FactTable:
        return self._at(moment.period.last if moment.over else None)

    def _at(self, day: dt.date | None) -> FactTable:
        return facts_under(self._session, self._viewer, self.scope.code, day, self.scope.zone)


@dataclass(frozen=True)
class FigureAlert:
    """An alert behind a number, as it is now."""

    number: str
    kind: str
    source: str
    state: str
    grid_name: str
    area_m2: float
    created_at: dt.datetime
    due_on: dt.date | None


def alerts_by_id(session: Session, ids: Sequence[int]) -> list[FigureAlert]:
    """Return some alerts that the caller may see, in the given order; not more than a page of them."""
    columns = AlertRow.id, AlertRow.number, AlertRow.kind, AlertRow.source, AlertRow.state, AlertRow.grid_code
    rows = session.execute(
        select(*columns, AlertRow.area_m2, AlertRow.created_at, AlertRow.due_on).where(AlertRow.id.in_(ids))
    ).all()
    names = area_names(session, {row.grid_code for row in rows})
    found = {
        row.id: FigureAlert(
            row.number,
            row.kind,
            row.source,
            row.state,
            names.get(row.grid_code, row.grid_code),
            row.area_m2,
            row.created_at,
            row.due_on,
        )
        for row in rows
    }
    return [found[one] for one in ids if one in found]


def child_areas(session: Session, codes: Sequence[str]) -> list[Area]:
    """Return areas with their outlines, by code."""
    found: list[Area] = []
    for start in range(0, len(codes), 500):
        found += session.scalars(select(Area).where(Area.code.in_(codes[start : start + 500])).order_by(Area.code))
    return found
