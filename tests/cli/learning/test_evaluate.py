"""``tuban evaluate``: its output and exit codes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import inference.pair
import model.detector
from cli.main import main
from tests.training.labelled import StarkDetector, identity_table, write_pair


@pytest.fixture(autouse=True)
def _stark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model.detector, "Detector", lambda *_, **__: StarkDetector())
    monkeypatch.setattr(inference.pair, "normalization_table", identity_table)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pair(tmp_path / "pairs", "one", truth=((10, 50, 10, 50),))
    write_pair(tmp_path / "pairs", "three", (200, 150))
    return tmp_path / "pairs"


def tuban(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["tuban", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_info:
        main()
    return int(exit_info.value.code)


def test_json_is_one_strict_object_alone_on_standard_output(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tuban(monkeypatch, "evaluate", folder, "--json", "--gsd", 0.5) == 0

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    record = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert record["pairs"] == 2
    assert record["pixel"]["f1"] == 1
    assert record["robustness"] is None
    assert record["restyled"] is None


def test_text_output_contains_scores_protocol_and_failures(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "B" / "three.png").unlink()
    assert tuban(monkeypatch, "evaluate", folder, "--question", "any", "--pictures", folder / "looks") == 0
    output = capsys.readouterr().out
    for words in ("question any", "IoU ≥ 0.25", "distance unknown", "Not registered", "three: found", "best.png"):
        assert words in output


def test_robustness_prints_the_curves(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tuban(monkeypatch, "evaluate", folder, "--robustness", "--limit", 1) == 0
    output = capsys.readouterr().out
    for words in ("Pixel F1 of 1 pairs", "shift 0.5 px", "gamma 1.4", "scale 2", "dates swapped"):
        assert words in output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 2, "is no folder"),
        (["pairs", "--gsd", "-1"], 2, "metres per pixel"),
        (["pairs", "--gsd", "900"], 2, "the coarsest profile goes up to"),
        (["pairs", "--pictures", "pairs/manifest.yaml"], 5, "it is a file"),
        (["broken"], 3, "None of the 1 pairs"),
        (["other"], 2, "expected the folders A"),
    ],
)
def test_errors_have_one_message_and_their_exit_code(
    arguments: list[str],
    code: int,
    message: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (folder / "manifest.yaml").write_text("question: building\n")
    (tmp_path / "other").mkdir()
    write_pair(tmp_path / "broken", "p")
    (tmp_path / "broken" / "A" / "p.png").write_text("not an image")
    assert tuban(monkeypatch, "evaluate", *arguments) == code
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("tuban: ") == 1
    assert printed.out == ""


def test_an_interrupt_leaves_no_pictures(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(StarkDetector):
        def predict(self, *_: object) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(model.detector, "Detector", lambda *_, **__: Interrupted())
    assert tuban(monkeypatch, "evaluate", folder, "--pictures", tmp_path / "looks", "--json") == 130
    assert not (tmp_path / "looks").exists()
    assert capsys.readouterr().out == ""


def test_the_help_explains_inputs_and_exit_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert tuban(monkeypatch, "evaluate", "--help") == 0
    output = capsys.readouterr().out
    for words in ("A/ B/ label/", "manifest.yaml", "Example", "--robustness", "Exit codes"):
        assert words in output
