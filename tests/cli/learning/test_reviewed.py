"""``tuban reviewed``: labelled pairs from a scan and a table of verdicts, and rejected inputs."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio

from cli.main import main
from imagery import open_scene
from inference.detect_changes import detect_changes
from inference.outputs.scan_folder import read_scan_folder
from inference.outputs.write import write_not_comparable, write_outputs
from inference.pair import common_pair
from inference.settings import read_config, settings_for
from tests.inference.scenes import DifferenceDetector, textured, write_image
from training.recipe import Recipe, read_recipe
from training.sources.manifest import read_manifest

BOXES = {1: (60, 100, 100, 150), 2: (200, 240, 300, 360), 3: (300, 360, 60, 130)}
"""Row start, row stop, column start and column stop of two houses and a pit, by number in the scan."""


def _scan(folder: Path, crs: str | None) -> tuple[Path, Path]:
    """Write a pair of 400 × 450 px and scan it into ``scan/`` as the command does, with a difference detector."""
    folder.mkdir()
    image = textured(400, 450)
    after = image.copy()
    for number, (top, bottom, left, right) in BOXES.items():
        after[top:bottom, left:right] = (235, 110, 20) if number == 3 else 235
    paths = write_image(folder / "before.tif", image, crs=crs), write_image(folder / "after.tif", after, crs=crs)
    gsd = None if crs else 0.5
    with open_scene(paths[0], gsd=gsd) as one, open_scene(paths[1], gsd=gsd) as other:
        settings = settings_for(read_config(), "aerial", 0.5)
        result = detect_changes(one, other, DifferenceDetector(), settings)  # type: ignore[arg-type]
        pair = common_pair(one, other, settings)
        write_outputs(result, pair.before, pair.after, folder / "scan")
    return paths


@pytest.fixture(scope="module", params=["EPSG:32650", None], ids=["placed", "pixels"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "pair"
    _scan(folder, request.param)
    return folder


@pytest.fixture
def scanned(kept: Path, tmp_path: Path) -> Path:
    shutil.copytree(kept, tmp_path / "pair")
    (tmp_path / "pair" / "verdicts.csv").write_text("number,verdict\n1,true\n2,false\n3,yes\n")
    return tmp_path / "pair"


def reviewed(monkeypatch: pytest.MonkeyPatch, folder: Path, **changed: Path) -> int:
    paths = {
        "before": folder / "before.tif",
        "after": folder / "after.tif",
        "results": folder / "scan",
        "verdicts": folder / "verdicts.csv",
        "out": folder / "reviewed",
    } | changed
    arguments = [paths.pop("before"), paths.pop("after")]
    options = [part for name, value in paths.items() for part in (f"--{name}", value)]
    monkeypatch.setattr(sys, "argv", ["tuban", "reviewed", *map(str, [*arguments, *options])])
    with pytest.raises(SystemExit) as exit_info:
        main()
    return int(exit_info.value.code)


def test_alerts_become_windows_and_a_summary(
    scanned: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reviewed(monkeypatch, scanned) == 0
    printed = capsys.readouterr()
    assert [line.split() for line in printed.out.splitlines()[:2]] == [
        ["building", "1", "confirmed", "1", "rejected"],
        ["ground", "1", "confirmed", "1", "rejected"],
    ]
    assert "3 of 3 alerts" in printed.out
    assert printed.err == "", "no progress bar where standard error is not a terminal"
    for question, number, value in (("building", 1, 255), ("building", 2, 0), ("ground", 3, 255)):
        folder = scanned / "reviewed" / question
        label, after = (cv2.imread(str(folder / name / f"{number:04d}.png"), -1) for name in ("label", "B"))
        top, bottom, left, right = BOXES[number]
        inside = np.zeros((256, 256), bool)
        height, width = (bottom - top) // 2, (right - left) // 2
        inside[128 - height + 5 : 128 + height - 5, 128 - width + 5 : 128 + width - 5] = True
        assert (label[inside] == value).all()
        assert after[inside].std(axis=0).max() < 2, "one colour, as painted"
        assert read_manifest(folder).gsd_m == 0.5  # type: ignore[union-attr]


def test_only_reviewed_alerts_are_written(scanned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (scanned / "verdicts.csv").write_text("\ufeffnumber;verdict\n2;否\n3;\n")
    assert reviewed(monkeypatch, scanned) == 0
    assert sorted(path.name for path in (scanned / "reviewed").iterdir()) == ["building", "ground"]
    for question in ("building", "ground"):
        assert [path.name for path in (scanned / "reviewed" / question / "A").iterdir()] == ["0002.png"]


def _modify(path: Path) -> Path:
    with rasterio.open(path, "r+") as raster:
        raster.update_tags(NOTE="touched")
    return path


@pytest.fixture
def refused(scanned: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> object:
    """Run the command, and assert one message, its exit code, and that nothing was written."""

    def refuse(code: int, message: str, **changed: Path) -> None:
        before = sorted(scanned.rglob("*"))
        assert reviewed(monkeypatch, scanned, **changed) == code
        printed = capsys.readouterr()
        assert message in printed.err
        assert printed.err.count("tuban: ") == 1
        assert printed.out == ""
        assert sorted(scanned.rglob("*")) == before

    return refuse


def test_images_that_were_not_scanned(scanned: Path, refused: object) -> None:
    refused(2, "wrong order", before=scanned / "after.tif", after=scanned / "before.tif")
    _modify(scanned / "before.tif")
    refused(2, "is not the earlier image of the scan")


def test_verdicts_of_another_scan(scanned: Path, refused: object) -> None:
    (scanned / "verdicts.csv").write_text("number,verdict\n1,true\n17,false\n")
    refused(2, "contains number 17, which the scan")


def test_invalid_verdicts(scanned: Path, refused: object) -> None:
    (scanned / "verdicts.csv").write_text("number,verdict\n1,maybe\n")
    refused(2, "'maybe'")
    (scanned / "verdicts.csv").write_text("nummer,verdict\n1,true\n")
    refused(2, "no column 'number'")


def test_a_folder_without_a_scan(scanned: Path, refused: object) -> None:
    refused(2, "tuban scan wrote", results=scanned)
    (scanned / "scan" / "changes.gpkg").unlink()
    refused(2, "changes.gpkg cannot be read")


def test_a_scan_that_was_not_comparable(scanned: Path, refused: object) -> None:
    scan = read_scan_folder(scanned / "scan")
    write_not_comparable(scanned / "scan", "too hazy", scan.before, scan.after)
    refused(2, "not comparable (too hazy)")


def test_a_scan_on_another_grid(scanned: Path, refused: object) -> None:
    path = scanned / "scan" / "scan.json"
    record = json.loads(path.read_text())
    record["grid"]["width"] += 1
    path.write_text(json.dumps(record))
    refused(2, "another grid")


def test_a_folder_that_is_not_empty(scanned: Path, refused: object) -> None:
    refused(5, "not empty", out=scanned / "scan")
    refused(5, "not replaced", out=scanned.parent)


def test_an_interrupt_leaves_nothing(scanned: Path, refused: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.reviews.labelled_pairs._write_manifest", interrupted)
    refused(130, "interrupted; nothing was written")


def test_training_uses_the_folder_and_records_its_recipe(
    scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reviewed(monkeypatch, scanned) == 0
    trained: list[Recipe] = []
    monkeypatch.setattr("training.train.train", lambda recipe, *_, **__: trained.append(recipe))
    arguments = ["train", "training/own.yaml", "--reviews", scanned / "reviewed", "--run", tmp_path / "run"]
    monkeypatch.setattr(sys, "argv", ["tuban", *map(str, arguments), "--data", str(tmp_path), "--share", "0.4"])
    with pytest.raises(SystemExit) as exit_info:
        main()
    assert exit_info.value.code == 0
    assert "Training without" in capsys.readouterr().err
    [recipe] = trained
    assert [source.kind for source in recipe.sources] == ["rendered", "pairs", "pairs"]
    weights = np.array([source.weight for source in recipe.sources])
    assert (weights / weights.sum()).tolist() == pytest.approx([0.6, 0.2, 0.2])
    assert read_recipe(tmp_path / "run" / "recipe.yaml") == recipe


def test_the_help_explains_inputs_and_exit_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "argv", ["tuban", "reviewed", "--help"])
    with pytest.raises(SystemExit):
        main()
    output = capsys.readouterr().out
    for words in ("--results", "--verdicts", "Example", "是", "Exit codes"):
        assert words in output
