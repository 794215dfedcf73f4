"""What decided the figures of an evaluation, in words and numbers: without it nobody can repeat them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from training.evaluation.prediction import LARGEST, ROUND_TO
from training.evaluation.reading import Listing
from training.evaluation.run import FolderRun
from training.sources.manifest import Manifest

SCALING = (
    "images reduced by averaging or enlarged bicubically as in a scan; probabilities brought back to the label's grid "
    "bilinearly and scored there"
)
UNSCALED = "none: images are compared and scored on their own pixels"
BALANCING = "each date of each pair brought to one mean and spread per band, measured on its valid pixels as in a scan"
POOLING = "pixels of all images counted together; whole images, no tiles scored, no test-time augmentation"
MATCHING = (
    "connected components (8 neighbours) of label and prediction on the label's grid, matched one to one, highest IoU "
    "first; recall by the true object's size class, precision by the found object's"
)
FILTERED = (
    "found objects below the minimum of their kind are dropped, true ones are not; pixel figures are not filtered, and "
    "outlines are not cleaned or simplified as in a scan"
)
UNFILTERED = "not applied: the ground sample distance is unknown"
CURVES = (
    "pixel F1 over all pixels of the pairs together; shift: the later date and its label against the earlier one, "
    "along both axes, emptied edges blank on both dates and not scored; gamma and blur: of the later date; scale: both "
    "dates, scored on the label's own grid"
)


def threshold_source(run: FolderRun) -> str:
    """Where the threshold was chosen."""
    where = f"stored with the weights {run.detector.weights.name}, chosen on training data when they were exported"
    if run.asked.question != "any":
        return where
    each = ", ".join(f"{name} {value:g}" for name, value in run.asked.thresholds.items())
    return f"0.5, to which the threshold of each output ({each}; {where}) is mapped"


def write_protocol(
    folder: Path,
    run: FolderRun,
    listing: Listing,
    manifest: Manifest | None,
    sources: dict[str, str],
    limit: int | None,
    curves: dict[str, Any] | None,
    copies: dict[str, Any] | None,
) -> dict[str, Any]:
    """Everything that decides the figures, as plain data."""
    weights, look, asked = run.detector.weights, run.look, run.asked
    registered = len(run.seen) - len(run.refused) if look.align else 0
    return {
        "folder": str(folder),
        "question": asked.question,
        "question_source": sources["question"],
        "weights": {"name": weights.name, "sha256": weights.sha256},
        "network": weights.layout.name,
        "runtime": run.detector.runtime,
        "precision": run.detector.precision,
        "threshold": asked.threshold,
        "threshold_source": threshold_source(run),
        "gsd_m": look.gsd_m,
        "gsd_source": sources["gsd"],
        "profile": None if look.settings is None else look.settings.profile_name,
        "detection_gsd_m": look.resolution_m,
        "scale": 1 / look.step,
        "scaling": UNSCALED if look.step == 1 else SCALING,
        "alignment": {
            "asked": look.align,
            "registered": registered,
            "refused": run.refused,
            "median_residual_px": float(np.median(run.residuals)) if run.residuals else None,
        },
        "balancing": BALANCING,
        "pooling": POOLING,
        "blocks": f"sides rounded up to multiples of {ROUND_TO} px with blank pixels; larger ones in blocks of "
        f"{LARGEST} px with a halo of {run.detector.halo} px",
        "object_matching": MATCHING,
        "false_alarm": "a found object without a changed pixel, for each km² that did not change",
        "minimum_area_m2": None if asked.minimum is None else asked.minimum.model_dump(),
        "minimum_area": UNFILTERED if asked.minimum is None else FILTERED,
        "images": len(run.seen),
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
