"""Calibrate weights: Platt scaling by resolution, thresholds of both operating points, cut of the coarse look."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from errors import SettingsError
from inference.fragments import change_masks
from inference.looks import COARSE_SCALE, choose_looks
from inference.settings import ScanConfig
from model.calibration import OPERATING_POINTS, Calibration, Knot, OperatingPoint
from model.detector import Detector
from model.looks import Looks
from model.multi_scale import CELL, REACH_CELLS, logit
from model.network_outputs import CHANGE_OUTPUTS
from training.calibration.held_out_pairs import HeldOutPairs, held_out_pairs
from training.calibration.platt import LogitCounts, calibration_error, f_scores, fit_line
from training.evaluation.comparison import comparison_settings
from training.evaluation.prediction import predict_pair
from training.recipe import Recipe

SAME_GSD_FACTOR = 1.35
"""Sources whose ground sample distances differ by less than this factor share a knot."""

ANY_CHANGE_FROM_M = 5.0
"""From this ground sample distance on, buildings and ground works look alike: each output is calibrated on both."""

THRESHOLDS = np.round(np.arange(0.05, 0.951, 0.01), 2)
FALSE_ALARMS_PER_KM2 = {"building": 1.0, "ground": 4.0}
"""Largest number of false alarms on unchanged ground at the operating point "inspect". Part of the unchanged pairs'
ground did change (fire, flood, ploughing), so its figure is larger."""

MAX_F1_LOSS = 0.03
"""Most that the mean F1 may fall below its best for fewer false alarms."""

FIND_ALL_BETA = 2.0
"""At the operating point "all", recall counts this many times as much as precision (F2)."""

MAX_LOST = 0.002
"""Largest share of rightly found pixels that the coarse look may lose."""

JOINT_EDGES = np.linspace(-14, 14, 141)
"""Edges of the bins of both outputs' logits together."""

Progress = Callable[[str, float], None]
Floats = NDArray[np.float32]
UnchangedMap = tuple[NDArray[np.float16], float, float]
"""Calibrated probabilities 3×H×W of an unchanged pair, metres per pixel, and km²."""


