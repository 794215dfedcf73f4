"""API of figures: the numbers of the dashboard and the ranking as JSON, and the alerts behind each."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from enforcement.figures.indicators import Figures, Indicator, Share
from enforcement.figures.ranking import AreaRank, Level
from store.figures.area_figures import AreaFigures, alerts_by_id
from web.api.schemas import COMMON_ERRORS, NOT_FOUND
from web.auth.authentication import CurrentUser, Service
from web.figures.requested_figures import Requested, RequestedFigures
from web.plain_text import Plain

router = APIRouter(prefix="/api/figures", tags=["figures"], responses=COMMON_ERRORS | NOT_FOUND)


class FigurePeriod(BaseModel):
    """The period of figures and the area that they are about."""

    area: Annotated[str, Field(description="administrative code; empty: all areas")]
    area_name: str
    period: str
    first: dt.date
    last: dt.date
    as_of: Annotated[dt.date, Field(description="last day that counts")]


class FigureNumber(BaseModel):
    """A number of alerts. `figure` is a parameter of `/api/figures/alerts`."""

    figure: str
    zh: str
    en: str
    value: int
    before: Annotated[int | None, Field(description="in the period before; null: not compared")] = None


class FigureShare(BaseModel):
    """A share; `value` is null where the denominator is 0."""

    numerator: float
    denominator: float
    value: float | None


class FigureIndicator(FigureShare):
    """An indicator with its definition."""

    figure: str
    zh: str
    en: str
    measure: Annotated[str, Field(description="alerts, area or farmland (mu), patrols (weeks of villages)")]
    direction: str
    target: float
    weight: float
    before: FigureShare
    year_before: FigureShare


class FalseAlerts(FigureShare):
    """Share of false alerts of one source or kind."""

    key: str


class TrendPeriod(BaseModel):
    """Numbers of one week or month, by figure."""

    period: str
    first: dt.date
    last: dt.date
    numbers: dict[str, int]


class DashboardFigures(FigurePeriod):
    """The figures of an area in a period."""

    totals: list[FigureNumber]
    funnel: list[FigureNumber]
    trend: list[TrendPeriod]
    indicators: list[FigureIndicator]
    false_by_source: list[FalseAlerts]
    false_by_kind: list[FalseAlerts]


class InterviewProposal(BaseModel):
    """A rule of `indicators.yaml` that an area meets, with its value and limit."""

    rule: str
    zh: str
    en: str
    value: float
    limit: float


class RankedArea(BaseModel):
    """An area in the ranking; without a rank where nothing could be counted."""

    code: str
    name: str
    rank: int | None
    score: float | None
    found: int
    confirmed: int
    confirmed_mu: float
    indicators: dict[str, FigureShare]
    points: dict[str, float | None]
    interview: list[InterviewProposal]


class RankingFigures(FigurePeriod):
    """The parts of an area, the best first."""

    level: Level
    areas: list[RankedArea]


class CountedAlert(BaseModel):
    """An alert that a number counts."""

    number: str
    kind: str
    source: str
    state: str


class CountedAlerts(FigurePeriod):
    """The alerts of a number: `count` in all, those of one page in `alerts`."""

    count: int
    alerts: list[CountedAlert]


@router.get("/dashboard", response_model=DashboardFigures)
def dashboard_figures(context: Service, viewer: CurrentUser, requested: Requested) -> dict[str, Any]:
    """Return the figures of an area and a period, compared with the period before and the year before."""
    with context.database.read() as session:
        found = AreaFigures(session, viewer, requested.scope)
        dashboard, figures = found.dashboard(), found.figures
        about = _about(requested, found)
    return about | {
        "totals": [
            _number(figures, f"totals.{one.name}", one.value) | {"before": one.before} for one in dashboard.totals
        ],
        "funnel": [_number(figures, f"funnel.{one.name}", one.value) for one in dashboard.funnel],
        "trend": [
            {
                "period": period.name,
                "first": period.first,
                "last": period.last,
                "numbers": {name: values[number] for name, values in dashboard.trend.series.items()},
            }
            for number, period in enumerate(dashboard.trend.periods)
        ],
        "indicators": [
            _indicator(one.name, figures.indicators[one.name])
            | _share(one.share)
            | {"before": _share(one.before), "year_before": _share(one.year_before)}
            for one in dashboard.indicators
        ],
        "false_by_source": [{"key": one.key} | _share(one.share) for one in dashboard.false_by_source],
        "false_by_kind": [{"key": one.key} | _share(one.share) for one in dashboard.false_by_kind],
    }


@router.get("/ranking", response_model=RankingFigures)
def ranking_figures(
    context: Service, viewer: CurrentUser, requested: Requested, level: Level | None = None
) -> dict[str, Any]:
    """Return the ranking of the parts of an area; `level` by default that below the area."""
    with context.database.read() as session:
        found = AreaFigures(session, viewer, requested.scope)
        ranking = found.ranking(level or found.default_level)
        about, figures = _about(requested, found), found.figures
    return about | {"level": ranking.level, "areas": [_ranked(row, figures) for row in ranking.areas]}


@router.get("/alerts", response_model=CountedAlerts)
def counted_alerts(
    context: Service,
    viewer: CurrentUser,
    requested: Requested,
    figure: Annotated[str, Query(max_length=60, description="like totals.open or indicators.corrected"), Plain],
    part: Annotated[
        Literal["of", "counted"], Query(description="of an indicator: its denominator or numerator")
    ] = "of",
    source: Annotated[str, Query(max_length=40), Plain] = "",
    kind: Annotated[str, Query(max_length=40), Plain] = "",
    as_of: Annotated[dt.date | None, Query(description="last day that counts; default: the end of the period")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    skip: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> dict[str, Any]:
    """Return the alerts that a number counts, in the order of their recording."""
    only = {name: value for name, value in (("source", source), ("kind", kind)) if value}
    with context.database.read() as session:
        found = AreaFigures(session, viewer, requested.scope)
        ids = found.alert_ids(figure, part, only, as_of)
        rows = alerts_by_id(session, ids[skip : skip + limit])
        about = _about(requested, found)
    alerts = [{"number": r.number, "kind": r.kind, "source": r.source, "state": r.state} for r in rows]
    return about | {"count": len(ids), "alerts": alerts}


def _about(requested: RequestedFigures, found: AreaFigures) -> dict[str, Any]:
    period = requested.period
    return {
        "area": requested.scope.code,
        "area_name": found.area_name,
        "period": period.name,
        "first": period.first,
        "last": period.last,
        "as_of": requested.scope.moment.as_of,
    }


def _number(figures: Figures, name: str, value: int) -> dict[str, Any]:
    figure = figures.figure(name)
    assert figure is not None
    return {"figure": name, "zh": figure.zh, "en": figure.en, "value": value}


def _indicator(name: str, indicator: Indicator) -> dict[str, Any]:
    definition = indicator.model_dump(include={"zh", "en", "measure", "direction", "target", "weight"})
    return {"figure": f"indicators.{name}", **definition}


def _share(share: Share) -> dict[str, Any]:
    return {"numerator": share.numerator, "denominator": share.denominator, "value": share.value}


def _ranked(row: AreaRank, figures: Figures) -> dict[str, Any]:
    interview = [
        {
            "rule": reason.rule,
            "zh": figures.interview[reason.rule].zh,
            "en": figures.interview[reason.rule].en,
            "value": reason.value,
            "limit": reason.limit,
        }
        for reason in row.interview
    ]
    return {
        "code": row.code,
        "name": row.name,
        "rank": row.rank,
        "score": row.score,
        "found": row.found,
        "confirmed": row.confirmed,
        "confirmed_mu": row.confirmed_mu,
        "indicators": {name: _share(share) for name, share in row.shares.items()},
        "points": dict(row.points),
        "interview": interview,
    }
