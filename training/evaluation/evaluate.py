"""Evaluation of a detector on a folder of labelled pairs: metrics and the protocol that reproduces them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from errors import ImageError, SettingsError
from inference.looks import choose_thresholds
from inference.settings import ScanConfig, read_config
from model.calibration import OperatingPoint
from model.detector import Detector
from training.evaluation.comparison import comparison_settings
from training.evaluation.folder_run import FolderRun
from training.evaluation.pair_decoding import image_size
from training.evaluation.pair_listing import FailedPair, list_pairs
from training.evaluation.pictures import write_pictures
from training.evaluation.pixels import PixelCounts
from training.evaluation.protocol import build_protocol, threshold_source
from training.evaluation.question_scoring import QuestionScorer
from training.evaluation.restyled import measure_restyled
from training.evaluation.robustness import curve_points, measure_robustness
from training.sources.manifest import Manifest, Question, read_manifest

ROBUSTNESS_PAIRS = 20
"""Default number of pairs for the robustness curves: each of them is compared about thirty times."""

Progress = Callable[[str, float], None]
"""Called with the name of the current step and its completed share, 0…1."""


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a detector on one folder; :meth:`as_json` has the same names.

    Attributes:
        pairs: number of evaluated pairs.
        pixel: precision, recall, f1 and iou over all pixels together.
        objects: by IoU, see :meth:`training.evaluation.objects.ObjectTally.as_json`.
        false_alarms_per_km2: predicted objects without a changed pixel per km² of unchanged ground; None: unknown.
        false_alarms_per_megapixel: the same per million unchanged pixels.
        areas_mu: changed, found and falsely reported area in mu, of objects of the minimum mapping unit; None: unknown.
        by_resolution: the same figures with the images reduced to coarser resolutions; empty unless requested.
        calibration: bins, expected calibration error and the threshold.
        by_pair: name, whether the label contains a change, pixel F1, and area of false alarms in pixels.
        failed: pairs that could not be evaluated.
        robustness: curves, see :func:`training.evaluation.robustness.measure_robustness`; None unless requested.
        restyled: see :func:`training.evaluation.restyled.measure_restyled`; None unless requested.
        protocol: everything that determines the figures.
    """

    pairs: int
    pixel: dict[str, float]
    objects: dict[str, Any]
    false_alarms_per_km2: float | None
    false_alarms_per_megapixel: float | None
    areas_mu: dict[str, float] | None
    by_resolution: tuple[dict[str, Any], ...]
    calibration: dict[str, Any]
    by_pair: tuple[dict[str, Any], ...]
    failed: tuple[FailedPair, ...]
    robustness: dict[str, Any] | None
    restyled: dict[str, Any] | None
    protocol: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return plain data without NaN."""
        return {**vars(self), "failed": [vars(one) for one in self.failed]}


def _evenly_spaced(items: Sequence[Any], limit: int | None) -> list[Any]:
    """Select at most ``limit`` evenly spaced items."""
    if limit is None or len(items) <= limit:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, limit).astype(int)]


def evaluate_folder(
    folder: Path,
    detector: Detector,
    *,
    question: Question | None = None,
    gsd_m: float | None = None,
    align: bool = False,
    register: bool = False,
    limit: int | None = None,
    robustness: bool = False,
    restyled: bool = False,
    pictures: Path | None = None,
    config: ScanConfig | None = None,
    operating_point: OperatingPoint | None = None,
    also_at_m: Sequence[float] = (),
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate a detector on a folder ``A/ B/ label/``. One pair is in memory at a time.

    Args:
        folder: labelled pairs, optionally with a ``manifest.yaml``.
        detector: loaded weights; their stored thresholds are used, none is tuned here.
        question: that the labels answer; None: from the manifest, else "building".
        gsd_m: metres per pixel of the images; None: from the manifest, else unknown.
        align: register the earlier date to the later one first; pairs that are refused are compared as they are.
        register: likewise, but refused pairs count as missed: what a user of a scan gets.
        limit: largest number of evenly spaced pairs; None: all.
        robustness: also measure robustness curves.
        restyled: also measure false alarms on restyled copies.
        pictures: folder for pictures of single pairs.
        config: scan profiles; None: the shipped ones.
        also_at_m: coarser resolutions, in metres per pixel, that the images are reduced to and measured at as well.
        operating_point: which thresholds of the weights apply; None: that of ``config``.
        progress: receives the progress.

    Raises:
        SettingsError: the folder has another layout, or an argument or the manifest is invalid.
        ImageError: no pair could be evaluated; the message gives the first reasons.
        OutputError: the pictures cannot be written.
    """
    report = progress or (lambda _part, _done: None)
    manifest = read_manifest(folder)
    resolved_question, known_gsd, sources = _resolve_question_and_gsd(manifest, question, gsd_m)
    listing = list_pairs(folder)
    config = config or read_config()
    settings = comparison_settings(config, known_gsd, align or register, register)
    minimum = None if settings.scan is None else settings.scan.profile.min_area_m2
    point = operating_point or config.operating_point
    thresholds = choose_thresholds(detector.weights, point, known_gsd)
    scorer = QuestionScorer(resolved_question, thresholds, minimum)
    run = FolderRun(detector, scorer, settings, pictures is not None, manifest.unknown if manifest else None)
    chosen = _evenly_spaced(listing.pairs, limit)
    # one size after the other, because a runtime compiles for each shape
    for number, files in enumerate(sorted(chosen, key=lambda files: image_size(files.after)), 1):
        run.add(files)
        report("Evaluating", number / len(chosen))
    failed = tuple(sorted((*listing.failed, *run.failed), key=lambda one: one.pair))
    if not run.evaluated:
        reasons = "; ".join(f"{one.pair}: {one.reason}" for one in failed[:3])
        raise ImageError(f"None of the {len(failed)} pairs of {folder} could be evaluated. {reasons}")
    curves = _robustness(run, config, limit, report) if robustness else None
    copies = _restyled(run, report) if restyled else None
    coarser = tuple(_at_resolution(run, config, gsd, point, report) for gsd in also_at_m)
    protocol = build_protocol(folder, run, listing, manifest, sources, limit, curves, copies) | {
        "operating_point": point
    }
    if pictures is not None:
        protocol["pictures"] = write_pictures(pictures, run.pictures())
    return Evaluation(
        pairs=len(run.evaluated),
        pixel=sum((one.counts for one in run.evaluated), PixelCounts()).as_json(),
        objects=run.objects.as_json(),
        false_alarms_per_km2=run.objects.per_km2(),
        false_alarms_per_megapixel=run.objects.per_megapixel(),
        areas_mu=run.areas_mu(),
        by_resolution=coarser,
        calibration=run.calibration.as_json()
        | {"threshold": run.scorer.threshold, "threshold_source": threshold_source(run)},
        by_pair=tuple(one.as_json() for one in sorted(run.evaluated, key=lambda one: one.files.name)),
        failed=failed,
        robustness=curves,
        restyled=copies,
        protocol=protocol,
    )


