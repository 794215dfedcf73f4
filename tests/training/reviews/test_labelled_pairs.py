"""Reviewed alerts become labelled pairs that say what a person said, and training mixes them in as asked."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from errors import OutputError, SettingsError
from imagery import open_scene
from inference.changes import Kind
from inference.outputs.scan_folder import FoundChange, ScanFolder
from inference.pair_reader import PairReader
from inference.scan_plan import coregister
from inference.settings import read_config, settings_for
from tests.inference.scenes import ORIGIN, textured, write_image
from training.recipe import Mixture, Recipe, add_reviews, drop_missing_sources, read_recipe, write_recipe
from training.reviews.labelled_pairs import ReviewedAlert, review_folders, window_around, write_labelled_pairs
from training.sample.verdicts import read_truth, verdicts_from_truth
from training.sources.manifest import read_manifest
from training.sources.samples import UNKNOWN, LabelledPairs
from training.sources.source_recipes import PairsRecipe
from training.synthetic import SceneSpec, TrueChange, render_scene, write_scene

HOUSE = (300, 240, 340, 300)
"""Columns and rows of the grid, from and to."""
SHIFT = (3, -2)
"""Columns and rows by which the earlier image lies off."""


def _outline(left: float, top: float, right: float, bottom: float) -> Polygon:
    """A box in pixels of the grid, on the map."""
    x, y = ORIGIN
    return box(x + left / 2, y - bottom / 2, x + right / 2, y - top / 2)


def _alert(number: int, outline: BaseGeometry, confirmed: bool, kind: Kind = "construction") -> ReviewedAlert:
    return ReviewedAlert(number, kind, outline, confirmed)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> PairReader:
    """Two dates of 700 × 900 px at 0.5 m, the earlier one off by :data:`SHIFT`; a white house on the later one."""
    folder = tmp_path_factory.mktemp("pair")
    large = textured(740, 940)
    after = large[20:720, 20:920].copy()
    left, top, right, bottom = HOUSE
    after[top:bottom, left:right] = 235
    before = large[20 - SHIFT[1] : 720 - SHIFT[1], 20 - SHIFT[0] : 920 - SHIFT[0]]
    paths = write_image(folder / "before.tif", before), write_image(folder / "after.tif", after)
    with open_scene(paths[0]) as one, open_scene(paths[1]) as other:
        yield coregister(one, other, settings_for(read_config(), "aerial", 0.5))


def _written(folder: Path, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(cv2.imread(str(folder / name / f"{number:04d}.png"), -1) for name in ("A", "B", "label"))


def test_a_window_shows_the_alert_where_the_label_says_and_the_earlier_date_in_register(
    reader: PairReader, tmp_path: Path
) -> None:
    write_labelled_pairs(reader, [_alert(7, _outline(*HOUSE), True)], tmp_path / "out")
    before, after, label = _written(tmp_path / "out" / "building", 7)
    assert before.shape == after.shape == (256, 256, 3)
    inside = label == 255
    assert 0.8 * 40 * 60 < inside.sum() < 40 * 60
    rows, columns = np.nonzero(inside)
    assert (rows.mean(), columns.mean()) == pytest.approx((127.5, 127.5), abs=1)
    assert after[inside].min() > after[~inside].mean() + 50
    around = cv2.dilate(inside.astype(np.uint8), np.ones((9, 9))) == 0
    unregistered = np.abs(np.roll(before, SHIFT, (1, 0)).astype(int) - before).mean()
    assert np.abs(after.astype(int) - before)[around].mean() < 0.4 * unregistered


def test_colours_keep_their_order(reader: PairReader, tmp_path: Path) -> None:
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
    confirmed = _written(tmp_path / "out" / "building", 1)[2]
    # the window of number 1 begins at column and row 192
    assert set(np.unique(confirmed)) == {0, 128, 255}
    assert (confirmed[112:144, 112:144] == 255).all()
    assert confirmed[128, 107:110].tolist() == [128, 128, 128], "a rim inside the outline that nobody drew to the pixel"
    assert (confirmed[110:146, 205:246] == 0).all(), "the false alarm that the window shows, with its rim"
    assert confirmed[128, 203] == 128
    rejected = _written(tmp_path / "out" / "building", 2)[2]
    assert set(np.unique(rejected)) == {0, 128}, "a confirmed neighbour is left open: the window is a hard negative"
    assert 40 * 40 < (rejected == 0).sum() < 48 * 48


def test_ground_without_data_is_unknown(tmp_path: Path) -> None:
    image = textured(400, 400)
    image[:, :200] = 0
    paths = [write_image(tmp_path / f"{name}.tif", image, nodata=0) for name in ("a", "b")]
    with open_scene(paths[0]) as one, open_scene(paths[1]) as other:
        bare = coregister(one, other, settings_for(read_config(), "aerial", 0.5))
        write_labelled_pairs(bare, [_alert(1, _outline(180, 180, 220, 220), False)], tmp_path / "out")
        label = _written(tmp_path / "out" / "building", 1)[2]
        assert (label[:, :128] == 128).all()
        assert (label[110:140, 132:145] == 0).all()
        with pytest.raises(SettingsError, match="nothing to write"):
            write_labelled_pairs(bare, [_alert(1, _outline(20, 20, 60, 60), True)], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_kinds_answer_their_question_and_the_manifest_says_so(reader: PairReader, tmp_path: Path) -> None:
    kinds: tuple[Kind, ...] = ("construction", "demolition", "ground")
    alerts = [_alert(i, _outline(100 * i, 200, 100 * i + 30, 230), i != 2, kind) for i, kind in enumerate(kinds, 1)]
    tallies = write_labelled_pairs(reader, alerts, tmp_path / "out")
    assert {name: (tally.confirmed, tally.rejected) for name, tally in tallies.items()} == {
        "building": ({1}, {2}),
        "ground": ({3}, {2}),
    }, "where nothing changed, neither question has anything to say"
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
    write_labelled_pairs(reader, [_alert(1, parts, True), _alert(2, _outline(500, 300, 502, 340), True)], tmp_path / "out")
    assert cv2.connectedComponents((_written(tmp_path / "out" / "building", 1)[2] == 255).astype(np.uint8))[0] == 3
    assert (_written(tmp_path / "out" / "building", 2)[2] == 255).sum() == 2 * 40


class _Breaks(PairReader):
    """Breaks at the second window."""

    read_already = False

    def read(self, rows: slice, cols: slice) -> object:  # type: ignore[override]
        if self.read_already:
            raise KeyboardInterrupt
        self.read_already = True
        return super().read(rows, cols)


def test_the_rim_of_a_false_alarm_spares_a_change_of_the_other_question(reader: PairReader, tmp_path: Path) -> None:
    pit = _alert(1, _outline(300, 300, 340, 340), True, "ground")
    write_labelled_pairs(reader, [pit, _alert(2, _outline(342, 300, 380, 340), False)], tmp_path / "out")
    for question in ("building", "ground"):
        label = _written(tmp_path / "out" / question, 2)[2]
        # the window of number 2 begins at column 233 and row 192
        assert (label[110:146, 67:107] == 128).all()
        assert (label[110:146, 112:146] == 0).all()
    assert (_written(tmp_path / "out" / "ground", 1)[2][112:144, 112:144] == 255).all()


def test_an_interrupted_export_leaves_nothing(reader: PairReader, tmp_path: Path) -> None:
    broken = _Breaks(reader.pair, reader.normalization, reader.alignment)
    alerts = [_alert(1, _outline(*HOUSE), True), _alert(2, _outline(500, 300, 540, 340), False)]
    with pytest.raises(KeyboardInterrupt):
        write_labelled_pairs(broken, alerts, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_reviews_replace_nothing(reader: PairReader, tmp_path: Path) -> None:
    alerts = [_alert(1, _outline(*HOUSE), True)]
    write_labelled_pairs(reader, alerts, tmp_path / "reviewed" / "first")
    write_labelled_pairs(reader, alerts, tmp_path / "reviewed" / "second")
    with pytest.raises(OutputError, match="first"):
        write_labelled_pairs(reader, alerts, tmp_path / "reviewed" / "first")
    (tmp_path / "scan").mkdir()
    (tmp_path / "scan" / "scan.json").write_text('{"schema": "tuban-scan/1"}')
    with pytest.raises(OutputError, match="replace nothing"):
        write_labelled_pairs(reader, alerts, tmp_path / "scan")
    assert (tmp_path / "scan" / "scan.json").exists()


def test_one_number_stands_for_one_alert(reader: PairReader, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="same number"):
        write_labelled_pairs(reader, [_alert(1, _outline(*HOUSE), said) for said in (True, False)], tmp_path / "out")


def test_reviews_of_a_pair_in_pixels_lie_where_its_pixels_say(tmp_path: Path) -> None:
    image = textured(300, 300)
    paths = [write_image(tmp_path / f"{name}.tif", image + 1, crs=None) for name in ("a", "b")]
    with open_scene(paths[0], gsd=1.0) as one, open_scene(paths[1], gsd=1.0) as other:
        settings = settings_for(read_config(), "satellite", 1.0)
        pixels = coregister(one, other, settings)
        write_labelled_pairs(pixels, [_alert(1, box(100, 120, 120, 160), False)], tmp_path / "out")
    label = _written(tmp_path / "out" / "building", 1)[2]
    # pixels of the later image; the pair is compared at half a metre
    assert label.shape == (256, 256)
    assert (label == 0).sum() == pytest.approx(48 * 88, rel=0.05)


# what training makes of them


def _pairs(folder: Path, labels: dict[str, int], manifest: str | None) -> Path:
    """Pairs of one colour each; labels by stem, 255, 0 or 128 in a corner and 128 elsewhere."""
    for name in ("A", "B", "label"):
        (folder / name).mkdir(parents=True)
    for number, (stem, value) in enumerate(labels.items(), 1):
        colour, label = np.full((64, 64, 3), number, np.uint8), np.full((64, 64), 128, np.uint8)
        label[:20, :20] = value
        for name, image in (("A", colour), ("B", colour), ("label", label)):
            assert cv2.imwrite(str(folder / name / f"{stem}.png"), image)
    if manifest is not None:
        (folder / "manifest.yaml").write_text(manifest)
    return folder


MANIFEST = "{{question: {}, gsd_m: 0.5, unknown: 128, appears: false}}"


def _recipe(root: Path, **changed: object) -> Recipe:
    _pairs(root / "base", {"b": 255}, None)
    source = {"kind": "pairs", "folder": "base", "question": "building", "weight": 3.0}
    values = {"network": "fast", "steps": 1, "batch": 1, "learning_rate": 0.1, "sources": [source]}
    return Recipe.model_validate(values | changed)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """Eight building windows, of which one false alarm, and four of ground, all confirmed."""
    labels = {f"c{i}": 255 for i in range(7)} | {"f": 0}
    _pairs(tmp_path / "reviews" / "building", labels, MANIFEST.format("building"))
    _pairs(tmp_path / "reviews" / "ground", {f"g{i}": 255 for i in range(4)}, MANIFEST.format("ground"))
    return tmp_path / "reviews"


def test_reviews_have_their_share_divided_by_windows(reviews: Path, tmp_path: Path) -> None:
    mixed = add_reviews(_recipe(tmp_path), [reviews], 0.4)
    weights = np.array([source.weight for source in mixed.sources])
    assert (weights / weights.sum()).tolist() == pytest.approx([0.6, 0.4 * 8 / 12, 0.4 * 4 / 12])
    _, building, ground = mixed.sources
    assert isinstance(building, PairsRecipe)
    assert isinstance(ground, PairsRecipe)
    assert (building.question, ground.question) == ("building", "ground")
    assert building.folder.is_absolute()
    assert (building.unknown, building.appears, building.gsd_m) == (128, False, 0.5)
    rng, mixture = np.random.default_rng(1), Mixture(mixed, tmp_path)
    drawn = [mixture.draw(rng) for _ in range(600)]
    asked_ground = np.mean([sample.ground is not None for sample in drawn])
    assert asked_ground == pytest.approx(0.4 / 3, abs=0.05)
    reviewed = np.mean([(s.building if s.ground is None else s.ground).max() == UNKNOWN for s in drawn])
    assert reviewed == pytest.approx(0.4, abs=0.07)


def test_false_alarms_are_drawn_as_often_as_confirmed_ones(reviews: Path) -> None:
    def share_of_false_alarms(balanced: bool) -> float:
        source = LabelledPairs(reviews / "building", "building", unknown=128, balanced=balanced)
        rng = np.random.default_rng(0)
        return float(np.mean([not (source.draw(rng).building == 1).any() for _ in range(300)]))

    assert share_of_false_alarms(balanced=True) == pytest.approx(0.5, abs=0.08)
    assert share_of_false_alarms(balanced=False) == pytest.approx(1 / 8, abs=0.06)


def test_where_all_are_confirmed_they_are_drawn_alone(reviews: Path) -> None:
    source = LabelledPairs(reviews / "ground", "ground", unknown=128, balanced=True)
    rng = np.random.default_rng(0)
    assert {int(source.draw(rng).before[0, 0, 0]) for _ in range(60)} == {1, 2, 3, 4}


def test_a_folder_of_any_origin_is_taken_with_its_manifest(tmp_path: Path) -> None:
    own = _pairs(tmp_path / "own", {"p": 255}, "question: ground\nweight: 2.0\nterms: ours\n")
    [(folder, question, manifest)] = review_folders(own)
    assert (folder, question, manifest.weight, manifest.unknown, manifest.appears) == (own, "ground", 2.0, None, True)
    source = add_reviews(_recipe(tmp_path), [own], 0.5).sources[1]
    assert (source.weight, source.terms) == (pytest.approx(3.0), "ours")


@pytest.mark.parametrize(
    ("labels", "manifest", "says"),
    [
        ({}, "", "holds no reviews"),
        ({"p": 0}, None, "has no manifest.yaml"),
        ({"p": 0}, "question: any\n", "can be evaluated but not trained"),
        ({"p": 0}, "question: colour\n", "question"),
        ({"p": 0}, "unknown: 300\n", "unknown"),
    ],
)
def test_what_cannot_be_trained_on_is_told(labels: dict[str, int], manifest: str, says: str, tmp_path: Path) -> None:
    if labels:
        _pairs(tmp_path / "own", labels, manifest)
    with pytest.raises(SettingsError, match=says):
        add_reviews(_recipe(tmp_path), [tmp_path / "own"], 0.3)


def test_an_optional_source_that_is_missing_is_left_out_with_its_weight(reviews: Path, tmp_path: Path) -> None:
    base = {"kind": "pairs", "folder": "base", "question": "building", "weight": 1.0}
    gone = [
        {"kind": "pairs", "folder": "gone", "question": "ground", "weight": 5.0, "optional": True},
        {"kind": "unchanged", "folders": ["base/A", "gone/A"], "weight": 5.0, "optional": True},
        {"kind": "crossed", "folders": [{"folder": "gone", "gsd_m": 1}], "weight": 5.0, "optional": True},
    ]
    recipe = _recipe(tmp_path, sources=[base, *gone])
    assert [source.weight for source in drop_missing_sources(recipe, tmp_path).sources] == [1.0]
    assert Mixture(recipe, tmp_path).edges.tolist() == [1.0]
    mixed = add_reviews(drop_missing_sources(recipe, tmp_path), [reviews], 0.25)
    assert sum(source.weight for source in mixed.sources[1:]) == pytest.approx(1 / 3)


def test_a_recipe_without_any_data_is_refused(tmp_path: Path) -> None:
    source = {"kind": "pairs", "folder": "gone", "question": "ground", "weight": 1.0}
    with pytest.raises(SettingsError, match="needs gone"):
        Mixture(_recipe(tmp_path, sources=[source]), tmp_path)
    (tmp_path / "other").mkdir()
    with pytest.raises(SettingsError, match="nothing to train on"):
        Mixture(_recipe(tmp_path / "other", sources=[source | {"optional": True}]), tmp_path)


@pytest.mark.parametrize("name", ["own", "own-fast"])
def test_the_shipped_recipes_need_no_data_but_rendered_scenes(name: str, tmp_path: Path) -> None:
    recipe = read_recipe(Path(f"training/{name}.yaml"))
    assert recipe.initial_weights == recipe.teacher == recipe.network
    assert {source.kind for source in recipe.sources if not source.optional} == {"rendered"}
    assert sum(source.kind == "rendered" for source in recipe.sources) == 1
    assert {"pairs", "unchanged"} <= {source.kind for source in recipe.sources}
    assert [source.kind for source in drop_missing_sources(recipe, tmp_path).sources] == ["rendered"]


def test_a_recipe_that_was_kept_is_the_one_that_was_trained(reviews: Path, tmp_path: Path) -> None:
    mixed = add_reviews(_recipe(tmp_path), [reviews], 0.3)
    write_recipe(mixed, tmp_path / "recipe.yaml")
    assert read_recipe(tmp_path / "recipe.yaml") == mixed
    assert "sources_from" not in yaml.safe_load((tmp_path / "recipe.yaml").read_text())


# the person of the worked example


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
    assert verdicts_from_truth(scan, [ground]) == {1: True, 3: False}, "number 2 is a change, but not what its kind says"
