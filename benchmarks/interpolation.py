"""Which interpolation with the initial weights a training run should be exported with.

    .venv/bin/python -m benchmarks.interpolation configs/training/accurate-farmland.yaml

Measures the average precision on the validation splits of the recipe's sources, and on painted farmland that is drawn
anew, for several values of ``weight_interpolation``: at the images' own resolution and with one network look. The run
needs a recipe with ``weight_interpolation``, otherwise its checkpoint lacks the initial weights.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.ablation import average_precision
from model.detector import Detector
from model.network_outputs import CHANGE_OUTPUTS
from model.weights import save_weights
from training.calibration.held_out_pairs import HeldOutPairs, held_out_pairs
from training.export import load_run
from training.pixel_scores import BINS, PixelScores, count_by_probability, predict_image
from training.recipe import Recipe, read_recipe
from training.sources.samples import UNKNOWN, Image
from training.sources.source_recipes import FarmlandRecipe

FARMLAND_SAMPLES = 60
FARMLAND_SEED = 970_000
"""Samples of a run have generators seeded by (seed, number); none has this seed alone."""


@dataclass(frozen=True)
class Case:
    """Both dates, the question of the label, and the target H×W: 0, 1 or UNKNOWN."""

    before: Image
    after: Image
    question: str
    target: NDArray[np.uint8]


def held_out_cases(recipe: Recipe, root: Path, pairs: int) -> Iterator[tuple[str, Callable[[], Iterator[Case]]]]:
    """Yield the name of each source and a function that reads its pairs."""
    for source in held_out_pairs(recipe, root):
        if not source.question:
            continue

        def read(source: HeldOutPairs = source) -> Iterator[Case]:
            for pair in islice(source.read(), pairs):
                target = pair.changed.astype(np.uint8)
                if pair.known is not None:
                    target[~pair.known] = UNKNOWN
                yield Case(pair.before.rgb, pair.after.rgb, source.question, target)

        yield source.name, read
    farmland = next((source for source in recipe.sources if isinstance(source, FarmlandRecipe)), None)
    if farmland is not None:
        opened = farmland.open(root)

        def paint() -> Iterator[Case]:
            for number in range(FARMLAND_SAMPLES):
                sample = opened.draw(np.random.default_rng((FARMLAND_SEED, number)))
                if sample.ground is not None:
                    yield Case(sample.before, sample.after, "ground", sample.ground)

        yield "painted farmland, ground", paint


def measure(detector: Detector, cases: Iterator[Case]) -> PixelScores:
    """Count the pixels of all cases by probability."""
    counts, number = np.zeros((2, BINS), np.int64), 0
    for case in cases:
        number += 1
        probability = predict_image(detector, case.before, case.after)[CHANGE_OUTPUTS.index(case.question)]
        counts += count_by_probability(probability, case.target)
    return PixelScores(number, counts[0], counts[1])


def main() -> None:
    """Print one row per source."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--run", type=Path, help="folder of the run; default: runs/NAME")
    parser.add_argument("--data", type=Path, default=os.environ.get("TUBAN_REAL_IMAGERY"))
    parser.add_argument("--interpolation", type=float, nargs="+", default=[1.0, 0.5, 0.25, 0.0])
    parser.add_argument("--pairs", type=int, default=30, help="largest number of pairs of a source")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the data folder with --data or TUBAN_REAL_IMAGERY")
    recipe, run = read_recipe(arguments.recipe), arguments.run or Path("runs") / arguments.recipe.stem
    with tempfile.TemporaryDirectory(prefix="tuban-interpolation-") as scratch:
        detectors: list[Detector] = []
        for weight in arguments.interpolation:
            name, folder = f"interpolated-{weight:g}", Path(scratch) / f"{weight:g}"
            network, step = load_run(run, weight)
            save_weights(network, name, dict.fromkeys(CHANGE_OUTPUTS, 0.5), folder)
            detectors.append(Detector(name, runtime="openvino", folder=folder))
        print(f"average precision after {step} steps, by weight_interpolation (1: the initial weights)")
        print(" | ".join(["| source | pairs", *(f"{weight:g}" for weight in arguments.interpolation)]), "|")
        print("| --- " * (2 + len(detectors)) + "|")
        for name, read in held_out_cases(recipe, arguments.data, arguments.pairs):
            scores = [measure(detector, read()) for detector in detectors]
            figures = [f"{average_precision(score):.3f}" for score in scores]
            print(" | ".join([f"| {name} | {scores[0].pairs}", *figures]), "|", flush=True)


if __name__ == "__main__":
    main()
