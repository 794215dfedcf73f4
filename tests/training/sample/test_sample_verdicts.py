"""Verdicts derived from the ground truth of a rendered scene."""

from __future__ import annotations

from pathlib import Path

from shapely.geometry import Polygon, box

from inference.changes import Kind
from inference.outputs.scan_folder import FoundChange, ScanFolder
from training.sample.verdicts import read_truth, verdicts_from_truth
from training.synthetic import SceneSpec, TrueChange, render_scene, write_scene


def test_the_truth_of_a_scene_gives_the_verdicts(tmp_path: Path) -> None:
    pair = render_scene(SceneSpec(seed=3, width=200, height=200, changes=2))
    _, _, path = write_scene(pair, tmp_path)
    truth = read_truth(path, pair.spec.crs)
    for one, other in zip(truth, pair.truth, strict=True):
        assert one.polygon.symmetric_difference(other.polygon).area < 0.01 * other.polygon.area
    ground = TrueChange("ground", box(0, 0, 100, 100), 10_000, "yard")
    alerts: list[tuple[Kind, Polygon]] = [
        ("ground", box(0, 0, 50, 50)),
        ("construction", box(0, 0, 50, 50)),
        ("construction", box(90, 90, 140, 140)),
    ]
    changes = tuple(FoundChange(number, kind, outline) for number, (kind, outline) in enumerate(alerts, 1))
    scan = ScanFolder(tmp_path, None, None, None, None, changes)  # type: ignore[arg-type]
    assert verdicts_from_truth(scan, [ground]) == {1: True, 3: False}, "number 2 is a change, but of another kind"