@dataclass(frozen=True)
class MeasuredPairs:
    """What the network said on the pairs of one source.

    Attributes:
        pairs: the source.
        counts: pixels by fused logit, by output.
        joint: of coarse imagery, changed and unchanged pixels by bin of both outputs' logits; see :data:`JOINT_EDGES`.
        found: by output, N×2 of changed pixels: fused logit, and largest coarse logit around; empty if there is none.
    """

    pairs: HeldOutPairs
    counts: Mapping[str, LogitCounts]
    joint: NDArray[np.float64]
    found: Mapping[str, Floats]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Outputs that can be calibrated on the labels."""
        every = self.pairs.nominal_gsd_m >= ANY_CHANGE_FROM_M
        return CHANGE_OUTPUTS if every else (self.pairs.question,)


def calibrate(
    detector: Detector, recipe: Recipe, root: Path, config: ScanConfig, progress: Progress | None = None
) -> Calibration:
    """Fit the calibration of a detector's weights on the pairs that a recipe keeps out of training.

    Args:
        detector: loaded weights; their present calibration does not matter.
        recipe: whose sources have validation splits.
        root: folder that its folders are relative to.
        config: profiles of scans.
        progress: called with the current part and the fraction of it completed, 0…1.

    Raises:
        SettingsError: an output has no pairs that were kept out of training.
    """
    report = progress or (lambda _part, _fraction: None)
    sources = held_out_pairs(recipe, root)
    measured = [_measure(detector, source, config, report) for source in sources if source.question]
    knots = {output: _knots(measured, output) for output in CHANGE_OUTPUTS}
    for output, own in knots.items():
        if not own:
            raise SettingsError(
                f"No source of the recipe keeps pairs of the question {output!r} out of training; set validation_split."
            )
    unchanged = [source for source in sources if not source.question]
    fitted = Calibration(knots, dict.fromkeys(CHANGE_OUTPUTS, 0.0))
    alarms = [maps for source in unchanged for maps in _unchanged_maps(detector, source, config, fitted, report)]
    fitted, alarm_record = _with_thresholds(measured, fitted, alarms, config)
    cut, lost = _coarse_cut(measured, fitted)
    record = {
        "sources": [_source_record(one, measured, fitted, lost) for one in measured],
        "unchanged": alarm_record | {"sources": [f"{source.name}: {source.count} pairs" for source in unchanged]},
    }
    return Calibration(fitted.knots, cut, record)


def _uncalibrated(detector: Detector, source: HeldOutPairs, config: ScanConfig) -> tuple[Any, Looks]:
    settings = comparison_settings(config, source.gsd_m)
    profile = None if settings.scan is None else settings.scan.profile
    looks = choose_looks(detector.weights, profile, source.gsd_m, settings.resolution_m or 1.0)
    return settings, Looks(looks.scales)


def _measure(detector: Detector, source: HeldOutPairs, config: ScanConfig, report: Progress) -> MeasuredPairs:
    settings, looks = _uncalibrated(detector, source, config)
    gated = settings.scan is None or settings.scan.profile.coarse_to_fine
    coarse = Looks((COARSE_SCALE,)) if gated else None
    joint = np.zeros((2, len(JOINT_EDGES) - 1, len(JOINT_EDGES) - 1))
    reach = max(1, round(REACH_CELLS * CELL * settings.reduction))
    around = np.ones((2 * reach + 1,) * 2, np.uint8)
    counts = {output: LogitCounts.empty() for output in CHANGE_OUTPUTS}
    found: dict[str, list[Floats]] = {output: [] for output in CHANGE_OUTPUTS}
    for number, pair in enumerate(source.read(), 1):
        fused = predict_pair(detector, pair, settings, looks=looks)
        low = None if coarse is None else predict_pair(detector, pair, settings, looks=coarse)
        changed = pair.changed & fused.scored
        if source.nominal_gsd_m >= ANY_CHANGE_FROM_M:
            both = np.clip(logit(fused.probabilities[:2]), -13.9, 13.9)
            for row, mask in enumerate((changed, fused.scored & ~changed)):
                joint[row] += np.histogram2d(both[0][mask], both[1][mask], (JOINT_EDGES, JOINT_EDGES))[0]
        for channel, output in enumerate(CHANGE_OUTPUTS):
            logits = logit(fused.probabilities[channel])
            counts[output] += LogitCounts.of(logits[fused.scored], changed[fused.scored])
            if low is not None:
                largest = cv2.dilate(logit(low.probabilities[channel]), around)
                found[output].append(np.stack([logits[changed], largest[changed]], axis=1))
        report(f"Calibrating on {source.name}", number / source.count)
    joined = {
        output: np.concatenate(parts) if parts else np.zeros((0, 2), np.float32) for output, parts in found.items()
    }
    return MeasuredPairs(source, counts, joint, joined)


def _groups(measured: Sequence[MeasuredPairs], output: str) -> list[list[MeasuredPairs]]:
    """Group the sources of an output by ground sample distance."""
    groups: list[list[MeasuredPairs]] = []
    for one in sorted((one for one in measured if output in one.outputs), key=lambda one: one.pairs.nominal_gsd_m):
        if groups and one.pairs.nominal_gsd_m <= groups[-1][0].pairs.nominal_gsd_m * SAME_GSD_FACTOR:
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def _knots(measured: Sequence[MeasuredPairs], output: str) -> tuple[Knot, ...]:
    knots = []
    for group in _groups(measured, output):
        gsd_m = math.exp(float(np.mean([math.log(one.pairs.nominal_gsd_m) for one in group])))
        knots.append(Knot(round(gsd_m, 3), *fit_line([one.counts[output] for one in group])))
    return tuple(knots)


def _unchanged_maps(
    detector: Detector, source: HeldOutPairs, config: ScanConfig, fitted: Calibration, report: Progress
) -> list[UnchangedMap]:
    """Compare unchanged pairs as a scan does: registered first; pairs that cannot be registered are left out."""
    settings, looks = _uncalibrated(detector, source, config)
    settings = replace(settings, align=True)
    looks = Looks(looks.scales, None, fitted.lines(source.gsd_m))
    maps = []
    for number, pair in enumerate(source.read(), 1):
        report(f"False alarms on {source.name}", number / source.count)
        prediction = predict_pair(detector, pair, settings, looks=looks)
        if prediction.alignment.reason is not None:
            continue
        area = float(prediction.scored.sum()) * source.nominal_gsd_m**2 / 1e6
        probabilities = np.where(prediction.scored, prediction.probabilities, 0).astype(np.float16)
        maps.append((probabilities, source.nominal_gsd_m, area))
    return maps


def _with_thresholds(
    measured: Sequence[MeasuredPairs],
    fitted: Calibration,
    unchanged: Sequence[UnchangedMap],
    config: ScanConfig,
) -> tuple[Calibration, dict[str, Any]]:
    """Add the thresholds of both operating points to the knots, and record the false alarms on unchanged ground.

    At each knot the thresholds maximize the mean F1 (inspect) and F2 (all) of its sources. For few false alarms those
    of "inspect" are raised together, by the same step of the logit, where imagery is as fine as the unchanged pairs.
    """
    record: dict[str, Any] = {"area_km2": sum(area for _, _, area in unchanged)}
    knots: dict[str, tuple[Knot, ...]] = {}
    for output in CHANGE_OUTPUTS:
        groups = _groups(measured, output)
        best = [_best_thresholds(group, knot, output) for group, knot in zip(groups, fitted.knots[output], strict=True)]
        chosen, raised = fitted, 0.0
        for step in np.arange(0.0, 3.01, 0.1):
            candidate = Calibration({output: tuple(_raised(knot, float(step)) for knot in best)}, {})
            loss = _mean_f1(measured, output, Calibration({output: tuple(best)}, {})) - _mean_f1(
                measured, output, candidate
            )
            if step and loss > MAX_F1_LOSS:
                break
            chosen, raised = candidate, float(step)
            if _alarms_per_km2(unchanged, output, candidate, "inspect", config) <= FALSE_ALARMS_PER_KM2[output]:
                break
        knots[output] = chosen.knots[output]
        record[output] = {
            "per_km2": {point: _alarms_per_km2(unchanged, output, chosen, point, config) for point in OPERATING_POINTS},
            "raised_by": raised,
        }
    return Calibration(knots, {}), record


def _best_thresholds(group: Sequence[MeasuredPairs], knot: Knot, output: str) -> Knot:
    """Return the knot with the thresholds that maximize the mean F1 and F2 of its sources."""
    line = knot.slope, knot.offset
    if knot.gsd_m >= ANY_CHANGE_FROM_M:
        inspect, everything = (_best_of_union(group, knot, output, beta) for beta in (1.0, FIND_ALL_BETA))
    else:
        means = [
            np.mean([f_scores(one.counts[output], line, THRESHOLDS, beta) for one in group], axis=0)
            for beta in (1.0, FIND_ALL_BETA)
        ]
        inspect, everything = (float(THRESHOLDS[int(np.argmax(mean))]) for mean in means)
    return replace(knot, inspect=inspect, all=min(inspect, everything))


def _best_of_union(group: Sequence[MeasuredPairs], knot: Knot, output: str, beta: float) -> float:
    """Return the threshold of one output where a pixel counts as changed if either output reaches its own."""
    joint = np.sum([one.joint for one in group], axis=0)
    below = np.zeros((2, len(JOINT_EDGES), len(JOINT_EDGES)))
    below[:, 1:, 1:] = joint.cumsum(axis=1).cumsum(axis=2)
    total = joint.sum(axis=(1, 2))
    hit, false = total[0] - below[0], total[1] - below[1]
    weighted = (1 + beta**2) * hit
    score = weighted / np.maximum(1.0, weighted + beta**2 * below[0] + false)
    place = np.unravel_index(int(np.argmax(score)), score.shape)[CHANGE_OUTPUTS.index(output)]
    value = 1 / (1 + math.exp(-(knot.slope * JOINT_EDGES[place] + knot.offset)))
    return float(np.clip(value, THRESHOLDS[0], THRESHOLDS[-1]))


def _raised(knot: Knot, step: float) -> Knot:
    """Return a knot whose threshold "inspect" is raised by a step of the logit; coarse imagery keeps its own."""
    if knot.gsd_m >= ANY_CHANGE_FROM_M:
        return knot
    raised = 1 / (1 + math.exp(-(math.log(knot.inspect / (1 - knot.inspect)) + step)))
    return replace(knot, inspect=min(raised, float(THRESHOLDS[-1])))


def _mean_f1(measured: Sequence[MeasuredPairs], output: str, fitted: Calibration) -> float:
    """Return the mean F1 of the sources of a question, at the thresholds "inspect"."""
    scores = []
    for one in measured:
        if one.pairs.question == output:
            knot = fitted.knot(output, one.pairs.gsd_m)
            scores.append(f_scores(one.counts[output], (knot.slope, knot.offset), np.array([knot.inspect]), 1.0)[0])
    return float(np.mean(scores))


def _alarms_per_km2(
    unchanged: Sequence[UnchangedMap],
    output: str,
    fitted: Calibration,
    point: OperatingPoint,
    config: ScanConfig,
) -> float:
    """Count outlines above the minimum mapping unit per km² of unchanged ground, masks cleaned as in a scan."""
    if not unchanged:
        return 0.0
    count = 0
    for probabilities, gsd_m, _ in unchanged:
        scan = comparison_settings(config, gsd_m).scan
        minimum = scan.profile.min_area_m2 if scan is not None else None
        smallest = 0.0 if minimum is None else minimum.construction if output == "building" else minimum.ground
        # the other output does not take part: 2 is never reached
        threshold = float(getattr(fitted.knot(output, gsd_m), point))
        thresholds = dict.fromkeys(CHANGE_OUTPUTS, 2.0) | {output: threshold}
        maps = probabilities.astype(np.float32)
        mask = change_masks(maps, np.ones(maps.shape[1:], np.bool_), thresholds)[output]
        areas = cv2.connectedComponentsWithStats(mask, connectivity=4)[2][1:, cv2.CC_STAT_AREA]
        count += int((areas * gsd_m**2 >= smallest).sum())
    return count / max(1e-9, sum(area for _, _, area in unchanged))


def _coarse_cut(
    measured: Sequence[MeasuredPairs], fitted: Calibration
) -> tuple[dict[str, float], dict[tuple[str, str], float]]:
    """Choose the cut of the coarse look, and return the share of found pixels it loses by source and output."""
    cut: dict[str, float] = {}
    lost: dict[tuple[str, str], float] = {}
    for output in CHANGE_OUTPUTS:
        largest = {}
        for one in measured:
            if one.pairs.question == output and len(one.found[output]):
                slope, offset = fitted.line(output, one.pairs.gsd_m)
                threshold = fitted.knot(output, one.pairs.gsd_m).inspect
                least = (math.log(threshold / (1 - threshold)) - offset) / slope
                values = one.found[output]
                largest[one.pairs.name] = np.sort(values[values[:, 0] >= least, 1])
        quantiles = [float(np.quantile(values, MAX_LOST)) for values in largest.values() if len(values)]
        # the mean of the sources' shares is kept, and no source loses more than five times as much
        most = float(np.max(quantiles)) if quantiles else -math.inf
        candidates = np.linspace(-9, most, 200) if quantiles else np.array([-9.0])
        shares = [
            [float(np.searchsorted(values, value, "right")) / max(1, len(values)) for values in largest.values()]
            for value in candidates
        ]
        fitting = [
            value
            for value, share in zip(candidates, shares, strict=True)
            if not share or (np.mean(share) <= MAX_LOST and max(share) <= 5 * MAX_LOST)
        ]
        value = 1 / (1 + math.exp(-(fitting[-1] if fitting else -9.0)))
        # below every threshold, so that ground that is not looked at again is never a change
        least = min(min(knot.inspect, knot.all) for knot in fitted.knots[output])
        cut[output] = round(min(value, 0.9 * least), 5)
        at = math.log(cut[output] / (1 - cut[output]))
        for name, values in largest.items():
            lost[name, output] = float(np.searchsorted(values, at, "right")) / max(1, len(values))
    return cut, lost


def _source_record(
    one: MeasuredPairs,
    measured: Sequence[MeasuredPairs],
    fitted: Calibration,
    lost: Mapping[tuple[str, str], float],
) -> dict[str, Any]:
    """Return the figures of one source for the model card."""
    output, counts = one.pairs.question, one.counts[one.pairs.question]
    line = fitted.line(output, one.pairs.gsd_m)
    others = [other for other in measured if other is not one and output in other.outputs]
    without = None
    if others:
        left_out = Calibration({output: _knots(others, output)}, {})
        without = calibration_error(counts, left_out.line(output, one.pairs.gsd_m))
    at = np.array([fitted.knot(output, one.pairs.gsd_m).inspect])
    return {
        "name": one.pairs.name,
        "question": output,
        "gsd_m": one.pairs.gsd_m,
        "pairs": one.pairs.count,
        "held_out": one.pairs.held_out,
        "changed_share": float(counts.changed.sum() / max(1.0, counts.changed.sum() + counts.unchanged.sum())),
        "ece_before": calibration_error(counts, (1.0, 0.0)),
        "ece": calibration_error(counts, line),
        "ece_left_out": without,
        "f1": float(f_scores(counts, line, at, 1.0)[0]),
        "best_f1": float(f_scores(counts, line, THRESHOLDS, 1.0).max()),
        "lost_by_coarse_look": lost.get((one.pairs.name, output)),
    }
