"""How the pixel F1 falls when the dates are moved, exposed, blurred or resampled, and when they are swapped."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from errors import NotComparable, SettingsError
from imagery import Patch
from inference.settings import ScanConfig
from model.detector import Detector
from training.evaluation.pixels import PixelCounts, count_pixels
from training.evaluation.prediction import predict_pair
from training.evaluation.questions import Asked
from training.evaluation.reading import LabelledPair
from training.evaluation.resolution import Look, look_at

SHIFTS_PX = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
GAMMAS = (0.5, 0.7, 1.0, 1.4, 2.0)
BLURS_PX = (0.0, 0.5, 1.0, 2.0, 3.0)
SCALES = (0.5, 0.7, 1.0, 1.4, 2.0)

Change = Callable[[LabelledPair], LabelledPair]


def shifted(pair: LabelledPair, pixels: float) -> LabelledPair:
    """The later date moved right and down by ``pixels`` along both axes, against the earlier one.

    Changes have the geometry of the later date, and so has the label: so both stay, and the earlier date is moved the
    other way. What has no ground any more at its edges is not valid.
    """
    if not pixels:
        return pair
    rgb, valid = pair.before.rgb, pair.before.valid
    whole = math.floor(pixels)
    moved, sure = np.zeros_like(rgb), np.zeros_like(valid)
    rows, columns = valid.shape[0] - whole, valid.shape[1] - whole
    if rows > 0 and columns > 0:
        moved[:rows, :columns], sure[:rows, :columns] = rgb[whole:, whole:], valid[whole:, whole:]
    rest = pixels - whole
    if rest:
        mapping = np.array([[1, 0, rest], [0, 1, rest]], np.float64)
        size = (valid.shape[1], valid.shape[0])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(moved, mapping, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        share = cv2.warpAffine(sure.astype(np.float32), mapping, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        sure = np.asarray(share > 0.99)
    return replace(pair, before=Patch(np.asarray(moved, dtype=np.uint8), sure))


def with_gamma(pair: LabelledPair, gamma: float) -> LabelledPair:
    """The later date with 255 · (value / 255) ** gamma."""
    table = np.rint(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
    return replace(pair, after=Patch(table[pair.after.rgb], pair.after.valid))


def blurred(pair: LabelledPair, sigma_px: float) -> LabelledPair:
    """The later date blurred by a Gaussian."""
    if not sigma_px:
        return pair
    soft = np.asarray(cv2.GaussianBlur(pair.after.rgb, (0, 0), sigma_px), dtype=np.uint8)
    return replace(pair, after=Patch(soft, pair.after.valid))


def _resampled(image: Patch, size: tuple[int, int], smaller: bool) -> Patch:
    flag = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    rgb = np.asarray(cv2.resize(image.rgb, size, interpolation=flag), dtype=np.uint8)
    share = cv2.resize(
        image.valid.astype(np.float32), size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
    return Patch(rgb, np.asarray(share > 0.99))


def scaled(pair: LabelledPair, factor: float) -> LabelledPair:
    """Both dates with ``factor`` times as many pixels along each axis; the label keeps its own."""
    if factor == 1:
        return pair
    height, width = pair.after.valid.shape
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    before, after = (_resampled(image, size, factor < 1) for image in (pair.before, pair.after))
    return replace(pair, before=before, after=after)


def swapped(pair: LabelledPair) -> LabelledPair:
    """The later date first."""
    return replace(pair, before=pair.after, after=pair.before)


@dataclass(frozen=True)
class Variation:
    """One point of a curve.

    Attributes:
        curve: which curve it belongs to.
        key: what of the point's record the F1 is.
        at: what the point's record says of where it lies.
        change: makes the pair.
        look: how it is looked at; None: it cannot be.
        plain: nothing is changed, so the score is that of the evaluation itself.
    """

    curve: str
    key: str
    at: dict[str, float | None]
    change: Change
    look: Look | None
    plain: bool

    @property
    def size(self) -> float:
        """Times that the pair's images are larger: points of one size are measured together."""
        return self.at.get("scale") or 1.0


def _bind(
    change: Callable[[LabelledPair, float], LabelledPair], value: float
) -> Callable[[LabelledPair], LabelledPair]:
    return lambda pair: change(pair, value)


def _look_scaled(config: ScanConfig, look: Look, factor: float) -> Look | None:
    if look.gsd_m is None:
        return look
    try:
        return look_at(config, look.gsd_m / factor, look.align)
    except SettingsError:  # coarser than every profile: a scan would refuse it too
        return None


def variations(config: ScanConfig, look: Look) -> list[Variation]:
    """All points of all curves."""
    out = []
    for pixels in SHIFTS_PX:
        for key, align in (("f1", False), ("f1_aligned", True)):
            plain = not pixels and look.align == align
            one = Variation("shift", key, {"px": pixels}, _bind(shifted, pixels), replace(look, align=align), plain)
            out.append(one)
    out += [Variation("gamma", "f1", {"gamma": g}, _bind(with_gamma, g), look, g == 1) for g in GAMMAS]
    out += [Variation("blur", "f1", {"sigma_px": s}, _bind(blurred, s), look, not s) for s in BLURS_PX]
    for factor in SCALES:
        there = _look_scaled(config, look, factor)
        at = {"scale": factor, "gsd_m": None if look.gsd_m is None else look.gsd_m / factor}
        out.append(Variation("scale", "f1", at, _bind(scaled, factor), there, factor == 1))
    out.append(Variation("swapped", "f1", {}, swapped, look, False))
    return out


def measure_robustness(
    pairs: Callable[[], Iterable[LabelledPair]],
    plain: dict[str, PixelCounts],
    detector: Detector,
    asked: Asked,
    points: list[Variation],
    progress: Callable[[float], None],
) -> dict[str, Any]:
    """Measure all curves over pairs.

    Args:
        pairs: reads them one by one, each time from the first.
        plain: what the evaluation counted, by the pair's name: it is not computed again.
        detector: loaded weights.
        asked: question and threshold.
        points: of :func:`variations`.
        progress: told the part done, 0…1.

    Returns:
        For each curve its points: where it lies, F1 over all pixels together, and how many pairs could be compared.
    """
    counts = [PixelCounts()] * len(points)
    compared = [0] * len(points)
    done = 0
    # one size after the other, as a runtime prepares itself for each shape
    for size in sorted({point.size for point in points}):
        for pair in pairs():
            for index, point in enumerate(points):
                if point.size != size:
                    continue
                counted = plain[pair.name] if point.plain else _count(pair, point, detector, asked)
                if counted is not None:
                    counts[index] += counted
                    compared[index] += 1
                done += 1
                progress(done / (len(points) * len(plain)))
    out: dict[str, Any] = {"pairs": len(plain), "shift": [], "gamma": [], "blur": [], "scale": [], "swapped": {}}
    for point, counted, used in zip(points, counts, compared, strict=True):
        figures = {point.key: counted.f1 if used else None, point.key.replace("f1", "pairs"): used}
        curve = out[point.curve]
        if isinstance(curve, dict):
            curve.update(figures)
        elif point.key != "f1":
            curve[-1].update(figures)
        else:
            curve.append(point.at | figures)
    return out


def _count(pair: LabelledPair, point: Variation, detector: Detector, asked: Asked) -> PixelCounts | None:
    if point.look is None:
        return None
    try:
        prediction = predict_pair(detector, point.change(pair), point.look)
    except NotComparable:
        return None
    return count_pixels(pair.changed, asked.predicted(prediction), prediction.scored)
