"""Reviewed alerts become labelled pairs whose labels match the verdicts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from errors import OutputError, SettingsError
from imagery import open_scene
from inference.changes import Kind
from inference.pair_reader import PairReader
from inference.scan_plan import coregister
from inference.settings import read_config, settings_for
from tests.inference.scenes import ORIGIN, textured, write_image
from training.reviews.labelled_pairs import ReviewedAlert, window_around, write_labelled_pairs
from training.sources.manifest import read_manifest
from training.sources.samples import LabelledPairs

HOUSE = (300, 240, 340, 300)
"""First column, first row, end column, end row on the grid (ends exclusive)."""
SHIFT = (3, -2)
"""Misregistration of the earlier image in columns and rows."""


def _outline(left: float, top: float, right: float, bottom: float) -> Polygon:
    """Convert a box in pixels of the grid to map coordinates."""
    x, y = ORIGIN
    return box(x + left / 2, y - bottom / 2, x + right / 2, y - top / 2)


def _alert(number: int, outline: BaseGeometry, confirmed: bool, kind: Kind = "construction") -> ReviewedAlert:
    return ReviewedAlert(number, kind, outline, confirmed)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> PairReader:
    """Two dates of 700 × 900 px at 0.5 m, the earlier one shifted by :data:`SHIFT`; a white house on the later one."""
    folder = tmp_path_factory.mktemp("pair")
    large = textured(740, 940)
    after = large[20:720, 20:920].copy()
    left, top, right, bottom = HOUSE
    after[top:bottom, left:right] = 235
    before = large[20 - SHIFT[1] : 720 - SHIFT[1], 20 - SHIFT[0] : 920 - SHIFT[0]]
    paths = write_image(folder / "before.tif", before), write_image(folder / "after.tif", after)
    with open_scene(paths[0]) as one, open_scene(paths[1]) as other:
        yield coregister(one, other, settings_for(read_config(), "aerial", 0.5))


def _read_window(folder: Path, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(cv2.imread(str(folder / name / f"{number:04d}.png"), -1) for name in ("A", "B", "label"))


def test_a_window_has_the_alert_at_its_label_and_both_dates_registered(reader: PairReader, tmp_path: Path) -> None:
    write_labelled_pairs(reader, [_alert(7, _outline(*HOUSE), True)], tmp_path / "out")
    before, after, label = _read_window(tmp_path / "out" / "building", 7)
    assert before.shape == after.shape == (256, 256, 3)
    inside = label == 255
    assert 0.8 * 40 * 60 < inside.sum() < 40 * 60
    rows, columns = np.nonzero(inside)
    assert (rows.mean(), columns.mean()) == pytest.approx((127.5, 127.5), abs=1)
    assert after[inside].min() > after[~inside].mean() + 50
    around = cv2.dilate(inside.astype(np.uint8), np.ones((9, 9))) == 0
    unregistered = np.abs(np.roll(before, SHIFT, (1, 0)).astype(int) - before).mean()
    assert np.abs(after.astype(int) - before)[around].mean() < 0.4 * unregistered


def test_band_order_is_preserved(reader: PairReader, tmp_path: Path) -> None:
    write_labelled_pairs(reader, [_alert(1, _outline(*HOUSE), True)], tmp_path / "out")
    rows, columns = window_around(box(*HOUSE))
    drawn = LabelledPairs(tmp_path / "out" / "building", "building", unknown=128).draw(np.random.default_rng(0))
    assert np.array_equal(drawn.after, reader.read(rows, columns).after)


def test_rejected_confirmed_and_unreviewed_have_their_values(reader: PairReader, tmp_path: Path) -> None:
    write_labelled_pairs(
        reader,
        [_alert(1, _outline(300, 300, 340, 340), True), _alert(2, _outline(400, 300, 440, 340), False)],
        tmp_path / "out",
    )
    confirmed = _read_window(tmp_path / "out" / "building", 1)[2]
    # the window of number 1 begins at column and row 192
    assert set(np.unique(confirmed)) == {0, 128, 255}
    assert (confirmed[112:144, 112:144] == 255).all()
    assert confirmed[128, 107:110].tolist() == [128, 128, 128], "the margin of an outline that is not exact"
    assert (confirmed[110:146, 205:246] == 0).all(), "the false alarm inside the window, with its margin"
    assert confirmed[128, 203] == 128
    rejected = _read_window(tmp_path / "out" / "building", 2)[2]
    assert set(np.unique(rejected)) == {0, 128}, "a confirmed neighbour is unlabelled: the window is a hard negative"
    assert 40 * 40 < (rejected == 0).sum() < 48 * 48


def test_ground_without_data_is_unknown(tmp_path: Path) -> None:
    image = textured(400, 400)
    image[:, :200] = 0
    paths = [write_image(tmp_path / f"{name}.tif", image, nodata=0) for name in ("a", "b")]
    with open_scene(paths[0]) as one, open_scene(paths[1]) as other:
        bare = coregister(one, other, settings_for(read_config(), "aerial", 0.5))
        write_labelled_pairs(bare, [_alert(1, _outline(180, 180, 220, 220), False)], tmp_path / "out")
        label = _read_window(tmp_path / "out" / "building", 1)[2]
        assert (label[:, :128] == 128).all()
        assert (label[110:140, 132:145] == 0).all()
        with pytest.raises(SettingsError, match="nothing to write"):
            write_labelled_pairs(bare, [_alert(1, _outline(20, 20, 60, 60), True)], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_kinds_label_their_question_and_the_manifest_names_it(reader: PairReader, tmp_path: Path) -> None:
    kinds: tuple[Kind, ...] = ("construction", "demolition", "ground")
    alerts = [_alert(i, _outline(100 * i, 200, 100 * i + 30, 230), i != 2, kind) for i, kind in enumerate(kinds, 1)]
    tallies = write_labelled_pairs(reader, alerts, tmp_path / "out")
    assert {name: (tally.confirmed, tally.rejected) for name, tally in tallies.items()} == {
        "building": ({1}, {2}),
        "ground": ({3}, {2}),
    }, "a rejected alert labels both questions"
    for question, stems in (("building", ["0001", "0002"]), ("ground", ["0002", "0003"])):
        folder = tmp_path / "out" / question
        assert sorted(path.stem for path in (folder / "label").iterdir()) == stems
        manifest = read_manifest(folder)
        assert manifest is not None
        assert (manifest.question, manifest.gsd_m, manifest.unknown, manifest.appears) == (question, 0.5, 128, False)


@pytest.mark.parametrize(
    ("longer", "side"), [(10, 256), (128, 256), (200, 400), (256, 512), (400, 512), (480, 600), (5000, 1024)]
)
def test_a_window_grows_with_its_alert(longer: int, side: int) -> None:
    rows, columns = window_around(box(-20, 50, longer - 20, 60))
    assert rows.stop - rows.start == columns.stop - columns.start == side
    assert abs((rows.start + rows.stop) / 2 - 55) <= 1


def test_an_outline_in_two_parts_and_a_thin_one_are_labelled(reader: PairReader, tmp_path: Path) -> None:
    parts = MultiPolygon([_outline(300, 300, 320, 320), _outline(340, 300, 360, 320)])
    write_labelled_pairs(
        reader, [_alert(1, parts, True), _alert(2, _outline(500, 300, 502, 340), True)], tmp_path / "out"
    )
    assert cv2.connectedComponents((_read_window(tmp_path / "out" / "building", 1)[2] == 255).astype(np.uint8))[0] == 3
    assert (_read_window(tmp_path / "out" / "building", 2)[2] == 255).sum() == 2 * 40


class _InterruptedReader(PairReader):
    """Raise KeyboardInterrupt at the second window."""

    read_before = False

    def read(self, rows: slice, cols: slice) -> object:  # type: ignore[override]
        if self.read_before:
            raise KeyboardInterrupt
        self.read_before = True
        return super().read(rows, cols)


def test_the_margin_of_a_false_alarm_does_not_cover_a_change_of_the_other_question(
    reader: PairReader, tmp_path: Path
) -> None:
    pit = _alert(1, _outline(300, 300, 340, 340), True, "ground")
    write_labelled_pairs(reader, [pit, _alert(2, _outline(342, 300, 380, 340), False)], tmp_path / "out")
    for question in ("building", "ground"):
        label = _read_window(tmp_path / "out" / question, 2)[2]
        # the window of number 2 begins at column 233 and row 192
        assert (label[110:146, 67:107] == 128).all()
        assert (label[110:146, 112:146] == 0).all()
    assert (_read_window(tmp_path / "out" / "ground", 1)[2][112:144, 112:144] == 255).all()


def test_an_interrupted_export_leaves_nothing(reader: PairReader, tmp_path: Path) -> None:
    interrupted = _InterruptedReader(reader.pair, reader.normalization, reader.alignment)
    alerts = [_alert(1, _outline(*HOUSE), True), _alert(2, _outline(500, 300, 540, 340), False)]
    with pytest.raises(KeyboardInterrupt):
        write_labelled_pairs(interrupted, alerts, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_reviews_overwrite_nothing(reader: PairReader, tmp_path: Path) -> None:
    alerts = [_alert(1, _outline(*HOUSE), True)]
    write_labelled_pairs(reader, alerts, tmp_path / "reviewed" / "first")
    write_labelled_pairs(reader, alerts, tmp_path / "reviewed" / "second")
    with pytest.raises(OutputError, match="first"):
        write_labelled_pairs(reader, alerts, tmp_path / "reviewed" / "first")
    (tmp_path / "scan").mkdir()
    (tmp_path / "scan" / "scan.json").write_text('{"schema": "tuban-scan/1"}')
    with pytest.raises(OutputError, match="do not overwrite"):
        write_labelled_pairs(reader, alerts, tmp_path / "scan")
    assert (tmp_path / "scan" / "scan.json").exists()


def test_duplicate_numbers_are_rejected(reader: PairReader, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="same number"):
        write_labelled_pairs(
            reader, [_alert(1, _outline(*HOUSE), confirmed) for confirmed in (True, False)], tmp_path / "out"
        )


def test_pairs_without_georeference_use_pixel_coordinates(tmp_path: Path) -> None:
    image = textured(300, 300)
    paths = [write_image(tmp_path / f"{name}.tif", image + 1, crs=None) for name in ("a", "b")]
    with open_scene(paths[0], gsd=1.0) as one, open_scene(paths[1], gsd=1.0) as other:
        settings = settings_for(read_config(), "satellite", 1.0)
        pixels = coregister(one, other, settings)
        write_labelled_pairs(pixels, [_alert(1, box(100, 120, 120, 160), False)], tmp_path / "out")
    label = _read_window(tmp_path / "out" / "building", 1)[2]
    # pixels of the later image; the pair is compared at half a metre
    assert label.shape == (256, 256)
    assert (label == 0).sum() == pytest.approx(48 * 88, rel=0.05)
