"""How many real pairs are registered, and how many pairs of two other places: ``python -m benchmarks.registration``.

Pairs are single tiles that nothing is trained on, given the coordinates of a common place, and registered by the
settings of the profile that a scan would choose. Pairs of other places combine the earlier image of one tile with the
later image of another tile of the same folder; none of them may be accepted.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from imagery import Patch
from inference.registration.alignment import Alignment
from inference.registration.measure import measure_alignment
from inference.scan_plan import align_settings
from inference.settings import AUTO, read_config, settings_for
from model.descriptor import shared_descriptor
from training.evaluation.comparison import InMemoryImage
from training.sources.samples import read_rgb

GSD_M = 0.5
"""Metres per pixel that the images count as."""

FOLDERS = {"val/dsifn": 1, "unlabelled": 1, "unchanged/worldwide": 2, "train/guangzhou": 8}
"""Judged folders, and every how manyth pair is used."""

Pair = tuple[Path, Path]


def pairs_of(root: Path, folder: str) -> list[Pair]:
    """List the judged pairs of a folder, by name."""
    later = {path.stem: path for path in (root / folder / "B").iterdir()}
    return [(path, later[path.stem]) for path in sorted((root / folder / "A").iterdir())][:: FOLDERS[folder]]


def other_places(pairs: Sequence[Pair], count: int) -> Iterator[Pair]:
    """Combine tiles of one folder that are far from each other in its order: neighbours may show the same ground."""
    for number in range(count):
        turn, first = divmod(number, len(pairs))
        yield pairs[first][0], pairs[(first + len(pairs) // 3 + turn) % len(pairs)][1]


def register(before: NDArray[np.uint8], after: NDArray[np.uint8], accuracy_m: float | None) -> Alignment:
    """Register two images of one extent as a scan does."""
    if before.shape != after.shape:
        before = cv2.resize(before, after.shape[1::-1], interpolation=cv2.INTER_AREA)
    grid = GeoBox(after.shape[:2], Affine(GSD_M, 0, 500_000, 0, -GSD_M, 3_000_000), "EPSG:32650")
    sources = [InMemoryImage(Patch(rgb, np.ones(rgb.shape[:2], bool)), grid) for rgb in (before, after)]
    settings = settings_for(read_config(), AUTO, GSD_M, position_accuracy_m=accuracy_m)
    return measure_alignment(sources[0], sources[1], grid, align_settings(settings, GSD_M), describer=shared_descriptor)


def measure(pairs: Sequence[Pair], accuracy_m: float | None, verbose: bool) -> str:
    """Register pairs, and say how many were accepted by which method."""
    methods: Counter[str] = Counter()
    residuals, start = [], time.monotonic()
    for before, after in pairs:
        alignment = register(read_rgb(before), read_rgb(after), accuracy_m)
        methods[alignment.method if alignment.usable else "refused"] += 1
        if alignment.usable and alignment.residual_px is not None:
            residuals.append(alignment.residual_px)
        if verbose:
            print(f"  {before.stem} {after.stem}: {alignment.summary()}", flush=True)
    accepted = len(pairs) - methods.pop("refused", 0)
    by = ", ".join(f"{name} {number}" for name, number in sorted(methods.items()))
    residual = f"; median residual {np.median(residuals):.2f} px" if residuals else ""
    seconds = (time.monotonic() - start) / max(len(pairs), 1)
    return f"{accepted} of {len(pairs)} ({by or 'none'}){residual}; {seconds:.1f} s each"


def main() -> None:
    """Measure the judged folders, or pairs of other places of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("TUBAN_REAL_IMAGERY"))
    parser.add_argument("--folder", choices=FOLDERS, action="append", help="only this folder; may be repeated")
    parser.add_argument("--others", type=int, default=0, help="number of pairs of other places of each folder")
    parser.add_argument("--part", type=int, nargs=2, metavar=("K", "N"), default=(0, 1), help="only part K of N")
    parser.add_argument("--accuracy", type=float, help="stated accuracy of the georeferencing, metres")
    parser.add_argument("--verbose", action="store_true", help="print every pair")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the data folder with --data or TUBAN_REAL_IMAGERY")
    cv2.setNumThreads(1)
    for folder in arguments.folder or FOLDERS:
        pairs = pairs_of(Path(arguments.data), folder)
        if arguments.others:
            pairs = list(other_places(pairs, arguments.others))
        part, parts = arguments.part
        outcome = measure(pairs[part::parts], arguments.accuracy, arguments.verbose)
        print(f"{folder}{', other places' if arguments.others else ''}: {outcome}", flush=True)


if __name__ == "__main__":
    main()
