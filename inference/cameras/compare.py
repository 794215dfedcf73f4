"""Find changes in a camera's view that persist over several captures, and project them to the map.

The difference of structure and colour locates a change and its extent, since it hardly responds to light. The change
detector, trained on images from above, also recognises construction from the side: it confirms a change and
distinguishes buildings from earthworks. A change that it does not confirm counts only if the difference is large.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.features import geometry_mask, shapes
from shapely.geometry import Polygon, shape

from errors import Reason
from imagery.cameras.camera import Calibration, Capture, Comparison, GroundChange, Preset, StandingWorks
from imagery.cameras.frame_difference import CELL_PX, WORKING_WIDTH
from imagery.cameras.georeferencing import (
    area_m2,
    error_at,
    pixel_areas_m2,
    project_outline,
    watched_mask,
    worst_error,
)
from imagery.cameras.settings import CompareSettings
from imagery.set_operations import intersection
from inference.cameras.persistence import (
    Cells,
    ComparedCapture,
    FeatureCache,
    Floats,
    compare_with_references,
    has_returned,
    persistent,
    split_history,
)
from inference.looks import choose_looks, choose_thresholds
from model.detector import Detector
from model.multi_scale import MultiScaleDetector

_EXTENT_FACTOR = 0.85  # of the threshold, down to which a place extends from where it is clear
_MIN_CAPTURE_SHARE = 2 / 3  # of the latest captures that must show a place
_MIN_CELLS = 12
_CLOSING = np.ones((5, 5), np.uint8)  # cells: parts this close are one place
_MIN_BUILDING_SHARE = 0.15  # of a place's cells, from which it is a construction
_GROWN = 1.25  # factor in area from which works are reported again; smaller ones are noise of the outline
_ABSENT_FACTOR = 0.6  # of the threshold, below which a place looks as before the works
_SAME_PLACE = 0.3  # of the smaller outline in the frame, from which two are the same place


def compare_captures(
    history: Sequence[Capture],
    preset: Preset,
    calibration: Calibration,
    settings: CompareSettings,
    detector: Detector | None = None,
    standing: Sequence[StandingWorks] = (),
) -> Comparison:
    """Compare the latest captures of a view with earlier ones in similar light.

    Works that were reported are compared with captures from *before* them: what is reported of them is their whole
    outline after they have grown, or that they are gone. All other places are compared with recent captures.

    Args:
        history: captures after the quality check, in any order; unusable ones are ignored. To limit their number, load
            only those that :func:`imagery.cameras.illumination.similar_light` selects.
        preset: the view: its region and range.
        calibration: of this view.
        settings: required persistence and thresholds.
        detector: distinguishes construction from earthworks and from other differences; without it every change is of
            the kind ground, and only large differences count.
        standing: works that the view has reported.

    Returns:
        changes that persist in enough captures over enough time; ``not_compared`` says why nothing could be compared.
    """
    usable = sorted((c for c in history if c.quality and c.quality.usable), key=lambda capture: capture.taken_at)
    earlier, latest = split_history(usable, settings)
    if not earlier:
        return Comparison(
            not_compared=Reason(
                f"{len(usable)} usable captures are too few or too close together: {settings.persist} over "
                f"{settings.persist_hours:g} hours and earlier ones are needed.",
                "watch.few",
                found=len(usable),
                persist=settings.persist,
                hours=settings.persist_hours,
            )
        )
    features = FeatureCache()
    compared = compare_with_references(earlier, latest, settings, features)
    if len(compared) < settings.persist:
        return Comparison(not_compared=Reason("There are too few earlier captures in similar light.", "watch.light"))
    scale = min(1.0, WORKING_WIDTH / preset.frame_size[0])
    ground = _fully_covered_cells(watched_mask(calibration, preset), scale, compared[0].difference.shape)
    if not ground.any():
        words = "There is no ground in the region and range of this view."
        return Comparison(not_compared=Reason(words, "watch.no_ground"))
    known: list[GroundChange] = []
    for works in sorted(standing, key=lambda one: (one.shown_at, one.number)):
        if not any(_same_place(works.in_frame, change.in_frame) for change in known):
            since = compare_with_references(works.baseline, latest, settings, features)
            if len(since) >= settings.persist:
                known += _ComparedView(calibration, settings, since, ground, scale, detector, features).reassess(works)
    taken = [works.in_frame for works in standing] + [change.in_frame for change in known]
    view = _ComparedView(calibration, settings, compared, ground, scale, detector, features, earlier)
    assessed = [
        view.assess(outline, cells)
        for outline, cells in view.places()
        if not any(_same_place(outline, other) for other in taken)
    ]
    return Comparison(
        changes=(*known, *(result for result in assessed if isinstance(result, GroundChange))),
        pending=assessed.count("pending"),
        weak=assessed.count("weak"),
        watched_m2=_cells_area_m2(calibration, ground, scale),
    )


@dataclass(frozen=True, eq=False)
class _ComparedView:
    """The compared captures of a view.

    Attributes:
        compared: the latest captures, ordered by time.
        ground: h×w cells, the watched ground.
        scale: of the working frame.
        earlier: captures from before the latest ones, in any light.
    """

    calibration: Calibration
    settings: CompareSettings
    compared: Sequence[ComparedCapture]
    ground: Cells
    scale: float
    detector: Detector | None
    features: FeatureCache
    earlier: Sequence[Capture] = ()

    @property
    def min_captures(self) -> int:
        """Number of captures that must show a change: a lorry parked in one or two of them is not construction."""
        return max(self.settings.persist, math.ceil(_MIN_CAPTURE_SHARE * len(self.compared)))

    @cached_property
    def difference(self) -> Floats:
        """Difference that persists in ``min_captures``, h×w cells; 0 outside of the watched ground."""
        difference = persistent([one.difference for one in self.compared], self.min_captures)
        difference[~self.ground] = 0
        return difference

    @cached_property
    def scores(self) -> Floats | None:
        """See :func:`_detector_scores`; None without a detector."""
        if self.detector is None:
            return None
        changed = self.difference >= self.settings.threshold
        return _detector_scores(self.compared[-self.settings.persist :], changed, self.detector, self.scale)

    def reassess(self, works: StandingWorks) -> list[GroundChange]:
        """Report known works as grown, or as gone; nothing if they stand as they were.

        The captures of this view are compared with those from before the works.
        """
        touching = [(outline, cells) for outline, cells in self.places() if _same_place(outline, works.in_frame)]
        assessed = [self.assess(outline, cells) for outline, cells in touching]
        changes = [replace(one, works=works.number) for one in assessed if isinstance(one, GroundChange)]
        if changes:
            return changes if sum(change.area_m2 for change in changes) >= _GROWN * works.area_m2 else []
        return [] if touching else self._gone(works)

    def _gone(self, works: StandingWorks) -> list[GroundChange]:
        """Report works as gone if the place looks as before them for as long as a change has to persist."""
        shape_of_cells = self.ground.shape
        cells = ~geometry_mask([works.in_frame], shape_of_cells, Affine.scale(CELL_PX / self.scale)) & self.ground
        limit = self.settings.threshold * _ABSENT_FACTOR
        absent: list[ComparedCapture] = []
        for one in self.compared:
            shows = not cells.any() or float(np.median(one.difference[cells])) >= limit
            absent = [] if shows else [*absent, one]
        if len(absent) < self.settings.persist or _hours(absent) < self.settings.persist_hours:
            return []
        on_map, centre = project_outline(self.calibration, works.in_frame), works.in_frame.representative_point()
        return [
            GroundChange(
                outline=on_map,
                in_frame=works.in_frame,
                kind="demolition",
                area_m2=area_m2(on_map),
                error=error_at(self.calibration, (centre.x, centre.y)),
                score=1.0,
                capture_count=len(absent),
                first_seen=absent[0].capture.taken_at,
                last_seen=absent[-1].capture.taken_at,
                compared_with=works.shown_at,
                works=works.number,
            )
        ]

    def places(self) -> list[tuple[Polygon, Cells]]:
        """Connected places whose difference reaches the threshold: outline in the frame, and cells."""
        difference, threshold = self.difference, self.settings.threshold
        extent = cv2.morphologyEx(
            (difference >= threshold * _EXTENT_FACTOR).astype(np.uint8), cv2.MORPH_CLOSE, _CLOSING
        )
        extent &= (difference > 0).astype(np.uint8)
        cell = CELL_PX / self.scale
        places = []
        for geometry, value in shapes(extent, extent > 0, 4, Affine.scale(cell)):
            polygon = shape(geometry)
            inside = ~geometry_mask([polygon], difference.shape, Affine.scale(cell))
            cells = inside & (extent > 0)
            clear = int((difference[cells] >= threshold).sum())
            if value and cells.sum() >= _MIN_CELLS and clear >= _MIN_CELLS // 2:
                places.append((shapely.simplify(Polygon(polygon.exterior), 0.6 * cell), cells))
        return places

    def assess(self, outline: Polygon, cells: Cells) -> GroundChange | Literal["ignored", "pending", "weak"]:
        """Decide whether a place is a change.

        Returns:
            the change; "ignored": too small, too inaccurate or not projectable, or the place looks as it did before a
            vehicle parked there; "pending": not yet in enough captures or over enough time; "weak": neither a large
            difference nor confirmed by the detector.
        """
        settings, calibration = self.settings, self.calibration
        on_map = project_outline(calibration, outline)
        if (
            area_m2(on_map) < settings.min_area_m2
            or worst_error(calibration, outline).major_m > settings.max_error_m
            or not on_map.is_valid
        ):
            return "ignored"
        threshold = settings.threshold * _EXTENT_FACTOR
        showing = [one for one in self.compared if float(np.median(one.difference[cells])) >= threshold]
        if len(showing) < self.min_captures or _hours(showing) < settings.persist_hours:
            return "pending"
        if has_returned(showing[-1].capture, self.earlier, cells, threshold, self.features):
            return "ignored"
        is_large = float(np.quantile(self.difference[cells], 0.75)) >= settings.sure
        if not is_large and not self._is_confirmed(cells):
            return "weak"
        centre = outline.representative_point()
        return GroundChange(
            outline=on_map,
            in_frame=outline,
            kind="construction" if self._is_building(cells) else "ground",
            area_m2=area_m2(on_map),
            error=error_at(calibration, (centre.x, centre.y)),
            score=min(1.0, float(self.difference[cells].mean()) / (2 * settings.threshold)),
            capture_count=len(showing),
            first_seen=showing[0].capture.taken_at,
            last_seen=showing[-1].capture.taken_at,
            compared_with=max(one.latest_without(cells, threshold).taken_at for one in showing),
        )

    def _is_confirmed(self, cells: Cells) -> bool:
        if self.scores is None:
            return False
        return bool((self.scores[:, cells].max(axis=0) >= 1).sum() >= _MIN_CELLS // 2)

    def _is_building(self, cells: Cells) -> bool:
        return self.scores is not None and float(np.mean(self.scores[0, cells] >= 1)) >= _MIN_BUILDING_SHARE


def _same_place(one: Polygon, other: Polygon) -> bool:
    overlap = intersection(one.buffer(0), other.buffer(0)).area
    return bool(overlap >= _SAME_PLACE * min(one.area, other.area))


def _hours(compared: Sequence[ComparedCapture]) -> float:
    return (compared[-1].capture.taken_at - compared[0].capture.taken_at).total_seconds() / 3600


def _fully_covered_cells(mask: Cells, scale: float, cells_shape: tuple[int, ...]) -> Cells:
    """Cells all of whose pixels are in a mask of the frame."""
    size = round(mask.shape[1] * scale), round(mask.shape[0] * scale)
    small = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small = small[: cells_shape[0] * CELL_PX, : cells_shape[1] * CELL_PX]
    covered = cv2.resize(small, (cells_shape[1], cells_shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(covered > 0.99)


def _detector_scores(compared: Sequence[ComparedCapture], changed: Cells, detector: Detector, scale: float) -> Floats:
    """2×h×w: probabilities of building and ground relative to the detector's thresholds, in most of the captures."""
    # a view from the side has no one resolution: the network looks at the frame's own pixels
    scales = MultiScaleDetector(detector, choose_looks(detector.weights, None, None, 1.0))
    threshold_of = choose_thresholds(detector.weights, "inspect", None)
    scores = []
    for one in compared:
        before, after = (_working_frame(capture, scale) for capture in (one.reference_without(changed), one.capture))
        rows, columns = before.shape[:2]
        stride = scales.stride
        padding = (0, -rows % stride, 0, -columns % stride, cv2.BORDER_REFLECT_101)
        probabilities = scales.predict(cv2.copyMakeBorder(before, *padding), cv2.copyMakeBorder(after, *padding))
        cropped = probabilities[:2, : changed.shape[0] * CELL_PX, : changed.shape[1] * CELL_PX]
        thresholds = (threshold_of["building"], threshold_of["ground"])
        size = changed.shape[1], changed.shape[0]
        scores.append(
            np.stack(
                [
                    cv2.resize(band, size, interpolation=cv2.INTER_AREA) / np.float32(threshold)
                    for band, threshold in zip(cropped, thresholds, strict=True)
                ]
            )
        )
    return persistent(scores, len(scores) // 2 + 1)


def _working_frame(capture: Capture, scale: float) -> NDArray[np.uint8]:
    if scale == 1:
        return capture.frame
    return np.asarray(cv2.resize(capture.frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _cells_area_m2(calibration: Calibration, cells: Cells, scale: float) -> float:
    """Ground in m² that cells cover."""
    rows, columns = np.nonzero(cells)
    cell = CELL_PX / scale
    centres = np.column_stack([(columns + 0.5) * cell, (rows + 0.5) * cell])
    return float(pixel_areas_m2(calibration, centres).sum() * cell**2)
