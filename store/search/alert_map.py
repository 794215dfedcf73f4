"""Alerts on a map: clusters and points, and outlines at close zoom levels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from imagery.error_ellipse import ErrorEllipse
from store.access.rights import Viewer, visible_to
from store.schema.outlines import error_ellipse_from_json
from store.schema.tables import AlertRow
from store.search.alert_columns import AlertColumns, IntColumn, all_alerts
from store.search.alert_conditions import touching
from store.search.alert_counts import comparison_mask, filter_mask, visible_mask
from store.search.alert_filter import AlertFilter, Box, touches
from store.search.alert_order import from_start

CELLS_IN_TILE = 8
"""Cluster cells along one side of a 512-pixel map tile: one per 64 pixels."""

_MAX_DENSE_CELLS = 100_000  # above this, numbering only the occupied cells by sorting is faster


@dataclass(frozen=True)
class MapCluster:
    """Several alerts in one cell of the map.

    Attributes:
        lon, lat: mean of their centres.
        count: number of alerts, at least 2.
        kind, state: of the most severe alert.
        legal_weight: of the most severe alert.
    """

    lon: float
    lat: float
    count: int
    kind: str
    state: str
    legal_weight: int


@dataclass(frozen=True)
class MapPoint:
    """One alert, drawn at the centre of its bounds."""

    lon: float
    lat: float
    number: str
    kind: str
    state: str
    legal_weight: int
    count: int = 1


@dataclass(frozen=True)
class AlertOutline:
    """One alert with its outline in longitude and latitude, and the position error of an oblique view."""

    number: str
    kind: str
    change_type: str
    state: str
    score: float
    area_m2: float
    legal_weight: int
    over_cap: bool
    outline: BaseGeometry
    position_error: ErrorEllipse | None


def alerts_on_map(
    session: Session,
    viewer: Viewer,
    filter: AlertFilter,  # noqa: A002  (the word of the field)
    bbox: Box,
    zoom: float,
    max_cells: int = 1000,
) -> list[MapCluster | MapPoint]:
    """Cluster the alerts in ``bbox`` by cell, largest clusters first.

    Args:
        session: a read transaction.
        viewer: the current user.
        filter: conditions.
        bbox: extent of the map; west, south, east, north in degrees.
        zoom: zoom level of the map; at 0 the whole world is one tile.
        max_cells: approximate maximum number of cells; a larger map gets larger cells, so that no alert is left out.
    """
    alerts = all_alerts(session)
    shown = np.flatnonzero(
        visible_mask(alerts, viewer) & comparison_mask(alerts, touching(bbox)) & filter_mask(alerts, filter)
    )
    if not len(shown):
        return []
    west, south, east, north = bbox
    smallest = math.sqrt((east - west) * (north - south) / max_cells)
    size = max(360 / 2 ** min(zoom, 30) / CELLS_IN_TILE, smallest)
    lon, lat = (alerts.west[shown] + alerts.east[shown]) / 2, (alerts.south[shown] + alerts.north[shown]) / 2
    # the grid of cells is fixed to the world, so that clusters do not jump when the map is moved
    of_cell = _number_cells(np.floor(lon / size).astype(np.int64), np.floor(lat / size).astype(np.int64))
    count, lons, lats = np.bincount(of_cell), np.bincount(of_cell, lon), np.bincount(of_cell, lat)
    weight = alerts.score[shown] + 2 * alerts.legal_weight[shown]  # a score is at most 1
    max_weight = np.zeros(len(count))
    np.maximum.at(max_weight, of_cell, weight)
    gravest = np.zeros(len(count), np.int64)
    candidates = np.flatnonzero(weight == max_weight[of_cell])
    gravest[of_cell[candidates]] = shown[candidates]
    symbols = []
    for cell in np.flatnonzero(count):
        centre = float(lons[cell] / count[cell]), float(lats[cell] / count[cell])
        symbols.append(_symbol(alerts, int(gravest[cell]), *centre, int(count[cell])))
    return sorted(symbols, key=lambda symbol: (-symbol.count, -symbol.legal_weight, symbol.lon, symbol.lat))


def _number_cells(column: IntColumn, row: IntColumn) -> IntColumn:
    """Number the cells consecutively enough for :func:`numpy.bincount`; one number per alert."""
    column, row = column - column.min(), row - row.min()
    rows = int(row.max()) + 1
    if int(column.max()) * rows < _MAX_DENSE_CELLS:
        return column * rows + row
    of_cell: IntColumn = np.unique(column * rows + row, return_inverse=True)[1]
    return of_cell


def _symbol(alerts: AlertColumns, gravest: int, lon: float, lat: float, count: int) -> MapCluster | MapPoint:
    kind, state = (alerts.categories[name].names[getattr(alerts, name)[gravest]] for name in ("kind", "state"))
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
    """List the alerts that touch ``bbox``, with outlines, in the filter's order.

    Args:
        session: a read transaction.
        viewer: the current user.
        filter: conditions and order.
        bbox: extent of the map; west, south, east, north in degrees.
        limit: maximum number of alerts.
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
            AlertRow.position_error,
        )
        .where(visible_to(AlertRow.grid_code, viewer), touches(session, bbox), *filter.conditions(session))
        .order_by(*from_start(filter.sort).order)
        .limit(limit)
    )
    return [
        AlertOutline(**row._asdict() | {"position_error": error_ellipse_from_json(row.position_error)})
        for row in session.execute(query)
    ]
