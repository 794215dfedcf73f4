"""Verdicts on the alerts of a rendered scene from its truth, in place of the person who goes through a report.

``python -m training.sample.verdicts DEMO > verdicts.csv``: DEMO holds ``scene/`` and ``scan/`` as ``tuban demo`` writes
them. How good the scan was is told on standard error.
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
from training.sample.truth import COVERED, compare_with_truth
from training.synthetic import TrueChange


def read_truth(path: Path, crs: object) -> list[TrueChange]:
    """Read ``truth.geojson`` of a rendered scene, with its outlines in ``crs``.

    Raises:
        SettingsError: it is none.
    """
    turn = Transformer.from_crs(4326, str(crs), always_xy=True).transform
    try:
        features = json.loads(path.read_text(encoding="utf-8"))["features"]
        return [
            TrueChange(
                feature["properties"]["kind"],
                shapely.transform(shape(feature["geometry"]), turn, interleaved=False),
                feature["properties"]["area_m2"],
                feature["properties"]["what"],
            )
            for feature in features
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{path} is no truth of a rendered scene ({error!r}).") from error


def true_verdicts(scan: ScanFolder, truth: Sequence[TrueChange]) -> dict[int, bool]:
    """What a careful person would say of each alert, by number; measured as in :mod:`training.sample.truth`.

    An alert that shows a true change of another question than its own has no verdict: it is neither a false alarm nor
    what its kind says.
    """
    anything = shapely.union_all([change.polygon for change in truth])
    answers = {
        question: shapely.union_all([change.polygon for change in truth if QUESTIONS[change.kind] == question])
        for question in QUESTIONS.values()
    }
    said = {}
    for change in scan.changes:
        enough = COVERED * change.polygon.area
        if change.polygon.intersection(answers[QUESTIONS[change.kind]]).area >= enough:
            said[change.number] = True
        elif change.polygon.intersection(anything).area < enough:
            said[change.number] = False
    return said


def write_verdicts(said: dict[int, bool], out: TextIO) -> None:
    """Write the columns number and verdict, as :func:`training.reviews.verdicts.read_verdicts` reads them."""
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("number", "verdict"))
    rows.writerows((number, str(verdict).lower()) for number, verdict in said.items())


def main(demo: Path) -> None:
    """Write the verdicts to standard output and a summary to standard error."""
    scan = read_scan_folder(demo / "scan")
    truth = read_truth(demo / "scene" / "truth.geojson", scan.grid.crs)
    write_verdicts(true_verdicts(scan, truth), sys.stdout)
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
