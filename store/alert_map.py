"""Leads on a map: from afar as clusters, near by as points and outlines."""

from __future__ import annotations

import math
from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from store.alert_filter import AlertFilter, Box, touches
from store.alert_order import whole
from store.rights import Viewer, under
from store.tables import Alert

CELLS_IN_TILE = 8
"""A cluster for each 64 pixels of a vector map's tile of 512."""


@dataclass(frozen=True)
class MapCluster:
    """Several leads that lie close together as the map is seen.

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
    """One lead: its middle and what a list shows first."""

    lon: float
    lat: float
    number: str
    kind: str
    state: str
    legal_weight: int
    count: int = 1


@dataclass(frozen=True)
class AlertOutline:
    """One lead with its outline: longitude, latitude."""

    number: str
    kind: str
    change_type: str
    state: str
    score: float
    area_m2: float
    legal_weight: int
    over_cap: bool
    outline: BaseGeometry


@dataclass
class _Cell:
    """What is summed up of a cell.

    Attributes:
        count: of leads.
        lon, lat: sums of twice the middles.
        number: of one of them.
        gravest: score + 2 × legal weight, kind and state of the gravest.
    """

    count: int = 0
    lon: float = 0.0
    lat: float = 0.0
    number: str = ""
    gravest: tuple[float, str, str] = (-1.0, "", "")

    def told(self) -> MapCluster | MapPoint:
        lon, lat, (weight, kind, state) = self.lon / self.count / 2, self.lat / self.count / 2, self.gravest
        if self.count == 1:
            return MapPoint(lon, lat, self.number, kind, state, int(weight // 2))
        return MapCluster(lon, lat, self.count, kind, state, int(weight // 2))


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
        filter: which leads.
        bbox: of the map; west, south, east, north in degrees.
        zoom: of the map, 0 the whole world in one tile.
        most: there are about so many cells at most; a larger map gets larger cells, so that no lead is left out.
    """
    west, south, east, north = bbox
    smallest = math.sqrt((east - west) * (north - south) / most)
    size = max(360 / 2 ** min(zoom, 30) / CELLS_IN_TILE, smallest)
    lon, lat = Alert.west + Alert.east, Alert.south + Alert.north  # twice the middle
    # cells hang on the world, not on the map's corner: they stay where they are when the map is moved
    column, row = func.floor(lon * (0.5 / size)).label("x"), func.floor(lat * (0.5 / size)).label("y")
    query = (
        select(
            column,
            row,
            Alert.kind,
            Alert.state,
            func.count().label("leads"),
            func.sum(lon).label("lon"),
            func.sum(lat).label("lat"),
            func.min(Alert.number).label("number"),
            func.max(Alert.score + 2 * Alert.legal_weight).label("gravest"),  # a score is at most 1
        )
        .where(under(Alert.grid_code, viewer), touches(session, bbox), *filter.conditions(session))
        .group_by(column, row, Alert.kind, Alert.state)
    )
    if session.get_bind().dialect.name == "postgresql":
        # it cannot know how few cells there are, and with its usual memory sorts all leads instead of summing them up
        session.execute(text("SET LOCAL work_mem = '64MB'"))
    cells: dict[tuple[float, float], _Cell] = {}
    for found in session.execute(query):
        cell = cells.setdefault((found.x, found.y), _Cell())
        cell.count += found.leads
        cell.lon += found.lon
        cell.lat += found.lat
        cell.number = found.number
        cell.gravest = max(cell.gravest, (found.gravest, found.kind, found.state))
    told = [cell.told() for cell in cells.values()]
    return sorted(told, key=lambda one: (-one.count, -one.legal_weight, one.lon, one.lat))


def alert_outlines(
    session: Session,
    viewer: Viewer,
    filter: AlertFilter,  # noqa: A002
    bbox: Box,
    limit: int = 500,
) -> list[AlertOutline]:
    """Leads that touch ``bbox`` (west, south, east, north in degrees), with outlines, in the filter's order.

    Args:
        session: reads.
        viewer: who asks.
        filter: which leads.
        bbox: of the map.
        limit: not more than so many.
    """
    query = (
        select(
            Alert.number,
            Alert.kind,
            Alert.change_type,
            Alert.state,
            Alert.score,
            Alert.area_m2,
            Alert.legal_weight,
            Alert.over_cap,
            Alert.outline,
        )
        .where(under(Alert.grid_code, viewer), touches(session, bbox), *filter.conditions(session))
        .order_by(*whole(filter.sort).order)
        .limit(limit)
    )
    return [AlertOutline(*row) for row in session.execute(query)]
