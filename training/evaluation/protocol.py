"""Protocol of an evaluation: everything that determines its figures, so that they can be reproduced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from training.evaluation.folder_run import FolderRun
from training.evaluation.pair_listing import PairListing
from training.evaluation.prediction import BLOCK_MULTIPLE_PX, MAX_BLOCK_PX
from training.sources.manifest import Manifest

SCALING = (
    "images reduced by averaging or enlarged bicubically as in a scan; probabilities resampled "
    "bilinearly to the label's grid and scored there"
)
UNSCALED = "none: images are compared and scored on their own pixels"
BALANCING = (
    "each band of each date normalized to a common mean and standard deviation, measured on its valid pixels as in a "
    "scan"
)
POOLING = "pixels of all images counted together; complete images, not tiles; no test-time augmentation"
MATCHING = (
    "connected components (8 neighbours) of label and prediction on the label's grid, matched one to one, highest IoU "
    "first; recall by the true object's size class, precision by the predicted object's"
)
FILTERED = (
    "predicted objects below the minimum of their kind are dropped, true ones are not; pixel metrics are not filtered, "
    "and outlines are not cleaned or simplified as in a scan"
)
UNFILTERED = "not applied: the ground sample distance is unknown"
CURVES = (
    "pixel F1 over all pixels of the pairs together; shift: the later date and its label against the earlier one, "
    "along both axes, empty edges blank on both dates and not scored; gamma and blur: of the later date; scale: both "
    "dates, scored on the label's own grid"
)


def threshold_source(run: FolderRun) -> str:
    """Describe where the threshold comes from."""
    where = f"stored with the weights {run.detector.weights.name}, chosen on training data when they were exported"
    if run.scorer.question != "any":
        return where
    each = ", ".join(f"{name} {value:g}" for name, value in run.scorer.thresholds.items())
    return f"0.5, to which the threshold of each output ({each}; {where}) is mapped"


def build_protocol(
    folder: Path,
    run: FolderRun,
    listing: PairListing,
    manifest: Manifest | None,
    sources: dict[str, str],
    limit: int | None,
    curves: dict[str, Any] | None,
    copies: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return everything that determines the figures, as plain data.

    Args:
        folder: of the labelled pairs.
        run: finished evaluation.
        listing: files of the folder.
        manifest: of the folder, if any.
        sources: where question and ground sample distance come from.
        limit: largest number of pairs; None: all.
        curves: robustness curves; None: not measured.
        copies: restyled copies; None: not measured.
    """
    weights, settings, scorer = run.detector.weights, run.settings, run.scorer
    registered = len(run.evaluated) - len(run.refused) if settings.align else 0
    return {
        "folder": str(folder),
        "question": scorer.question,
        "question_source": sources["question"],
        "weights": {"name": weights.name, "sha256": weights.sha256},
        "network": weights.layout.name,
        "runtime": run.detector.runtime,
        "precision": run.detector.precision,
        "threshold": scorer.threshold,
        "threshold_source": threshold_source(run),
        "gsd_m": settings.gsd_m,
        "gsd_source": sources["gsd"],
        "profile": None if settings.scan is None else settings.scan.profile_name,
        "detection_gsd_m": settings.resolution_m,
        "scale": 1 / settings.reduction,
        "looks": settings.looks(weights).as_json(),
        "calibrated": weights.calibration is not None,
        "scaling": UNSCALED if settings.reduction == 1 else SCALING,
        "alignment": {
            "asked": settings.align,
            "registered": registered,
            "refused": run.refused,
            "refused_missed": settings.refused_missed,
            "median_residual_px": float(np.median(run.residuals)) if run.residuals else None,
        },
        "balancing": BALANCING,
        "pooling": POOLING,
        "blocks": f"sides padded with blank pixels to multiples of {BLOCK_MULTIPLE_PX} px; larger images in blocks of "
        f"{MAX_BLOCK_PX} px with a halo of {run.detector.halo} px",
        "object_matching": MATCHING,
        "false_alarm": "a predicted object without a changed pixel; per km² of unchanged ground",
        "minimum_area_m2": None if scorer.minimum is None else scorer.minimum.model_dump(),
        "minimum_area": UNFILTERED if scorer.minimum is None else FILTERED,
        "images": len(run.evaluated),
        "sizes": dict(run.sizes),
        "scored_pixels": run.scored_px,
        "pixels_not_scored": run.blank_px,
        "labels": "changed is above 127, or above 0 where the largest value is 1"
        + ("" if run.unknown is None else f"; {run.unknown} is unknown and not scored"),
        "labels_in_doubt": run.in_doubt,
        "limit": limit,
        "pairs_in_folder": len(listing.pairs) + len(listing.failed),
        "failed_pairs": len(listing.failed) + len(run.failed),
        "ignored_files": len(listing.ignored),
        "manifest": None if manifest is None else manifest.model_dump(),
        "seeds": None if copies is None else copies["seeds"],
        "robustness": None if curves is None else CURVES,
    }
