"""Simulated review: verdicts on the alerts of a rendered scene, derived from its ground truth.

``python -m training.sample.verdicts DEMO > verdicts.csv``: DEMO has ``scene/`` and ``scan/`` as written by
``tuban demo``. A summary of the scan's quality is printed to standard error.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import shapely
from pyproj import Transformer
from shapely.geometry import shape

from errors import SettingsError, TubanError
from inference.outputs.scan_folder import ScanFolder, read_scan_folder
from training.reviews.labelled_pairs import QUESTIONS
from training.sample.truth import MIN_COVERAGE, compare_with_truth
from training.synthetic import TrueChange


def read_truth(path: Path, crs: object) -> list[TrueChange]:
    """Read ``truth.geojson`` of a rendered scene, with outlines transformed to ``crs``.

    Raises:
        SettingsError: the file is missing or has another format.
    """
    from_degrees = Transformer.from_crs(4326, str(crs), always_xy=True).transform
    try:
        features = json.loads(path.read_text(encoding="utf-8"))["features"]
        return [
            TrueChange(
                feature["properties"]["kind"],
                shapely.transform(shape(feature["geometry"]), from_degrees, interleaved=False),
                feature["properties"]["area_m2"],
                feature["properties"]["what"],
            )
            for feature in features
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{path} is not the ground truth of a rendered scene ({error!r}).") from error


def verdicts_from_truth(scan: ScanFolder, truth: Sequence[TrueChange]) -> dict[int, bool]:
    """Derive the verdicts of a careful reviewer, by alert number; coverage as in :mod:`training.sample.truth`.

    Alerts on a true change of the other question have no verdict: they are not false alarms, but their kind is wrong.
    """
    any_change = shapely.union_all([change.polygon for change in truth])
    by_question = {
        question: shapely.union_all([change.polygon for change in truth if QUESTIONS[change.kind] == question])
        for question in QUESTIONS.values()
    }
    verdicts = {}
    for change in scan.changes:
        min_area = MIN_COVERAGE * change.polygon.area
        if change.polygon.intersection(by_question[QUESTIONS[change.kind]]).area >= min_area:
            verdicts[change.number] = True
        elif change.polygon.intersection(any_change).area < min_area:
            verdicts[change.number] = False
    return verdicts


def write_verdicts(verdicts: dict[int, bool], out: TextIO) -> None:
    """Write verdicts as CSV for :func:`training.reviews.verdicts.read_verdicts`."""
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("number", "verdict"))
    rows.writerows((number, str(verdict).lower()) for number, verdict in verdicts.items())


def main(demo: Path) -> None:
    """Print the verdicts of a demo folder to standard output and a summary to standard error."""
    scan = read_scan_folder(demo / "scan")
    truth = read_truth(demo / "scene" / "truth.geojson", scan.grid.crs)
    write_verdicts(verdicts_from_truth(scan, truth), sys.stdout)
    compared = compare_with_truth(scan.changes, truth, scan.settings.profile.min_area_m2)
    print(
        f"Found {sum(found for _, found in compared.truth)} of {len(compared.truth)} true changes above the minimum "
        f"mapping unit; {compared.false_alarms} of {len(scan.changes)} polygons show no true change.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    try:
        main(Path(*sys.argv[1:2] or ["demo"]))
    except TubanError as fault:
        sys.exit(f"sample_verdicts: {fault}")
