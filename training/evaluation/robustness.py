"""Robustness curves: pixel F1 when dates are shifted, brightened, blurred, resampled or swapped."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import cv2
import numpy as np

from errors import NotComparable, SettingsError
from imagery import Patch
from inference.settings import ScanConfig
from model.detector import Detector
from training.evaluation.comparison import ComparisonSettings, comparison_settings
from training.evaluation.pair_decoding import LabelledPair
from training.evaluation.pixels import PixelCounts, count_pixels
from training.evaluation.prediction import predict_pair
from training.evaluation.question_scoring import QuestionScorer
from training.evaluation.resampled import scaled

SHIFTS_PX = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
GAMMAS = (0.5, 0.7, 1.0, 1.4, 2.0)
BLURS_PX = (0.0, 0.5, 1.0, 2.0, 3.0)
SCALES = (0.5, 0.7, 1.0, 1.4, 2.0)

Disturbance = Callable[[LabelledPair], LabelledPair]


def shifted(pair: LabelledPair, pixels: float) -> LabelledPair:
    """Shift the later date right and down by ``pixels`` along both axes against the earlier one.

    The label has the geometry of the later date, so both stay and the earlier date is shifted the other way. Its empty
    edges are not valid.
    """
    if not pixels:
        return pair
    rgb, valid = pair.before.rgb, pair.before.valid
    integer = math.floor(pixels)
    moved, certain = np.zeros_like(rgb), np.zeros_like(valid)
    rows, columns = valid.shape[0] - integer, valid.shape[1] - integer
    if rows > 0 and columns > 0:
        moved[:rows, :columns] = rgb[integer:, integer:]
        certain[:rows, :columns] = valid[integer:, integer:]
    rest = pixels - integer
    if rest:
        mapping = np.array([[1, 0, rest], [0, 1, rest]], np.float64)
        size = (valid.shape[1], valid.shape[0])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(moved, mapping, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        share = cv2.warpAffine(certain.astype(np.float32), mapping, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        certain = np.asarray(share > 0.99)
    return replace(pair, before=Patch(np.asarray(moved, dtype=np.uint8), certain))


def with_gamma(pair: LabelledPair, gamma: float) -> LabelledPair:
    """Apply 255 · (value / 255) ** gamma to the later date."""
    table = np.rint(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
    return replace(pair, after=Patch(table[pair.after.rgb], pair.after.valid))


def blurred(pair: LabelledPair, sigma_px: float) -> LabelledPair:
    """Blur the later date by a Gaussian."""
    if not sigma_px:
        return pair
    soft = np.asarray(cv2.GaussianBlur(pair.after.rgb, (0, 0), sigma_px), dtype=np.uint8)
    return replace(pair, after=Patch(soft, pair.after.valid))


def swapped(pair: LabelledPair) -> LabelledPair:
    """Swap the dates."""
    return replace(pair, before=pair.after, after=pair.before)


@dataclass(frozen=True)
class CurvePoint:
    """One point of a curve.

    Attributes:
        curve: name of the curve.
        key: under which the F1 is stored in the point's record.
        position: on the axis of the curve, as stored in the record.
        disturb: modifies a pair.
        settings: of the comparison; None: not comparable.
        baseline: nothing is modified, so the score is that of the evaluation itself.
    """

    curve: str
    key: str
    position: dict[str, float | None]
    disturb: Disturbance
    settings: ComparisonSettings | None
    baseline: bool

    @property
    def size(self) -> float:
        """Scale of the images; points of one size are measured together."""
        return self.position.get("scale") or 1.0


def _scaled_settings(config: ScanConfig, settings: ComparisonSettings, factor: float) -> ComparisonSettings | None:
    """Return the settings for images resampled by ``factor``; None if no profile accepts them."""
    if settings.gsd_m is None:
        return settings
    try:
        return comparison_settings(config, settings.gsd_m / factor, settings.align)
    except SettingsError:  # coarser than every profile: a scan would refuse them too
        return None


def curve_points(config: ScanConfig, settings: ComparisonSettings) -> list[CurvePoint]:
    """Return all points of all curves."""
    points = []
    for pixels in SHIFTS_PX:
        for key, align in (("f1", False), ("f1_aligned", True)):
            baseline = not pixels and settings.align == align
            disturb = partial(shifted, pixels=pixels)
            aligned = replace(settings, align=align)
            points.append(CurvePoint("shift", key, {"px": pixels}, disturb, aligned, baseline))
    for gamma in GAMMAS:
        disturb = partial(with_gamma, gamma=gamma)
        points.append(CurvePoint("gamma", "f1", {"gamma": gamma}, disturb, settings, gamma == 1))
    for sigma in BLURS_PX:
        disturb = partial(blurred, sigma_px=sigma)
        points.append(CurvePoint("blur", "f1", {"sigma_px": sigma}, disturb, settings, not sigma))
    for factor in SCALES:
        disturb = partial(scaled, factor=factor)
        position = {"scale": factor, "gsd_m": None if settings.gsd_m is None else settings.gsd_m / factor}
        scaled_settings = _scaled_settings(config, settings, factor)
        points.append(CurvePoint("scale", "f1", position, disturb, scaled_settings, factor == 1))
    points.append(CurvePoint("swapped", "f1", {}, swapped, settings, False))
    return points


def measure_robustness(
    pairs: Callable[[], Iterable[LabelledPair]],
    baseline: dict[str, PixelCounts],
    detector: Detector,
    scorer: QuestionScorer,
    points: list[CurvePoint],
    progress: Callable[[float], None],
) -> dict[str, Any]:
    """Measure all curves.

    Args:
        pairs: returns a new iterator over the pairs.
        baseline: pixel counts of the evaluation by name of the pair, which are not computed again.
        detector: loaded weights.
        scorer: question and threshold.
        points: of :func:`curve_points`.
        progress: called with the completed share, 0…1.

    Returns:
        For each curve its points: position, F1 over all pixels together, and number of pairs that could be compared.
    """
    counts = [PixelCounts()] * len(points)
    compared = [0] * len(points)
    done = 0
    # one size after the other, because a runtime compiles for each shape
    for size in sorted({point.size for point in points}):
        for pair in pairs():
            for index, point in enumerate(points):
                if point.size != size:
                    continue
                counted = baseline[pair.name] if point.baseline else _count(pair, point, detector, scorer)
                if counted is not None:
                    counts[index] += counted
                    compared[index] += 1
                done += 1
                progress(done / (len(points) * len(baseline)))
    record: dict[str, Any] = {"pairs": len(baseline), "shift": [], "gamma": [], "blur": [], "scale": [], "swapped": {}}
    for point, counted, used in zip(points, counts, compared, strict=True):
        figures = {point.key: counted.f1 if used else None, point.key.replace("f1", "pairs"): used}
        curve = record[point.curve]
        if isinstance(curve, dict):
            curve.update(figures)
        elif point.key != "f1":
            curve[-1].update(figures)
        else:
            curve.append(point.position | figures)
    return record


def _count(pair: LabelledPair, point: CurvePoint, detector: Detector, scorer: QuestionScorer) -> PixelCounts | None:
    """Count the pixels of one pair at one point; None if it is not comparable."""
    if point.settings is None:
        return None
    try:
        prediction = predict_pair(detector, point.disturb(pair), point.settings)
    except NotComparable:
        return None
    return count_pixels(pair.changed, scorer.changed_mask(prediction), prediction.scored)
