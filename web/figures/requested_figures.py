"""The area and period that a request asks for."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query

from enforcement.figures.period import Period, parse_period, period_of
from store.access.rights import Viewer
from store.figures.area_figures import Scope, scope_for
from web.auth.authentication import CurrentUser, Service
from web.http_errors import NotFound
from web.plain_text import Plain

AreaCode = Annotated[
    str, Query(pattern="^[0-9]{0,12}$", description="Administrative code; empty: all that the user may see")
]
PeriodName = Annotated[
    str,
    Query(max_length=24, description="2026-W48, 2026-11, 2026-Q4, 2026 or 2026-11-01..2026-11-20; default: this month"),
    Plain,
]


@dataclass(frozen=True)
class RequestedFigures:
    """What a request asks for; ``scope.code`` may be longer than the requested one: the user's area."""

    scope: Scope
    viewer: Viewer

    @property
    def period(self) -> Period:
        """The period."""
        return self.scope.period

    def query(self, **changed: str) -> str:
        """Return the query of an address with this area and period; with further or changed parameters."""
        values = {"area": self.scope.code, "period": self.period.name} | changed
        return urlencode({name: value for name, value in values.items() if value})


def requested_figures(
    context: Service,
    viewer: CurrentUser,
    area: AreaCode = "",
    period: PeriodName = "",
    first: dt.date | None = None,
    last: dt.date | None = None,
) -> RequestedFigures:
    """Return the area and period of a request; ``first`` and ``last`` take precedence over ``period``.

    Raises:
        NotFound: the area is not the user's.
        SettingsError: the period is none.
    """
    today = context.today
    if first is not None and last is not None:
        found = parse_period(f"{first}..{last}")
    else:
        found = parse_period(period) if period else period_of("month", today)
    scope = scope_for(viewer, area, found, today, context.settings.zone)
    if scope is None:
        raise NotFound()
    return RequestedFigures(scope, viewer)


Requested = Annotated[RequestedFigures, Depends(requested_figures)]
"""Parameters ``area``, ``period``, ``first`` and ``last`` of a route."""
