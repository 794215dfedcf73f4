"""The model card contains all measurements, each source with its terms, and nothing that varies between exports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from model.network import ChangeNetwork
from model.registry import find_layout
from training.card.facts import CardFacts, ChosenThreshold, LeftOutSource, ValidationFolder
from training.card.provenance import shares, source_name
from training.card.rendered_scores import SCENES, shrink_to_jpeg
from training.card.write import make_card, write_card
from training.evaluation.pictures import FALSE_ALARM, HIT, MISSED
from training.export import export_run
from training.recipe import Recipe, read_recipe
from training.sample.scene import SAMPLE_SCENE
from training.sources.rendered_scenes import FIRST_SEED
from training.synthetic import SceneSpec

pytestmark = pytest.mark.slow  # the export of all tests
SCENE = SceneSpec(seed=102, width=220, height=220, gsd_m=1.0)


@dataclass(frozen=True)
class Exported:
    facts: CardFacts
    card: str
    picture: Path
    steps: list[str]


@pytest.fixture(scope="module")
def exported(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A run of nine steps, three of them after the last checkpoint, exported with all measurements."""
    run, folder = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("weights")
    torch.manual_seed(3)
    network = ChangeNetwork(find_layout("fast"))
    torch.save({"network_name": "fast", "average": network.state_dict(), "step": 6}, run / "checkpoint.pt")
    rates = [4, 4, 2, 2, 2, 2, 99, 99, 99]
    lines = [f"{step},1.0,0.001,{rate},{1 if rate == 4 else 0}" for step, rate in enumerate(rates, 1)]
    (run / "log.csv").write_text("\n".join(["step,loss,learning_rate,pairs_per_second,waited", *lines]))
    (run / "validation.csv").write_text("step,folder,f1\n3,one,0.1\n3,two,0.25\n6,one,0.5\n9,one,0.9\n")
    pairs = {"kind": "pairs", "folder": "buildings", "question": "building"}
    recipe = Recipe.model_validate(
        {
            "network": "fast",
            "initial_weights": "imagenet",
            "steps": 8,
            "batch": 4,
            "learning_rate": 0.001,
            "sources": [
                {**pairs, "prefix": "p0", "weight": 1, "gsd_m": 0.5, "terms": "LEVIR-CD, academic use only"},
                {**pairs, "prefix": "p1", "weight": 1, "terms": "given by | a friend"},
                {**pairs, "folder": "grounds", "question": "ground", "weight": 1, "validation_split": 0.5},
            ],
        }
    )
    validation = [ValidationFolder("buildings", "building", 0.5), ValidationFolder("grounds", "ground")]
    steps: list[str] = []
    _, facts = export_run(
        recipe,
        run,
        data,
        "mine",
        validation,
        "## Afterwards\n\nA person's words.",
        folder,
        scenes=[SCENE],
        progress=lambda part, _done: steps.append(part),
    )
    return Exported(facts, (folder / "mine.md").read_text(), folder / "mine_worst.jpg", steps)


