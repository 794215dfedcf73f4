"""Changes of a scan, placed in the administrative areas and land layers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.service import AlertSettings
from enforcement.areas import LEVELS, NamedArea, Placement, place_in_areas
from enforcement.overlaps import find_overlaps, legal_weight, suppressing_approvals
from enforcement.settings import read_enforcement
from imagery.error_ellipse import ErrorEllipse
from imagery.set_operations import make_valid, union_all
from store.alerts.land import Land
from store.areas.areas import areas_touching
from store.chain_settings import read_chain_values
from store.schema.tables import Area


@dataclass(frozen=True)
class DetectedChange:
    """One change that a scan detected.

    Attributes:
        number: number of the change in its scan.
        kind: construction, ground or demolition.
        score: mean probability, 0…1.
        area_m2: ellipsoidal area, m².
        outline: longitude, latitude.
        detected: the outline as detected, ``{"crs": …, "wkt": …}``.
        evidence: object keys of its pictures, ``{"before": …, "after": …}``.
        error: position error; None: as accurate as an orthophoto.
    """

    number: int
    kind: str
    score: float
    area_m2: float
    outline: BaseGeometry
    detected: Mapping[str, Any]
    evidence: Mapping[str, str]
    error: ErrorEllipse | None = None


@dataclass(frozen=True)
class PlacedChange:
    """A change with its responsible areas and land.

    Attributes:
        change: the detected change.
        placement: responsible areas.
        overlaps: overlaps with layers, as :func:`enforcement.overlaps.find_overlaps` lists them.
        approval: reason why approvals cover it; None: not covered.
        legal_weight: larger is more severe.
    """

    change: DetectedChange
    placement: Placement
    overlaps: list[dict[str, Any]]
    approval: str | None
    legal_weight: int


def place_changes(
    session: Session,
    changes: Sequence[DetectedChange],
    *,
    area_code: str,
    on: dt.date | None,
    settings: AlertSettings,
    today: dt.date | None = None,
    land: Land | None = None,
) -> list[PlacedChange]:
    """Look up the responsible areas and the land layers of each change.

    Args:
        session: a read transaction.
        changes: of one scan.
        area_code: administrative code of the images; used where areas are not loaded down to its level.
        on: date of the later image.
        settings: define the share that approvals have to cover.
        today: local day, on which approvals must not have ended, unless a setting says otherwise; None: they may have.
        land: layers to compare with; None: the versions in use.
    """
    land = land or Land.read(session)
    if today is not None and read_chain_values(session).flag("layers.ended_covers"):
        today = None
    weights = read_enforcement().legal_weight
    prefixes = [area_code[:digits] for digits in LEVELS.values()]
    loaded = set(session.scalars(select(Area.code).where(Area.code.in_(prefixes))))
    sightings = []
    for change in changes:
        areas = [NamedArea(a.code, a.name, a.level, a.outline) for a in areas_touching(session, change.outline)]
        placement = _refine(place_in_areas(change.outline, areas), area_code, loaded)
        features = land.features(session, change.outline, placement.grid_code)
        overlaps = find_overlaps(change.outline, features, on, land.layers_at(placement.grid_code))
        sightings.append(
            PlacedChange(
                change,
                placement,
                overlaps,
                suppressing_approvals(change.outline, features, on, settings.approved_share, today),
                legal_weight(overlaps, weights),
            )
        )
    return sightings


def merge_changes(changes: Sequence[DetectedChange]) -> DetectedChange:
    """Merge changes of one scan at the same place; number, kind and pictures are those of the largest."""
    if len(changes) == 1:
        return changes[0]
    largest = max(changes, key=lambda change: change.area_m2)
    area = sum(change.area_m2 for change in changes)
    detected = [shapely.from_wkt(change.detected["wkt"]) for change in changes]
    return DetectedChange(
        largest.number,
        largest.kind,
        round(sum(change.score * change.area_m2 for change in changes) / area, 4),
        area,
        union_all([make_valid(change.outline) for change in changes]),
        {**largest.detected, "wkt": shapely.to_wkt(union_all(detected), rounding_precision=3)},
        largest.evidence,
        max((change.error for change in changes if change.error), key=lambda error: error.major_m, default=None),
    )


def _refine(placement: Placement, area_code: str, loaded: Collection[str]) -> Placement:
    """Extend a placement by the images' own code, down to the levels whose areas are not loaded."""
    grid = placement.grid_code or area_code[: LEVELS["county"]]
    for digits in LEVELS.values():
        if len(grid) < digits:
            code = area_code[:digits]
            if len(code) < digits or not code.startswith(grid) or code in loaded:
                break
            grid = code
    return Placement(
        county_code=grid[: LEVELS["county"]],
        township_code=grid[: LEVELS["township"]] if len(grid) >= LEVELS["township"] else "",
        grid_code=grid,
        also_in=placement.also_in,
    )
