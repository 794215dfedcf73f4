"""Which images a night compares: for each piece of new ground the earlier image that suits it best. Pure."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from configs.service import NightSettings
from enforcement.overlap_ratio import ELLIPSOID, area_m2
from errors import Reason, SettingsError
from inference.settings import AUTO, ScanConfig, settings_for

NARROWEST_M = 5.0
"""Ground of a smaller mean width is the edge between two footprints, not a piece that somebody would compare."""

MOST_TRIES = 3
"""Earlier images that are tried on one piece of ground before it is left alone: a hazy image fits none of them."""

SEASON, SCALE, QUALITY, RECENCY = 4.0, 2.0, 2.0, 1.0
"""What counts in the choice of an earlier image, each from 0 to 1: harvested fields beside green ones look like works
all over the scene, so season weighs most where it is wanted; then how alike the scales are and how much of the image
shows ground; of images alike in all of these the more recent one, which leaves the shortest time unseen."""

_NOT_COMPARED = ("not_comparable", "failed")
_NO_DATE = Reason("the day it was taken is not known; ingest it again with --date", "plan.no_date")
_REASONS = {
    "scale": Reason("differ too much in scale", "plan.scale"),
    "close": Reason("are too close in time (less than {least} days)", "plan.close"),
    "old": Reason("are too old (more than {oldest} days)", "plan.old"),
    "undated": Reason("are of unknown date", "plan.undated"),
    "sliver": Reason("touch it only at their edge", "plan.sliver"),
    "newer": Reason("are newer", "plan.newer"),
}
"""Why an image is not compared, nearest to being usable first."""


@dataclass(frozen=True)
class Image:
    """What planning knows of a scene.

    Attributes:
        id: of its row.
        outline: footprint, longitude and latitude; a valid polygon or several.
        date: day it was taken, if known.
        gsd_m: metres per pixel.
        valid_share: of its pixels that show ground, 0…1.
    """

    id: int
    outline: BaseGeometry
    date: dt.date | None
    gsd_m: float
    valid_share: float = 1.0


@dataclass(frozen=True)
class PlannedScan:
    """Two scenes to be compared; the key makes sure that it happens once."""

    before_id: int
    after_id: int
    unique_key: str


@dataclass(frozen=True)
class LeftGround:
    """Ground of a scene that cannot be compared: its outline (longitude, latitude), ellipsoidal area, and why."""

    scene_id: int
    outline: BaseGeometry
    area_m2: float
    reason: Reason


@dataclass(frozen=True)
class Plan:
    """What is to be compared, and what cannot be."""

    scans: tuple[PlannedScan, ...]
    left: tuple[LeftGround, ...]


def plan_scans(
    scenes: Sequence[Image],
    images: Sequence[Image],
    tried: Mapping[tuple[int, int], str],
    told: Mapping[int, BaseGeometry],
    night: NightSettings,
    config: ScanConfig,
) -> Plan:
    """Plan what is new in some scenes.

    A scene's ground is new where no scan has it yet as the later image. Of the earlier images over it the best one
    takes its overlap, the next best the rest of it, and so on; a scan always compares the whole overlap of its two
    images, but none is planned whose overlap better ones cover already. So a plan made twice plans nothing the second
    time, and an old image that comes in late serves ground that had none.

    Args:
        scenes: those whose ground is to be compared, among them all that are new.
        images: all that may serve as earlier ones; may hold ``scenes``.
        tried: state of the scans that exist, by (earlier, later) id.
        told: ground that was reported as not comparable already, by scene id.
        night: what is near enough in time, and large enough.
        config: scales and profiles.
    """
    tree = shapely.STRtree([image.outline for image in images])
    scans: list[PlannedScan] = []
    left: list[LeftGround] = []
    for scene in sorted(scenes, key=lambda scene: (scene.date or dt.date.min, scene.id)):
        reported = told.get(scene.id, Polygon())
        if scene.date is None:
            left += _grouped(scene.id, _pieces(scene.outline.difference(reported), night), lambda _: _NO_DATE)
            continue
        over = [images[at] for at in tree.query(scene.outline, predicate="intersects") if images[at].id != scene.id]
        chosen, rest, overlaps, unfit = _cover(scene, over, tried, night, config)
        scans += [PlannedScan(*pair) for pair in chosen]
        left += _grouped(
            scene.id,
            _pieces(rest.difference(reported), night),
            lambda piece: _reason(piece, overlaps, unfit, night),  # noqa: B023  (called at once)
        )
    return Plan(tuple(scans), tuple(left))


def _cover(
    scene: Image,
    over: Sequence[Image],
    tried: Mapping[tuple[int, int], str],
    night: NightSettings,
    config: ScanConfig,
) -> tuple[list[tuple[int, int, str]], BaseGeometry, dict[int, BaseGeometry], dict[int, str]]:
    """Scans of one scene as (earlier, later, key), what is left, every overlap, and why images are unfit, by id."""
    overlaps = {image.id: _ground(scene.outline.intersection(image.outline)) for image in over}
    before = {image.id: state for image in over if (state := tried.get((image.id, scene.id))) is not None}
    failed = [overlaps[number] for number, state in before.items() if state in _NOT_COMPARED]
    compared = [overlaps[number] for number, state in before.items() if state not in _NOT_COMPARED]
    rest = scene.outline.difference(shapely.union_all(compared))
    unfit, fit = {}, []
    for image in over:
        if image.id in before:
            continue
        why = _unfit(scene, image, overlaps[image.id], night, config)
        if why:
            unfit[image.id] = why
        else:
            fit.append(image)
    rest = rest.difference(_tried_enough(failed))
    chosen = []
    for image in sorted(fit, key=lambda image: _order(scene, image, night, config)):
        if _pieces(overlaps[image.id].intersection(rest), night):
            settings = settings_for(config, AUTO, max(scene.gsd_m, image.gsd_m))
            chosen.append((image.id, scene.id, f"scan:{image.id}:{scene.id}:{settings.sha256[:8]}"))
            rest = rest.difference(overlaps[image.id])
    # what a scan failed on has been reported with that scan
    return chosen, rest.difference(shapely.union_all(failed)), overlaps, unfit


def _tried_enough(failed: Sequence[BaseGeometry]) -> BaseGeometry:
    """Ground under at least :data:`MOST_TRIES` of the outlines."""
    depths: list[BaseGeometry] = [Polygon()] * MOST_TRIES  # ground under one, under two … of those looked at
    for outline in failed:
        for depth in range(MOST_TRIES - 1, 0, -1):
            depths[depth] = depths[depth].union(_ground(depths[depth - 1].intersection(outline)))
        depths[0] = depths[0].union(outline)
    return depths[-1]


def _unfit(scene: Image, image: Image, overlap: BaseGeometry, night: NightSettings, config: ScanConfig) -> str | None:
    """Why ``image`` cannot be the earlier one: a key of :data:`_REASONS`; None when it can."""
    if image.date is None:
        return "undated"
    assert scene.date is not None
    days = (scene.date - image.date).days
    if days < 0:
        return "newer"
    if days < max(1, night.least_days_apart):
        return "close"
    if days > night.oldest_days:
        return "old"
    if area_m2(overlap) < config.min_overlap * min(area_m2(scene.outline), area_m2(image.outline)):
        return "sliver"
    finer, coarser = sorted((scene.gsd_m, image.gsd_m))
    if coarser / finer > config.max_scale_ratio:
        return "scale"
    try:
        settings_for(config, AUTO, coarser)
    except SettingsError:
        return "scale"
    return None


def _order(scene: Image, image: Image, night: NightSettings, config: ScanConfig) -> tuple[float, int, int]:
    """Sorts the best earlier image first."""
    assert scene.date is not None
    assert image.date is not None
    days = (scene.date - image.date).days
    ratio = max(scene.gsd_m, image.gsd_m) / min(scene.gsd_m, image.gsd_m)
    score = SCALE * (1 - math.log(ratio) / math.log(config.max_scale_ratio)) + QUALITY * image.valid_share
    score += RECENCY * (1 - days / night.oldest_days)
    if night.prefer_same_season:
        apart = abs(scene.date.timetuple().tm_yday - image.date.timetuple().tm_yday)
        score += SEASON * (1 - min(apart, 365 - apart) / 182.5)
    return (-score, days, -image.id)


def _reason(
    piece: BaseGeometry, overlaps: Mapping[int, BaseGeometry], unfit: Mapping[int, str], night: NightSettings
) -> Reason:
    """Why a piece has no earlier image."""
    found = {
        why
        for number, why in unfit.items()
        if area_m2(overlaps[number].intersection(piece)) > min(1.0, area_m2(piece) / 2)
    }
    if not found:
        return Reason("no earlier image shows this ground", "plan.first")
    days = {"least": max(1, night.least_days_apart), "oldest": night.oldest_days}
    causes = [Reason(text.format(**days), text.code, **days) for why, text in _REASONS.items() if why in found]
    words = f"no usable earlier image: the other images of this ground {' or '.join(causes)}"
    return Reason(words, "plan.unfit", causes=causes)


def _grouped(scene_id: int, pieces: Sequence[Polygon], reason: Callable[[Polygon], Reason]) -> list[LeftGround]:
    """One entry for each reason."""
    by_reason: dict[Reason, list[Polygon]] = {}
    for piece in pieces:
        by_reason.setdefault(reason(piece), []).append(piece)
    return [
        LeftGround(scene_id, outline := MultiPolygon(parts), area_m2(outline), why)
        for why, parts in sorted(by_reason.items())
    ]


def _pieces(outline: BaseGeometry, night: NightSettings) -> list[Polygon]:
    """The connected parts that are large and wide enough."""
    found = []
    for part in _polygons(outline):
        area, around = area_m2(part), ELLIPSOID.geometry_length(part.boundary)
        if area > 0 and area >= night.least_piece_m2 and 2 * area / around >= NARROWEST_M:
            found.append(part)
    return found


def _ground(outline: BaseGeometry) -> BaseGeometry:
    """What is polygon in it, without the lines and points at which outlines only touch."""
    return MultiPolygon(_polygons(outline))


def _polygons(outline: BaseGeometry) -> list[Polygon]:
    return [
        part
        for part in shapely.get_parts(shapely.get_parts(outline))
        if isinstance(part, Polygon) and not part.is_empty
    ]