def _resolve_question_and_gsd(
    manifest: Manifest | None, question: Question | None, gsd_m: float | None
) -> tuple[Question, float | None, dict[str, str]]:
    """Return question, metres per pixel, and the source of each."""
    if gsd_m is not None and not 0 < gsd_m < float("inf"):
        raise SettingsError(f"The ground sample distance is {gsd_m}; expected metres per pixel, like 0.5.")
    known = manifest or Manifest()
    sources = {"question": "given", "gsd": "given"}
    if question is None:
        question = known.question
        sources["question"] = "manifest" if manifest and "question" in manifest.model_fields_set else "default"
    if gsd_m is None:
        gsd_m = known.gsd_m
        sources["gsd"] = "unknown" if gsd_m is None else "manifest"
    return question, gsd_m, sources


def _at_resolution(
    run: FolderRun, config: ScanConfig, gsd_m: float, point: OperatingPoint, report: Progress
) -> dict[str, Any]:
    """Measure the evaluated pairs, reduced to ``gsd_m`` metres per pixel, on the grid of their labels."""
    own = run.settings.gsd_m
    if own is None or not own < gsd_m < float("inf"):
        raise SettingsError(
            f"The images cannot be reduced to {gsd_m:g} m per pixel: theirs is "
            f"{'not known (--gsd)' if own is None else f'{own:g} m'}."
        )
    settings = comparison_settings(config, gsd_m, run.settings.align, run.settings.refused_missed)
    minimum = None if settings.scan is None else settings.scan.profile.min_area_m2
    thresholds = choose_thresholds(run.detector.weights, point, gsd_m)
    scorer = QuestionScorer(run.scorer.question, thresholds, minimum)
    reduced = FolderRun(run.detector, scorer, settings, False, run.unknown, own / gsd_m)
    for number, one in enumerate(run.evaluated, 1):
        reduced.add(one.files)
        report(f"At {gsd_m:g} m", number / len(run.evaluated))
    return {
        "gsd_m": gsd_m,
        "pairs": len(reduced.evaluated),
        "pixel": sum((one.counts for one in reduced.evaluated), PixelCounts()).as_json(),
        "false_alarms_per_km2": reduced.objects.per_km2(),
        "areas_mu": reduced.areas_mu(),
        "expected_calibration_error": reduced.calibration.as_json()["expected_calibration_error"],
    }


def _robustness(run: FolderRun, config: ScanConfig, limit: int | None, report: Progress) -> dict[str, Any]:
    """Measure the robustness curves on evenly spaced pairs."""
    selected = _evenly_spaced(run.evaluated, limit or ROBUSTNESS_PAIRS)
    baseline = {one.files.name: one.counts for one in selected}
    points = curve_points(config, run.settings)
    return measure_robustness(
        lambda: run.read_again(selected),
        baseline,
        run.detector,
        run.scorer,
        points,
        lambda done: report("Robustness", done),
    )


def _restyled(run: FolderRun, report: Progress) -> dict[str, Any]:
    """Measure false alarms on restyled copies of all evaluated pairs."""
    pairs = run.read_again(run.evaluated)
    return measure_restyled(
        pairs,
        len(run.evaluated),
        run.detector,
        run.scorer,
        run.settings,
        run.pixel_m2,
        lambda done: report("Restyled", done),
    )
