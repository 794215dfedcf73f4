"""Alerts on a map: from afar as clusters, near by as points and outlines."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.access.rights import Viewer, visible_to
from store.alerts.alert_columns import AlertColumns, IntColumn, all_alerts
from store.schema.tables import AlertRow
from store.search.alert_conditions import touching
from store.search.alert_counts import comparison_mask, filter_mask, visible_mask
from store.search.alert_filter import AlertFilter, Box, touches
from store.search.alert_order import from_start

CELLS_IN_TILE = 8
"""A cluster for each 64 pixels of a vector map's tile of 512."""


_MOST_CELLS = 100_000  # numbered one by one, empty ones included: beyond that, sorting the others takes less time


@dataclass(frozen=True)
class MapCluster:
    """Several alerts that lie close together as the map is seen.

    Attributes:
        lon, lat: mean of their middles.
        count: how many, more than one.
        kind, state: of the gravest.
        legal_weight: of the gravest.
    """

    lon: float
    lat: float
    count: int
    kind: str
    state: str
    legal_weight: int


@dataclass(frozen=True)
class MapPoint:
    """One alert: its middle and what a list shows first."""

    lon: float
    lat: float
    number: str
    kind: str
    state: str
    legal_weight: int
    count: int = 1


@dataclass(frozen=True)
class AlertOutline:
    """One alert with its outline: longitude, latitude."""

    number: str
    kind: str
    change_type: str
    state: str
    score: float
    area_m2: float
    legal_weight: int
    over_cap: bool
    outline: BaseGeometry


def alerts_on_map(
    session: Session,
    viewer: Viewer,
    filter: AlertFilter,  # noqa: A002  (the word of the field)
    bbox: Box,
    zoom: float,
    most: int = 1000,
) -> list[MapCluster | MapPoint]:
    """Return what is drawn in ``bbox``, the largest clusters first.

    Args:
        session: reads.
        viewer: who asks.
        filter: which alerts.
        bbox: of the map; west, south, east, north in degrees.
        zoom: of the map, 0 the whole world in one tile.
        most: there are about so many cells at most; a larger map gets larger cells, so that no alert is left out.
    """
    alerts = all_alerts(session)
    shown = np.flatnonzero(visible_mask(alerts, viewer) & comparison_mask(alerts, touching(bbox)) & filter_mask(alerts, filter))
    if not len(shown):
        return []
    west, south, east, north = bbox
    smallest = math.sqrt((east - west) * (north - south) / most)
    size = max(360 / 2 ** min(zoom, 30) / CELLS_IN_TILE, smallest)
    lon, lat = (alerts.west[shown] + alerts.east[shown]) / 2, (alerts.south[shown] + alerts.north[shown]) / 2
    # cells hang on the world, not on the map's corner: they stay where they are when the map is moved
    of_cell = _numbered(np.floor(lon / size).astype(np.int64), np.floor(lat / size).astype(np.int64))
    count, lons, lats = np.bincount(of_cell), np.bincount(of_cell, lon), np.bincount(of_cell, lat)
    weight = alerts.score[shown] + 2 * alerts.legal_weight[shown]  # a score is at most 1
    heaviest = np.zeros(len(count))
    np.maximum.at(heaviest, of_cell, weight)
    gravest = np.zeros(len(count), np.int64)
    candidates = np.flatnonzero(weight == heaviest[of_cell])
    gravest[of_cell[candidates]] = shown[candidates]
    told = []
    for cell in np.flatnonzero(count):
        middle = float(lons[cell] / count[cell]), float(lats[cell] / count[cell])
        told.append(_mark(alerts, int(gravest[cell]), *middle, int(count[cell])))
    return sorted(told, key=lambda one: (-one.count, -one.legal_weight, one.lon, one.lat))


def _numbered(column: IntColumn, row: IntColumn) -> IntColumn:
    """A number for each cell, small enough to count by."""
    column, row = column - column.min(), row - row.min()
    rows = int(row.max()) + 1
    if int(column.max()) * rows < _MOST_CELLS:
        return column * rows + row
    of_cell: IntColumn = np.unique(column * rows + row, return_inverse=True)[1]
    return of_cell


def _mark(alerts: AlertColumns, gravest: int, lon: float, lat: float, count: int) -> MapCluster | MapPoint:
    kind, state = (alerts.words[name].all[getattr(alerts, name)[gravest]] for name in ("kind", "state"))
    weight = int(alerts.legal_weight[gravest])
    if count == 1:
        return MapPoint(lon, lat, alerts.number[gravest], kind, state, weight)
    return MapCluster(lon, lat, count, kind, state, weight)


def alert_outlines(
    session: Session,
    viewer: Viewer,
    filter: AlertFilter,  # noqa: A002
    bbox: Box,
    limit: int = 500,
) -> list[AlertOutline]:
    """Alerts that touch ``bbox`` (west, south, east, north in degrees), with outlines, in the filter's order.

    Args:
        session: reads.
        viewer: who asks.
        filter: which alerts.
        bbox: of the map.
        limit: not more than so many.
    """
    query = (
        select(
            AlertRow.number,
            AlertRow.kind,
            AlertRow.change_type,
            AlertRow.state,
            AlertRow.score,
            AlertRow.area_m2,
            AlertRow.legal_weight,
            AlertRow.over_cap,
            AlertRow.outline,
        )
        .where(visible_to(AlertRow.grid_code, viewer), touches(session, bbox), *filter.conditions(session))
        .order_by(*from_start(filter.sort).order)
        .limit(limit)
    )
    return [AlertOutline(*row) for row in session.execute(query)]
