"""What changed in the view of a camera, seen in several captures, put on the map.

A difference of structure and colour says where to look and how far it reaches: it hardly answers to light. The network,
trained on images from above, still knows works when it sees them from the side: it confirms, and tells a building from
turned ground. What it does not confirm counts only where the difference is beyond doubt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.features import geometry_mask, shapes
from shapely.geometry import Polygon, shape

from errors import Reason
from imagery.cameras.camera import Calibration, Capture, Comparison, GroundChange, Preset
from imagery.cameras.frame_difference import CELL, WIDE
from imagery.cameras.georeferencing import area_m2, error_at, metres_per_pixel, projected, watched, worst_error
from imagery.cameras.settings import CompareSettings
from inference.cameras.persistence import Cells, Compared, Floats, compared, lasting, split
from model.detector import Detector

_GROW = 0.85  # of the threshold, to which a place reaches from where it is clear
_MOST = 2 / 3  # of the latest captures that must show a place
_LEAST_CELLS = 12
_BRIDGE = np.ones((5, 5), np.uint8)  # cells: parts this close are one place
_BUILT_SHARE = 0.15  # of a place that is building, from which it is a construction


def compare(
    history: Sequence[Capture],
    preset: Preset,
    calibration: Calibration,
    settings: CompareSettings,
    detector: Detector | None = None,
) -> Comparison:
    """Compare the latest captures with earlier ones of like light.

    Args:
        history: judged captures of one preset, any order; those that are not usable are left out. Load what
            :func:`imagery.cameras.illumination.alike` names, not years.
        preset: its region and range.
        calibration: of this preset.
        settings: how often and how long a change must persist.
        detector: tells construction from ground works, and what neither is; without it the kind is ground, and only
            what is beyond doubt counts.

    Returns:
        what persisted in enough captures over enough time; ``not_compared`` says why there was nothing to compare.
    """
    usable = sorted((c for c in history if c.quality and c.quality.usable), key=lambda capture: capture.taken_at)
    earlier, latest = split(usable, settings)
    if not earlier:
        return Comparison(
            not_compared=Reason(
                f"{len(usable)} usable captures are too few or lie too close together: {settings.persist} "
                f"over {settings.persist_hours:g} hours and earlier ones are needed.",
                "watch.few",
                found=len(usable),
                persist=settings.persist,
                hours=settings.persist_hours,
            )
        )
    pairs = compared(earlier, latest, settings)
    if len(pairs) < settings.persist:
        return Comparison(not_compared=Reason("There are too few earlier captures of like light.", "watch.light"))
    scale = min(1.0, WIDE / preset.frame_size[0])
    ground = _cells(watched(calibration, preset), scale, pairs[0].apart.shape)
    if not ground.any():
        words = "No ground lies in the region and within the believed range of this view."
        return Comparison(not_compared=Reason(words, "watch.no_ground"))
    # a lorry or two parked at one place in some of them are no works
    least = max(settings.persist, math.ceil(_MOST * len(pairs)))
    apart = lasting([pair.apart for pair in pairs], least)
    apart[~ground] = 0
    known = _known(pairs[-settings.persist :], apart >= settings.threshold, detector, scale) if detector else None
    changes: list[GroundChange] = []
    pending = weak = 0
    for outline, cells in _places(apart, settings.threshold, scale):
        shown = settings.threshold * _GROW
        here = [pair for pair in pairs if float(np.median(pair.apart[cells])) >= shown]
        on_map = projected(calibration, outline)
        if (
            area_m2(on_map) < settings.min_area_m2
            or worst_error(calibration, outline).major_m > settings.max_error_m
            or not on_map.is_valid
        ):
            continue
        if len(here) < least or _hours(here) < settings.persist_hours:
            pending += 1
            continue
        sure = float(np.quantile(apart[cells], 0.75)) >= settings.sure
        if not sure and not (known is not None and _confirmed(known, cells)):
            weak += 1
            continue
        middle = outline.representative_point()
        changes.append(
            GroundChange(
                outline=on_map,
                in_frame=outline,
                kind="construction" if known is not None and _built(known, cells) else "ground",
                area_m2=area_m2(on_map),
                error=error_at(calibration, (middle.x, middle.y)),
                score=min(1.0, float(apart[cells].mean()) / (2 * settings.threshold)),
                seen=len(here),
                first_seen=here[0].capture.taken_at,
                last_seen=here[-1].capture.taken_at,
                compared_with=max(pair.latest_without(cells, shown).taken_at for pair in here),
            )
        )
    return Comparison(tuple(changes), pending, weak, watched_m2=_extent(calibration, ground, scale))


def _hours(pairs: Sequence[Compared]) -> float:
    return (pairs[-1].capture.taken_at - pairs[0].capture.taken_at).total_seconds() / 3600


def _cells(mask: Cells, scale: float, shape_: tuple[int, ...]) -> Cells:
    """Cells all of whose pixels are in a mask of the frame."""
    size = round(mask.shape[1] * scale), round(mask.shape[0] * scale)
    small = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small = small[: shape_[0] * CELL, : shape_[1] * CELL]
    part = cv2.resize(small, (shape_[1], shape_[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(part > 0.99)


def _places(apart: Floats, threshold: float, scale: float) -> list[tuple[Polygon, Cells]]:
    """Places that are clear somewhere, as far as they reach: outline in the frame, and its cells."""
    reach = cv2.morphologyEx((apart >= threshold * _GROW).astype(np.uint8), cv2.MORPH_CLOSE, _BRIDGE)
    reach &= (apart > 0).astype(np.uint8)
    step = CELL / scale
    found = []
    for geometry, value in shapes(reach, reach > 0, 4, Affine.scale(step)):
        raw = shape(geometry)
        inside = ~geometry_mask([raw], apart.shape, Affine.scale(step))
        cells = inside & (reach > 0)
        if value and cells.sum() >= _LEAST_CELLS and (apart[cells] >= threshold).sum() >= _LEAST_CELLS // 2:
            outline = shapely.simplify(Polygon(raw.exterior), 0.6 * step)
            found.append((outline, cells))
    return found


def _known(pairs: Sequence[Compared], clear: Cells, detector: Detector, scale: float) -> Floats:
    """2×h×w: building and ground by the detector over its own thresholds, in most of the pairs."""
    seen = []
    for pair in pairs:
        before, after = (_working(capture, scale) for capture in (pair.without(clear), pair.capture))
        rows, columns = before.shape[:2]
        stride = detector.stride
        fill = (0, -rows % stride, 0, -columns % stride, cv2.BORDER_REFLECT_101)
        said = detector.predict(cv2.copyMakeBorder(before, *fill), cv2.copyMakeBorder(after, *fill))
        cut = said[:2, : clear.shape[0] * CELL, : clear.shape[1] * CELL]
        thresholds = (detector.weights.threshold["building"], detector.weights.threshold["ground"])
        seen.append(
            np.stack(
                [
                    cv2.resize(band, (clear.shape[1], clear.shape[0]), interpolation=cv2.INTER_AREA) / np.float32(least)
                    for band, least in zip(cut, thresholds, strict=True)
                ]
            )
        )
    return lasting(seen, len(seen) // 2 + 1)


def _working(capture: Capture, scale: float) -> NDArray[np.uint8]:
    if scale == 1:
        return capture.frame
    return np.asarray(cv2.resize(capture.frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _confirmed(known: Floats, cells: Cells) -> bool:
    return bool((known[:, cells].max(axis=0) >= 1).sum() >= _LEAST_CELLS // 2)


def _built(known: Floats, cells: Cells) -> bool:
    return float(np.mean(known[0, cells] >= 1)) >= _BUILT_SHARE


def _extent(calibration: Calibration, ground: Cells, scale: float) -> float:
    """Ground in m² that the cells cover."""
    rows, columns = np.nonzero(ground)
    step = CELL / scale
    middles = np.column_stack([(columns + 0.5) * step, (rows + 0.5) * step])
    return float(metres_per_pixel(calibration, middles).sum() * step**2)