def _tables(card: str, heading: str) -> list[list[list[str]]]:
    """Cells of the tables below a heading, without their heads."""
    part = re.split(r"^#+ ", card.split(f"# {heading}\n", 1)[1], flags=re.M)[0]
    blocks = re.findall(r"(?:^\|.*\|$\n?)+", part, flags=re.M)
    return [[[cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()[2:]] for block in blocks]


def _figures(values: Sequence[float | None]) -> list[str]:
    return ["–" if value is None else f"{value:.3f}" for value in values]


def test_the_weights_are_identified(exported: Exported) -> None:
    weights = exported.facts.weights
    [rows] = _tables(exported.card, "Weights `mine`")
    values = dict(rows)
    assert weights.sha256 in values["sha256"]
    assert f"{weights.path.stat().st_size / 1e6:.2f} MB" in values["file"]
    assert f"{sum(p.numel() for p in ChangeNetwork(weights.layout).parameters()):,} parameters" in values["network"]
    assert "Apache-2.0" in values["initial weights"]
    assert "Not evidence" in exported.card


def test_each_source_is_listed_with_its_share_and_terms(exported: Exported) -> None:
    [rows] = _tables(exported.card, "Data")
    assert [row[0] for row in rows] == ["`buildings` `p0*`", "`buildings` `p1*`", "`grounds`"]
    assert [row[2:4] for row in rows] == [["building", "0.5"], ["building", "not stated"], ["ground", "not stated"]]
    assert [row[5] for row in rows] == ["–", "–", "50%"]
    assert [row[6] for row in rows] == ["LEVIR-CD, academic use only", "given by / a friend", "not stated"]
    assert sum(round(10 * float(row[4])) for row in rows) == 1000
    assert "non-commercial or academic use only (LEVIR-CD;" in exported.card


def test_the_shares_of_the_shipped_recipe_add_up_to_100() -> None:
    recipe = read_recipe(Path("training/accurate.yaml"))
    assert sum(round(10 * share) for share in shares(recipe)) == 1000
    total = sum(source.weight for source in recipe.sources)
    for share, source in zip(shares(recipe), recipe.sources, strict=True):
        assert share == pytest.approx(100 * source.weight / total, abs=0.1)


def test_absolute_paths_are_shortened(exported: Exported) -> None:
    [source, *_] = exported.facts.recipe.sources
    elsewhere = source.model_copy(update={"folder": Path("/home/somebody/reviewed/2026-11/building"), "prefix": ""})
    assert source_name(elsewhere) == "`…/2026-11/building`"


def test_the_run_is_summarized_up_to_its_checkpoint(exported: Exported) -> None:
    recipe, validation = _tables(exported.card, "Recipe")
    values = dict(recipe)
    assert values["steps"] == "6 of 8, stopped early"
    assert values["pairs seen"] == "24"
    # two steps of 1 s spent waiting, and four of 2 s
    assert values["speed"] == "2.0 pairs a second (median), 20.0% of the time waiting"
    assert float(values["hours of training steps"]) == pytest.approx(10 / 3600, abs=0.005)
    assert validation == [["3", "0.100", "0.250"], ["6", "0.500", "–"]]


def test_thresholds_are_listed_with_the_pairs_they_were_chosen_on(exported: Exported) -> None:
    [rows] = _tables(exported.card, "Thresholds")
    chosen = exported.facts.weights.threshold
    assert [row[:3] for row in rows] == [
        ["building", f"{chosen['building']:.3f}", "`buildings` `p0*`: 1 pairs of the training data"],
        ["ground", f"{chosen['ground']:.3f}", "`grounds`: 1 pairs of the validation split"],
    ]


def test_every_score_equals_that_of_the_evaluation(exported: Exported) -> None:
    facts = exported.facts
    measured = (*facts.folders, *facts.rendered)
    names = [f"{one.name}, {one.question}" for one in measured]
    assert names[:2] == ["`buildings`, building", "`grounds`, ground"]
    assert names[2:] == ["rendered scenes 102, building", "rendered scenes 102, ground"]

    [pixels] = _tables(exported.card, "Pixels and false alarms")
    [objects] = _tables(exported.card, "Objects")
    [sizes] = _tables(exported.card, "Recall of objects by size")
    [bins] = _tables(exported.card, "Calibration")
    with_sizes = [one for one in measured if one.evaluation.protocol["gsd_m"] is not None]
    assert len(pixels) == 4
    assert len(objects) == 8
    assert len(sizes) == 2 * len(with_sizes) == 6
    for number, one in enumerate(measured):
        found = one.evaluation
        error = found.calibration["expected_calibration_error"]
        row = pixels[number]
        assert row[:2] == [names[number], str(found.pairs)]
        assert row[2:6] == _figures([found.pixel[key] for key in ("precision", "recall", "f1", "iou")])
        if found.false_alarms_per_km2 is None:
            assert row[6] == f"{found.false_alarms_per_megapixel:.1f} per megapixel"
        else:
            assert row[6] == f"{found.false_alarms_per_km2:.1f} per km²"
        areas = found.areas_mu
        assert row[7] == ("–" if areas is None else f"{areas['found']:,.0f} of {areas['changed']:,.0f}")
        assert row[8] == ("–" if areas is None else f"{areas['falsely_reported']:,.0f}")
        assert row[9] == f"{error:.3f}"
        for offset, iou in enumerate(("iou_0.25", "iou_0.5")):
            counted = found.objects[iou]
            assert objects[2 * number + offset] == [
                names[number], iou[4:], str(counted["true"]), str(counted["found"]),
                *_figures([counted[key] for key in ("precision", "recall", "f1")]),
            ]  # fmt: skip
            if one in with_sizes:
                recalls = [f"{c['recall']:.3f} of {c['true']}" if c["true"] else "–"
                           for c in counted["by_area_m2"].values()]  # fmt: skip
                assert sizes[2 * with_sizes.index(one) + offset] == [names[number], iou[4:], *recalls]
        for row, counted in zip(bins, found.calibration["bins"], strict=True):
            cells = ["–" if counted[key] is None else f"{counted[key]:.2f}" for key in ("mean_score", "observed")]
            assert row[number + 1] == " → ".join(cells)
    protocol = exported.card.split("### Protocol\n")[1].split("\n#")[0]
    assert protocol.count("\n- ") == 4
    assert "2 of 96×96 px" in protocol


def test_every_curve_equals_that_of_the_evaluation(exported: Exported) -> None:
    curves = [_curves(one) for one in exported.facts.folders]
    [others] = _tables(exported.card, "Swapped dates and restyled images")
    shift, gamma, blur, scale = _tables(exported.card, "Robustness")
    for number, (figures, restyled) in enumerate(curves):
        assert others[number][3] == f"{figures['swapped']['f1']:.3f}"
        assert others[number][4] == str(restyled["images"])
        assert others[number][6] == f"{restyled['share_above_threshold']:.3%}"
        assert shift[2 * number][2:] == _figures([point["f1"] for point in figures["shift"]])
        assert shift[2 * number + 1][2:] == _figures([point["f1_aligned"] for point in figures["shift"]])
        for name, rows in (("gamma", gamma), ("blur", blur), ("scale", scale)):
            assert rows[number][2:] == _figures([point["f1"] for point in figures[name]])
    per_km2, per_megapixel = curves[0][1]["false_alarms_per_km2"], curves[1][1]["false_alarms_per_megapixel"]
    assert [row[5] for row in others] == [f"{per_km2:.1f} per km²", f"{per_megapixel:.1f} per megapixel"]


def _curves(one: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    assert one.curves.protocol["limit"] == 8
    return one.curves.robustness, one.curves.restyled


def test_failures_follow_from_the_metrics(exported: Exported) -> None:
    failures = exported.card.split("## Known failures\n")[1]
    for one in exported.facts.folders:
        worst = min(one.evaluation.by_pair, key=lambda pair: pair["f1"])
        assert f"the worst pairs by pixel F1 are `{worst['pair']}` {worst['f1']:.3f}" in failures
        most_alarms = max(one.evaluation.by_pair, key=lambda pair: pair["false_alarm_px"])
        if most_alarms["false_alarm_px"]:
            assert f"`{most_alarms['pair']}` ({most_alarms['false_alarm_px']:,} px" in failures
    classes = exported.facts.folders[0].evaluation.objects["iou_0.25"]["by_area_m2"]
    occupied = {name: one for name, one in classes.items() if one["true"]}
    [weakest] = re.findall(r"weakest size class is (\S+) m²", failures)
    assert occupied[weakest]["recall"] == min(one["recall"] for one in occupied.values())


def test_only_losses_of_curves_are_reported(exported: Exported) -> None:
    [one, *_] = exported.facts.folders
    assert one.curves is not None
    flat = {key: [{**point, "f1": 0.8, "f1_aligned": 0.8} for point in points] if isinstance(points, list) else points
            for key, points in (one.curves.robustness or {}).items()}  # fmt: skip
    flat["blur"][-1]["f1"] = 0.7
    curves = replace(one.curves, robustness=flat, pixel={**one.curves.pixel, "f1": 0.8})
    facts = replace(exported.facts, folders=(replace(one, curves=curves),))
    assert "more than 0.05 of 0.800 F1 (2 pairs) is lost by blur (3 px −0.100)." in make_card(facts)
    flat["blur"][-1]["f1"] = 0.76
    assert "no robustness curve loses more than 0.05 F1" in make_card(facts)


def test_the_picture_is_small_and_of_a_rendered_scene(exported: Exported) -> None:
    assert f"]({exported.picture.name})" in exported.card
    assert "scene_102" in exported.card
    image = np.asarray(Image.open(exported.picture).convert("RGB"))
    assert image.shape[1] <= 1200
    assert exported.picture.stat().st_size < 400_000
    assert image.mean() > 40
    assert image.std() > 15
    for colour in (HIT, MISSED, FALSE_ALARM):
        off = np.abs(image.astype(int) - colour).max(axis=2)
        assert (off < 25).any(), "the legend keeps its colours"
    noise = np.random.default_rng(0).integers(0, 255, (400, 1200, 3)).astype(np.uint8)
    page = exported.picture.with_name("noise.png")
    Image.fromarray(noise).save(page)
    assert len(shrink_to_jpeg(page.read_bytes())) < 400_000, "whatever its content"


def test_the_scenes_of_the_card_are_never_used_for_training() -> None:
    assert all(spec.seed < FIRST_SEED and spec.seed != SAMPLE_SCENE.seed for spec in SCENES)


def test_making_the_card_twice_gives_the_same_bytes(exported: Exported) -> None:
    assert make_card(exported.facts) == exported.card
    before = exported.picture.read_bytes()
    assert write_card(exported.facts).read_text() == exported.card
    assert exported.picture.read_bytes() == before
    assert not re.search(r"\b(nan|inf|None)\b|NaN", exported.card)
    assert str(exported.picture.parent) not in exported.card
    assert exported.card.endswith("## Afterwards\n\nA person's words.\n")


def test_without_log_folders_and_terms_there_is_still_a_card(exported: Exported) -> None:
    card = make_card(replace(exported.facts, log=None, folders=(), picture=None, notes=""))
    assert "No folder of real imagery was given" in card
    assert "Known failures" not in card
    assert "speed" not in card


def test_a_threshold_without_pairs_is_explained(exported: Exported) -> None:
    thresholds = exported.facts.thresholds | {"ground": ChosenThreshold(0.4)}
    recipe = exported.facts.recipe.model_copy(update={"initial_weights": "fast"})
    [rows] = _tables(make_card(replace(exported.facts, recipe=recipe, thresholds=thresholds)), "Thresholds")
    reason = "no pairs of the recipe answer this question, inherited from `fast`"
    assert rows[1] == ["ground", "0.400", reason, "–", "–"]


def test_provenance_of_initial_weights_and_teacher_is_stated(exported: Exported) -> None:
    recipe = exported.facts.recipe.model_copy(update={"initial_weights": "fast", "teacher": "accurate"})
    card = make_card(replace(exported.facts, recipe=recipe))
    assert "They also inherit the provenance of `accurate` (`accurate.md`) and `fast` (`fast.md`)." in card
    assert "`accurate`: its predictions are learned everywhere" in card


def test_progress_names_each_part(exported: Exported) -> None:
    assert list(dict.fromkeys(exported.steps)) == [
        "Threshold of building",
        "Threshold of ground",
        "Evaluating buildings",
        "Robustness buildings",
        "Restyled buildings",
        "Evaluating grounds",
        "Robustness grounds",
        "Restyled grounds",
        "Rendering scenes",
    ]


def test_sources_left_out_are_listed_with_both_scores(exported: Exported) -> None:
    evaluation = exported.facts.folders[0].evaluation
    left_out = (
        LeftOutSource("another city", "building", evaluation),
        LeftOutSource("drones", "building", evaluation, evaluation),
    )
    assert "## Sources left out" not in exported.card
    lines = [line for line in make_card(replace(exported.facts, left_out=left_out)).splitlines() if "`drones`" in line]
    (row,) = lines
    assert row.count(f"{evaluation.pixel['f1']:.3f}") >= 2
