"""What unregistered shifts cost: recall and precision of alerts by shift, ``python -m benchmarks.shift_loss``.

Training pairs are displaced by a known shift and compared without registration. A labelled change counts as found if a
fifth of it is predicted, a predicted object as true if a fifth of it is labelled. The ratio of the precision to that
without shift is ``confidence_by_shift`` of ``configs/profiles.yaml``.
"""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

import cv2
import numpy as np

from inference.settings import read_config
from model.detector import Detector
from model.network_outputs import CHANGE_OUTPUTS
from training.evaluation.comparison import comparison_settings
from training.evaluation.objects import components
from training.evaluation.pair_decoding import read_pair
from training.evaluation.pair_listing import list_pairs
from training.evaluation.prediction import predict_pair
from training.evaluation.robustness import shifted

SHIFTS_PX = (0, 2, 4, 8, 16, 32)

FOLDERS = (("train/levir", "a*", "building", 0.5), ("train/dsifn", "*", "ground", 0.5))
"""Folder, names, output that is asked, and metres per pixel."""

LEAST_SHARE, LEAST_PX = 0.2, 200
"""Share of an object that must overlap, and the smallest object that counts, pixels."""


def measure(folder: Path, names: str, output: str, gsd_m: float, count: int, detector: Detector) -> None:
    """Print recall and precision of one folder by shift."""
    settings = comparison_settings(read_config(), gsd_m)
    channel = CHANGE_OUTPUTS.index(output)
    calibration = detector.weights.calibration
    thresholds = detector.weights.threshold if calibration is None else calibration.thresholds("inspect", gsd_m)
    files = [one for one in list_pairs(folder).pairs if Path(one.name).match(names)]
    counts = np.zeros((len(SHIFTS_PX), 4), np.int64)
    for one in files[:: max(1, len(files) // count)][:count]:
        pair = read_pair(one)
        for number, shift in enumerate(SHIFTS_PX):
            prediction = predict_pair(detector, shifted(pair, shift / math.sqrt(2.0)), settings)
            predicted = (prediction.probabilities[channel] >= thresholds[output]) & prediction.scored
            changed = pair.changed & prediction.scored
            for column, (mask, other) in enumerate(((changed, predicted), (predicted, changed))):
                objects = components(mask)
                large = objects.area_px >= LEAST_PX
                hit = objects.means(other.astype(np.float32)) >= LEAST_SHARE
                counts[number, 2 * column : 2 * column + 2] += (int((hit & large).sum()), int(large.sum()))
    for shift, (found, labelled, true, reported) in zip(SHIFTS_PX, counts, strict=True):
        print(
            f"{folder.name} {output}, {shift:2d} px: recall {found / max(labelled, 1):.3f} of {labelled}, "
            f"precision {true / max(reported, 1):.3f} of {reported}",
            flush=True,
        )


def main() -> None:
    """Measure training folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("TUBAN_REAL_IMAGERY"))
    parser.add_argument("--count", type=int, default=40, help="pairs of each folder, evenly chosen")
    parser.add_argument("--weights", default=None)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the data folder with --data or TUBAN_REAL_IMAGERY")
    cv2.setNumThreads(1)
    detector = Detector(arguments.weights or read_config().weights)
    for folder, names, output, gsd_m in FOLDERS:
        measure(Path(arguments.data) / folder, names, output, gsd_m, arguments.count, detector)


if __name__ == "__main__":
    main()
