"""Files of a folder are joined to pairs, and incomplete pairs are listed with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from errors import SettingsError
from tests.inference.scenes import textured
from tests.training.labelled import write_pair, write_picture
from training.evaluation.pair_listing import list_pairs


def test_stems_are_joined_across_formats_and_hidden_files_are_ignored(tmp_path: Path) -> None:
    write_pair(tmp_path, "one", suffix=".JPG")
    write_pair(tmp_path, "two", suffix=".tiff")
    (tmp_path / "A" / ".one.png").write_text("metadata of another system")
    (tmp_path / "A" / "notes.txt").write_text("clouds on the second")
    listing = list_pairs(tmp_path)
    assert [pair.name for pair in listing.pairs] == ["one", "two"]
    assert listing.failed == ()
    assert listing.ignored == ("A/notes.txt",)


def test_missing_and_duplicate_files_are_listed_with_their_reason(tmp_path: Path) -> None:
    for name in ("good", "alone", "unlabelled", "twice"):
        write_pair(tmp_path, name)
    (tmp_path / "B" / "alone.png").unlink()
    (tmp_path / "label" / "unlabelled.png").unlink()
    write_picture(tmp_path / "A" / "twice.bmp", textured(128, 128))
    listing = list_pairs(tmp_path)
    assert [pair.name for pair in listing.pairs] == ["good"]
    reasons = {one.pair: one.reason for one in listing.failed}
    assert "expected B/alone" in reasons["alone"]
    assert "expected label/unlabelled" in reasons["unlabelled"]
    assert "twice.bmp and twice.png" in reasons["twice"]


def test_a_folder_of_another_layout_is_refused_with_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "A").mkdir()
    with pytest.raises(SettingsError, match=r"contains A, before; expected .* Missing: B, label"):
        list_pairs(tmp_path)
    with pytest.raises(SettingsError, match="is no folder"):
        list_pairs(tmp_path / "nowhere")
    for name in ("B", "label"):
        (tmp_path / name).mkdir()
    with pytest.raises(SettingsError, match="no image in A, B or label"):
        list_pairs(tmp_path)
