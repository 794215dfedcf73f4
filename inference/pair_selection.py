"""Selection of image pairs for a nightly scan: the most suitable earlier image for each piece of new ground."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from configs.service import NightSettings
from enforcement.overlap_ratio import area_m2
from errors import Reason, SettingsError
from imagery.ellipsoid import ELLIPSOID
from imagery.set_operations import difference, intersection, union, union_all
from inference.settings import AUTO, ScanConfig, scales_differ_too_much, settings_for

MIN_MEAN_WIDTH_M = 5.0
"""Mean width below which a piece of ground is a sliver between footprints and is ignored."""

MAX_ATTEMPTS = 3
"""Earlier images that are tried on one piece of ground. A hazy later image fails with all of them."""

SEASON_WEIGHT, SCALE_WEIGHT, QUALITY_WEIGHT, RECENCY_WEIGHT = 4.0, 2.0, 2.0, 1.0
"""Weights of the criteria, each 0…1, for choosing the earlier image. Season has the largest weight, where it is used:
harvested fields compared with green ones look like ground works all over the scene. Next are similar scale and a large
share of valid pixels. Otherwise the more recent image wins, because it leaves the shortest gap in time."""

FINEST_USEFUL_M = 0.25
"""Ground sample distance below which an image is not better than another: the finest resolution of detection."""

_NOT_COMPARED = ("not_comparable", "failed")
_NO_DATE = Reason("the day it was taken is not known; set it with `tuban images set NUMBER --date …`", "plan.no_date")
_REASONS = {
    "kind": Reason("are of another kind", "plan.kind"),
    "scale": Reason("differ too much in scale", "plan.scale"),
    "close": Reason("are too close in time (less than {least} days)", "plan.close"),
    "old": Reason("are too old (more than {oldest} days)", "plan.old"),
    "undated": Reason("are of unknown date", "plan.undated"),
    "sliver": Reason("touch it only at their edge", "plan.sliver"),
    "newer": Reason("are newer", "plan.newer"),
}
"""Reasons for which an image is not usable as the earlier one, closest to usable first."""


@dataclass(frozen=True)
class CandidateImage:
    """A scene that may be selected.

    Attributes:
        id: database id of the scene.
        outline: footprint (longitude, latitude); a valid Polygon or MultiPolygon.
        date: day of acquisition, if known.
        gsd_m: metres per pixel.
        valid_share: share of valid pixels, 0…1.
        kind: what it holds (:mod:`imagery.raster_kind`); only images of one kind are compared.
    """

    id: int
    outline: BaseGeometry
    date: dt.date | None
    gsd_m: float
    valid_share: float = 1.0
    kind: str = "picture"


@dataclass(frozen=True)
class SelectedPair:
    """Two scenes to compare, by id; the unique key prevents duplicate scans."""

    before_id: int
    after_id: int
    unique_key: str


@dataclass(frozen=True)
class UncoveredGround:
    """Ground of a scene that cannot be compared: outline (longitude, latitude), ellipsoidal area and reason."""

    scene_id: int
    outline: BaseGeometry
    area_m2: float
    reason: Reason


@dataclass(frozen=True)
class PairSelection:
    """Pairs to compare, and ground that cannot be compared."""

    pairs: tuple[SelectedPair, ...]
    uncovered: tuple[UncoveredGround, ...]


def select_pairs(
    scenes: Sequence[CandidateImage],
    images: Sequence[CandidateImage],
    tried: Mapping[tuple[int, int], str],
    reported: Mapping[int, BaseGeometry],
    night: NightSettings,
    config: ScanConfig,
    hidden: Mapping[tuple[int, int], BaseGeometry] | None = None,
) -> PairSelection:
    """Select the pairs that compare the new ground of some scenes.

    Ground of a scene is new where no scan has used the scene as the later image yet. The best earlier image covers its
    overlap, the next best what remains of it, and so on. A scan always compares the whole overlap of its two images;
    an image whose overlap better ones already cover is not selected. Of several images of one day and kind, the best
    one that shows a place is compared there (:func:`_rank_on_its_day`), and the others where it does not. Selection is
    idempotent: repeated with the scans
    and reports of its first result, it selects nothing. An old image that arrives late is used for ground that had no
    earlier image.

    Args:
        scenes: scenes whose ground is to be compared, including all new ones.
        images: candidates for the earlier image; may include ``scenes``.
        tried: states of existing scans, by (earlier, later) id.
        reported: ground already reported as not comparable, by scene id.
        night: limits on time differences and areas.
        config: scales and profiles.
        hidden: ground that the earlier image of a finished scan does not show (cloud, snow, blur), by (earlier, later)
            id. The next best image is used there, as where a scan failed.
    """
    tree = shapely.STRtree([image.outline for image in images])
    pairs: list[SelectedPair] = []
    uncovered: list[UncoveredGround] = []
    hidden = hidden or {}
    compared: dict[tuple[dt.date, str], list[BaseGeometry]] = {}  # by day and kind: ground that better images cover
    for scene in sorted(scenes, key=lambda scene: (scene.date or dt.date.min, *_rank_on_its_day(scene))):
        known = reported.get(scene.id, Polygon())
        if scene.date is None:
            uncovered += _group_by_reason(
                scene.id, _pieces(difference(scene.outline, known), night), lambda _: _NO_DATE
            )
            continue
        nearby = [images[i] for i in tree.query(scene.outline, predicate="intersects") if images[i].id != scene.id]
        of_this_day = compared.setdefault((scene.date, scene.kind), [])
        better = union_all(of_this_day)
        cover = _cover(scene, nearby, tried, hidden, night, config, better)
        of_this_day += [cover.overlaps[before_id] for before_id, _, _ in cover.chosen]
        of_this_day += [
            difference(cover.overlaps[image.id], hidden.get((image.id, scene.id), Polygon()))
            for image in nearby
            if tried.get((image.id, scene.id), _NOT_COMPARED[0]) not in _NOT_COMPARED
        ]
        pairs += [SelectedPair(*pair) for pair in cover.chosen]
        pieces = _pieces(difference(cover.rest, known), night)
        if pieces:
            why = {image.id: _rejection(scene, image, cover.overlaps, night, config) for image in cover.untried}
            rejected = {image_id: reason for image_id, reason in why.items() if reason is not None}
            uncovered += _group_by_reason(
                scene.id,
                pieces,
                lambda piece: _reason(piece, cover.overlaps, rejected, night),  # noqa: B023  (called immediately)
            )
    return PairSelection(tuple(pairs), tuple(uncovered))


class _Overlaps:
    """Ground that a scene shares with each image nearby, by image id; computed when it is asked for."""

    def __init__(self, scene: CandidateImage, nearby: Sequence[CandidateImage]) -> None:
        self._scene = scene
        self._images = {image.id: image for image in nearby}
        self._found: dict[int, BaseGeometry] = {}

    def __getitem__(self, image_id: int) -> BaseGeometry:
        if image_id not in self._found:
            overlap = intersection(self._scene.outline, self._images[image_id].outline)
            self._found[image_id] = _ground(overlap)
        return self._found[image_id]


@dataclass(frozen=True)
class _Cover:
    """Images that cover a scene.

    Attributes:
        chosen: selected pairs as (earlier id, later id, unique key).
        rest: ground that none covers.
        overlaps: of all images nearby.
        untried: images nearby without a scan of this scene.
    """

    chosen: list[tuple[int, int, str]]
    rest: BaseGeometry
    overlaps: _Overlaps
    untried: tuple[CandidateImage, ...]


def _cover(
    scene: CandidateImage,
    nearby: Sequence[CandidateImage],
    tried: Mapping[tuple[int, int], str],
    hidden: Mapping[tuple[int, int], BaseGeometry],
    night: NightSettings,
    config: ScanConfig,
    better: BaseGeometry,
) -> _Cover:
    """Cover one scene by earlier images, except ``better``: ground that better images of its day cover.

    An archive has many images of each place: their overlaps are computed only as far as they are needed.
    """
    overlaps = _Overlaps(scene, nearby)
    states = {image.id: state for image in nearby if (state := tried.get((image.id, scene.id))) is not None}
    failed = [overlaps[image_id] for image_id, state in states.items() if state in _NOT_COMPARED]
    unseen = {image_id: _ground(hidden.get((image_id, scene.id), Polygon())) for image_id in states}
    failed += [outline for outline in unseen.values() if not outline.is_empty]
    compared = [
        difference(overlaps[image_id], unseen[image_id])
        for image_id, state in states.items()
        if state not in _NOT_COMPARED
    ]
    rest = difference(scene.outline, union_all([*compared, better]))
    rest = difference(rest, _exhausted(failed))
    untried = [image for image in nearby if image.id not in states]
    usable = [image for image in untried if _unfit(scene, image, night, config) is None]
    chosen = []
    for image in sorted(usable, key=lambda image: _sort_key(scene, image, night, config)):
        if rest.is_empty or area_m2(rest) < night.least_piece_m2:
            break
        if _is_sliver(scene, image, overlaps, config):
            continue
        if _pieces(intersection(overlaps[image.id], rest), night):
            settings = settings_for(config, AUTO, max(scene.gsd_m, image.gsd_m))
            chosen.append((image.id, scene.id, f"scan:{image.id}:{scene.id}:{settings.sha256[:8]}"))
            rest = difference(rest, overlaps[image.id])
    # ground of failed scans, and hidden ground, is reported with those scans
    return _Cover(chosen, difference(rest, union_all(failed)), overlaps, tuple(untried))


def _rank_on_its_day(scene: CandidateImage) -> tuple[int, float, float, int]:
    """Sort key of images of one day, the best first.

    The finest image is the best, unless both are finer than :data:`FINEST_USEFUL_M` or differ by less than a factor of
    about √2; then the one with the largest share of valid pixels, the largest one, and the one received last.
    """
    fineness = round(2 * math.log2(max(scene.gsd_m, FINEST_USEFUL_M) / FINEST_USEFUL_M))
    return fineness, -round(scene.valid_share, 1), -round(scene.outline.area, 6), -scene.id


def _exhausted(failed: Sequence[BaseGeometry]) -> BaseGeometry:
    """Return the ground covered by at least :data:`MAX_ATTEMPTS` of the outlines."""
    depths: list[BaseGeometry] = [Polygon()] * MAX_ATTEMPTS  # ground covered by at least 1, 2 … outlines
    for outline in failed:
        for depth in range(MAX_ATTEMPTS - 1, 0, -1):
            depths[depth] = union(depths[depth], _ground(intersection(depths[depth - 1], outline)))
        depths[0] = union(depths[0], outline)
    return depths[-1]


def _rejection(
    scene: CandidateImage, image: CandidateImage, overlaps: _Overlaps, night: NightSettings, config: ScanConfig
) -> str | None:
    """Return why ``image`` cannot be the earlier one, a key of :data:`_REASONS`; None when it can."""
    why = _unfit(scene, image, night, config)
    if why in (None, "scale") and _is_sliver(scene, image, overlaps, config):
        return "sliver"
    return why


def _unfit(scene: CandidateImage, image: CandidateImage, night: NightSettings, config: ScanConfig) -> str | None:
    """Return why ``image`` cannot be the earlier one wherever it lies; None when it can."""
    if image.kind != scene.kind:
        return "kind"
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
    if scales_differ_too_much(scene.gsd_m, image.gsd_m, config.max_scale_ratio):
        return "scale"
    try:
        settings_for(config, AUTO, max(scene.gsd_m, image.gsd_m))
    except SettingsError:
        return "scale"
    return None


def _is_sliver(scene: CandidateImage, image: CandidateImage, overlaps: _Overlaps, config: ScanConfig) -> bool:
    smaller = min(area_m2(scene.outline), area_m2(image.outline))
    return area_m2(overlaps[image.id]) < config.min_overlap * smaller


def _sort_key(
    scene: CandidateImage, image: CandidateImage, night: NightSettings, config: ScanConfig
) -> tuple[float, int, int]:
    """Sort key of earlier images, best first."""
    assert scene.date is not None
    assert image.date is not None
    days = (scene.date - image.date).days
    ratio = max(scene.gsd_m, image.gsd_m) / min(scene.gsd_m, image.gsd_m)
    score = SCALE_WEIGHT * (1 - math.log(ratio) / math.log(config.max_scale_ratio)) + QUALITY_WEIGHT * image.valid_share
    score += RECENCY_WEIGHT * (1 - days / night.oldest_days)
    if night.prefer_same_season:
        difference = abs(scene.date.timetuple().tm_yday - image.date.timetuple().tm_yday)
        score += SEASON_WEIGHT * (1 - min(difference, 365 - difference) / 182.5)
    return (-score, days, -image.id)


def _reason(piece: BaseGeometry, overlaps: _Overlaps, rejected: Mapping[int, str], night: NightSettings) -> Reason:
    """Return why a piece of ground has no earlier image."""
    found = {
        why
        for image_id, why in rejected.items()
        if area_m2(intersection(overlaps[image_id], piece)) > min(1.0, area_m2(piece) / 2)
    }
    if not found:
        return Reason("no earlier image shows this ground", "plan.first")
    days = {"least": max(1, night.least_days_apart), "oldest": night.oldest_days}
    causes = [Reason(cause.format(**days), cause.code, **days) for why, cause in _REASONS.items() if why in found]
    text = f"no usable earlier image: the other images of this ground {' or '.join(causes)}"
    return Reason(text, "plan.unfit", causes=causes)


def _group_by_reason(
    scene_id: int, pieces: Sequence[Polygon], reason: Callable[[Polygon], Reason]
) -> list[UncoveredGround]:
    """Merge pieces of ground that have the same reason."""
    by_reason: dict[Reason, list[Polygon]] = {}
    for piece in pieces:
        by_reason.setdefault(reason(piece), []).append(piece)
    return [
        UncoveredGround(scene_id, outline := MultiPolygon(parts), area_m2(outline), why)
        for why, parts in sorted(by_reason.items())
    ]


def _pieces(outline: BaseGeometry, night: NightSettings) -> list[Polygon]:
    """Return the connected parts that are large and wide enough to compare."""
    pieces = []
    for part in _polygons(outline):
        area, perimeter = area_m2(part), ELLIPSOID.geometry_length(part.boundary)
        if area > 0 and area >= night.least_piece_m2 and 2 * area / perimeter >= MIN_MEAN_WIDTH_M:
            pieces.append(part)
    return pieces


def _ground(outline: BaseGeometry) -> BaseGeometry:
    """Return the polygons of an intersection, without the lines and points where outlines only touch."""
    return MultiPolygon(_polygons(outline))


def _polygons(outline: BaseGeometry) -> list[Polygon]:
    return [
        part
        for part in shapely.get_parts(shapely.get_parts(outline))
        if isinstance(part, Polygon) and not part.is_empty
    ]
