"""A folder of labelled pairs → figures, with everything that decided them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from errors import ImageError, SettingsError
from inference.settings import ScanConfig, read_config
from model.detector import Detector
from training.evaluation.pictures import write_pictures
from training.evaluation.pixels import PixelCounts
from training.evaluation.protocol import threshold_source, write_protocol
from training.evaluation.questions import Asked
from training.evaluation.reading import FailedPair, list_pairs, size_of
from training.evaluation.resolution import look_at
from training.evaluation.restyled import measure_restyled
from training.evaluation.robustness import measure_robustness, variations
from training.evaluation.run import FolderRun
from training.sources.manifest import Manifest, Question, read_manifest

ROBUSTNESS_PAIRS = 20
"""Pairs that the curves are measured on, unless a limit is given: each is compared some thirty times."""

Progress = Callable[[str, float], None]
"""Called with what is being done and how much of it is done, 0…1."""


@dataclass(frozen=True)
class Evaluation:
    """How good a detector is on one folder; :meth:`as_json` has the same names.

    Attributes:
        pairs: how many were evaluated.
        pixel: precision, recall, f1 and iou over all pixels together.
        objects: by IoU, see :meth:`training.evaluation.objects.ObjectTally.as_json`.
        false_alarms_per_km2: found objects without a changed pixel for each km² that did not change; None: unknown.
        false_alarms_per_megapixel: the same for each million pixels.
        calibration: bins, expected calibration error and the threshold.
        by_pair: name, whether the label holds a change, pixel F1, and area of false alarms in pixels.
        failed: pairs that could not be evaluated.
        robustness: curves, see :func:`training.evaluation.robustness.measure_robustness`; None unless asked for.
        restyled: see :func:`training.evaluation.restyled.measure_restyled`; None unless asked for.
        protocol: everything that decides the figures.
    """

    pairs: int
    pixel: dict[str, float]
    objects: dict[str, Any]
    false_alarms_per_km2: float | None
    false_alarms_per_megapixel: float | None
    calibration: dict[str, Any]
    by_pair: tuple[dict[str, Any], ...]
    failed: tuple[FailedPair, ...]
    robustness: dict[str, Any] | None
    restyled: dict[str, Any] | None
    protocol: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Plain data, without NaN."""
        return {**vars(self), "failed": [vars(one) for one in self.failed]}


def _evenly(items: Sequence[Any], limit: int | None) -> list[Any]:
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
    limit: int | None = None,
    robustness: bool = False,
    restyled: bool = False,
    pictures: Path | None = None,
    config: ScanConfig | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a detector on a folder ``A/ B/ label/``. One pair is in memory at a time.

    Args:
        folder: labelled pairs, perhaps with a ``manifest.yaml``.
        detector: loaded weights; their own threshold is used, none is tuned here.
        question: what the labels answer; None: what the manifest says, else "building".
        gsd_m: metres per pixel of the images; None: what the manifest says, else unknown.
        align: register the earlier date to the later one first, as a scan does.
        limit: evenly chosen pairs at most; None: all.
        robustness: measure curves too.
        restyled: measure false alarms on restyled copies too.
        pictures: folder for pictures of single pairs.
        config: profiles; None: those that ship.
        progress: told how far the work is.

    Raises:
        SettingsError: the folder is not in the layout, or an argument or the manifest cannot be used.
        ImageError: no pair could be evaluated; the message gives the first reasons.
        OutputError: the pictures cannot be written.
    """
    tell = progress or (lambda _part, _done: None)
    manifest = read_manifest(folder)
    asked_for, known_gsd, sources = _settle(manifest, question, gsd_m)
    listing = list_pairs(folder)
    config = config or read_config()
    look = look_at(config, known_gsd, align)
    minimum = None if look.settings is None else look.settings.profile.min_area_m2
    asked = Asked(asked_for, detector.weights.threshold, minimum)
    run = FolderRun(detector, asked, look, pictures is not None, manifest.unknown if manifest else None)
    chosen = _evenly(listing.pairs, limit)
    # one size after the other: a runtime prepares itself for each shape
    for number, files in enumerate(sorted(chosen, key=lambda files: size_of(files.after)), 1):
        run.add(files)
        tell("Evaluating", number / len(chosen))
    failed = tuple(sorted((*listing.failed, *run.failed), key=lambda one: one.pair))
    if not run.seen:
        reasons = "; ".join(f"{one.pair}: {one.reason}" for one in failed[:3])
        raise ImageError(f"None of the {len(failed)} pairs of {folder} could be evaluated. {reasons}")
    curves = _robustness(run, config, limit, tell) if robustness else None
    copies = _restyled(run, tell) if restyled else None
    protocol = write_protocol(folder, run, listing, manifest, sources, limit, curves, copies)
    if pictures is not None:
        protocol["pictures"] = write_pictures(pictures, run.pictures())
    return Evaluation(
        pairs=len(run.seen),
        pixel=sum((one.counts for one in run.seen), PixelCounts()).as_json(),
        objects=run.objects.as_json(),
        false_alarms_per_km2=run.objects.per_km2(),
        false_alarms_per_megapixel=run.objects.per_megapixel(),
        calibration=run.calibration.as_json()
        | {"threshold": run.asked.threshold, "threshold_source": threshold_source(run)},
        by_pair=tuple(one.as_json() for one in sorted(run.seen, key=lambda one: one.files.name)),
        failed=failed,
        robustness=curves,
        restyled=copies,
        protocol=protocol,
    )


def _settle(
    manifest: Manifest | None, question: Question | None, gsd_m: float | None
) -> tuple[Question, float | None, dict[str, str]]:
    """What is asked, metres per pixel, and where each is from."""
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


def _robustness(run: FolderRun, config: ScanConfig, limit: int | None, tell: Progress) -> dict[str, Any]:
    some = _evenly(run.seen, limit or ROBUSTNESS_PAIRS)
    plain = {one.files.name: one.counts for one in some}
    points = variations(config, run.look)
    return measure_robustness(
        lambda: run.read_again(some), plain, run.detector, run.asked, points, lambda done: tell("Robustness", done)
    )


def _restyled(run: FolderRun, tell: Progress) -> dict[str, Any]:
    pairs = run.read_again(run.seen)
    return measure_restyled(
        pairs, len(run.seen), run.detector, run.asked, run.look, run.pixel_m2, lambda done: tell("Restyled", done)
    )
