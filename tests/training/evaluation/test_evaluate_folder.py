"""Evaluation of a folder: known metrics, strict JSON, manifests, damaged pairs, pictures."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from errors import ImageError, SettingsError
from tests.inference.scenes import one_look, textured
from tests.training.labelled import StarkDetector, box_mask, write_pair, write_picture
from training.evaluation.evaluate import evaluate_folder
from training.evaluation.pictures import FALSE_ALARM, HIT, MISSED, overlay
from training.sources.manifest import Manifest, read_manifest

pytestmark = pytest.mark.usefixtures("plain_exposure")

KEYS = {
    "pairs",
    "pixel",
    "objects",
    "false_alarms_per_km2",
    "false_alarms_per_megapixel",
    "areas_mu",
    "by_resolution",
    "calibration",
    "by_pair",
    "protocol",
    "failed",
    "robustness",
    "restyled",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pairs: one found completely, one half missed with a large and a tiny false alarm, one without change."""
    root = tmp_path_factory.mktemp("folder")
    write_pair(root, "whole", truth=((10, 50, 10, 50),))
    alarms = ((80, 120, 80, 120), (70, 74, 10, 14))
    write_pair(
        root, "half", (150, 140), truth=((10, 50, 10, 50), (10, 50, 70, 110)), visible=((10, 50, 10, 50), *alarms)
    )
    write_pair(root, "nothing", (90, 200))
    return root


def test_areas_are_those_of_objects_above_the_mapping_unit_in_mu(folder: Path) -> None:
    areas = evaluate_folder(folder, StarkDetector(), gsd_m=0.5, config=one_look()).areas_mu
    pixels = {"changed": 4800, "found": 3200, "falsely_reported": 1600}  # the alarm of 4 m² is not reported
    assert areas == pytest.approx({name: count * 0.25 / (10_000 / 15) for name, count in pixels.items()})
    assert evaluate_folder(folder, StarkDetector()).areas_mu is None


def test_the_same_pairs_are_measured_at_coarser_resolutions(folder: Path) -> None:
    found = evaluate_folder(folder, StarkDetector(), gsd_m=0.5, config=one_look(), also_at_m=(1.0, 2.0))
    assert [(one["gsd_m"], one["pairs"]) for one in found.by_resolution] == [(1.0, 3), (2.0, 3)]
    for one in found.by_resolution:
        assert one["areas_mu"]["changed"] == pytest.approx(found.areas_mu["changed"])  # type: ignore[index]
        assert one["pixel"]["recall"] == pytest.approx(found.pixel["recall"], abs=0.1)
    for known, wanted in ((None, 1.0), (0.5, 0.25)):
        with pytest.raises(SettingsError, match="cannot be reduced"):
            evaluate_folder(folder, StarkDetector(), gsd_m=known, config=one_look(), also_at_m=(wanted,))


def test_known_pairs_give_known_metrics(folder: Path) -> None:
    found = evaluate_folder(folder, StarkDetector(), gsd_m=0.5, config=one_look())
    hit, false, missed = 3200, 1600 + 16, 1600
    assert found.pairs == 3
    assert found.pixel["precision"] == pytest.approx(hit / (hit + false))
    assert found.pixel["recall"] == pytest.approx(hit / (hit + missed))
    assert found.pixel["iou"] == pytest.approx(hit / (hit + false + missed))
    objects = found.objects["iou_0.5"]
    assert (objects["true"], objects["found"], objects["matched"]) == (3, 3, 2), "4 m² is below the mapping unit"
    assert objects["by_area_m2"]["400-1000"]["recall"] == pytest.approx(2 / 3)
    unchanged = 128**2 + 150 * 140 + 90 * 200 - 4800
    assert found.false_alarms_per_km2 == pytest.approx(1 / (unchanged * 0.25e-6))
    assert found.calibration["bins"][9]["pixels"] == hit + false
    assert found.calibration["threshold"] == 0.5


def test_without_gsd_metrics_per_area_are_null_and_nothing_is_dropped(folder: Path) -> None:
    found = evaluate_folder(folder, StarkDetector())
    assert found.false_alarms_per_km2 is None
    assert found.objects["iou_0.5"]["by_area_m2"] is None
    assert found.objects["iou_0.5"]["found"] == 4
    assert found.false_alarms_per_megapixel == pytest.approx(2e6 / (128**2 + 150 * 140 + 90 * 200 - 4800))
    assert found.protocol["gsd_m"] is None
    assert "not applied" in found.protocol["minimum_area"]


def test_the_record_is_strict_json_with_its_keys(folder: Path) -> None:
    for gsd in (None, 0.5):
        record = evaluate_folder(folder, StarkDetector(), gsd_m=gsd, config=one_look()).as_json()
        assert set(record) == KEYS
        assert json.loads(json.dumps(record, allow_nan=False)) == json.loads(json.dumps(record))
    assert record["protocol"]["weights"] == {"name": "difference", "sha256": "0" * 64}
    assert record["protocol"]["sizes"] == {"128×128": 1, "140×150": 1, "200×90": 1}


def test_only_unchanged_pairs_give_no_nan(tmp_path: Path) -> None:
    write_pair(tmp_path, "p")
    record = evaluate_folder(tmp_path, StarkDetector(), gsd_m=0.5, config=one_look()).as_json()
    json.dumps(record, allow_nan=False)
    assert record["pixel"] == {"precision": 0, "recall": 0, "f1": 0, "iou": 0}
    assert record["false_alarms_per_km2"] == 0


def test_a_damaged_pair_does_not_stop_the_others(tmp_path: Path) -> None:
    for name in ("good", "broken", "small", "alone"):
        write_pair(tmp_path, name, truth=((10, 50, 10, 50),))
    (tmp_path / "A" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    write_picture(tmp_path / "B" / "small.png", textured(64, 64))
    (tmp_path / "label" / "alone.png").unlink()
    found = evaluate_folder(tmp_path, StarkDetector())
    assert found.pairs == 1
    assert found.pixel["f1"] == 1
    assert [one.pair for one in found.failed] == ["alone", "broken", "small"]
    assert "expected the same" in found.failed[2].reason
    assert found.as_json()["failed"][0].keys() == {"pair", "reason"}


def test_if_no_pair_can_be_evaluated_the_error_gives_the_reasons(tmp_path: Path) -> None:
    write_pair(tmp_path, "p")
    (tmp_path / "B" / "p.png").write_text("not an image")
    with pytest.raises(ImageError, match=r"None of the 1 pairs .* p: B/p.png"):
        evaluate_folder(tmp_path, StarkDetector())


def test_arguments_override_the_manifest(tmp_path: Path) -> None:
    write_pair(tmp_path, "p", truth=((10, 50, 10, 50),))
    assert read_manifest(tmp_path) is None
    (tmp_path / "manifest.yaml").write_text("question: ground\ngsd_m: 2\nterms: research only\n")
    assert read_manifest(tmp_path) == Manifest(question="ground", gsd_m=2.0, weight=1.0, terms="research only")
    protocol = evaluate_folder(tmp_path, StarkDetector()).protocol
    assert (protocol["question"], protocol["question_source"]) == ("ground", "manifest")
    assert (protocol["gsd_m"], protocol["gsd_source"], protocol["detection_gsd_m"]) == (2, "manifest", 0.5)
    protocol = evaluate_folder(tmp_path, StarkDetector(), question="building", gsd_m=0.5, config=one_look()).protocol
    assert (protocol["question"], protocol["gsd_m"]) == ("building", 0.5)


@pytest.mark.parametrize("high", [255, 1])
def test_unlabelled_pixels_are_not_scored(high: int, tmp_path: Path) -> None:
    write_pair(tmp_path, "p", truth=((10, 50, 10, 50),), visible=((10, 50, 10, 50), (80, 120, 80, 120)))
    label = box_mask((128, 128), (10, 50, 10, 50)).astype(np.uint8) * high
    label[70:, 70:] = 128
    write_picture(tmp_path / "label" / "p.png", label)
    (tmp_path / "manifest.yaml").write_text("unknown: 128\n")
    found = evaluate_folder(tmp_path, StarkDetector())
    assert found.pixel["f1"] == 1
    assert found.objects["iou_0.5"]["found"] == 1
    assert found.protocol["pixels_not_scored"] == 58 * 58


@pytest.mark.parametrize(
    "text", ["question: houses", "gsd_m: -1", "gsd_m: .inf", "gsd_m: '0.5'", "resolution: 1", "weight: 0"]
)
def test_an_invalid_manifest_names_the_field(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text(text)
    with pytest.raises(SettingsError, match=text.split(":")[0]):
        read_manifest(tmp_path)


def test_a_limit_selects_evenly_spaced_pairs(folder: Path) -> None:
    found = evaluate_folder(folder, StarkDetector(), limit=2)
    assert found.pairs == 2
    assert found.protocol["sizes"] == {"140×150": 1, "128×128": 1}
    assert found.protocol["pairs_in_folder"] == 3


def test_refused_registrations_are_counted(folder: Path, tmp_path: Path) -> None:
    write_pair(tmp_path, "p", (200, 200))
    for date in ("A", "B"):
        write_picture(tmp_path / date / "p.png", np.full((200, 200, 3), 120, np.uint8))
    alignment = evaluate_folder(tmp_path, StarkDetector(), align=True).protocol["alignment"]
    assert alignment["asked"]
    assert alignment["registered"] == 0
    assert [one["pair"] for one in alignment["refused"]] == ["p"]
    assert not evaluate_folder(folder, StarkDetector(), limit=1).protocol["alignment"]["asked"]


def test_a_pair_that_cannot_be_registered_counts_as_missed_if_asked(tmp_path: Path) -> None:
    write_pair(tmp_path, "p", (200, 200), truth=((10, 50, 10, 50),))
    write_picture(tmp_path / "A" / "p.png", np.full((200, 200, 3), 120, np.uint8))
    compared = evaluate_folder(tmp_path, StarkDetector(), align=True)
    missed = evaluate_folder(tmp_path, StarkDetector(), register=True)
    assert len(compared.protocol["alignment"]["refused"]) == len(missed.protocol["alignment"]["refused"]) == 1
    assert compared.pixel["recall"] > 0.5
    assert missed.pixel["recall"] == 0.0
    assert missed.protocol["alignment"]["refused_missed"]


def test_pictures_of_the_most_informative_pairs(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "looks"
    found = evaluate_folder(folder, StarkDetector(), pictures=out)
    assert {path.name for path in out.iterdir()} == {"best.png", "typical.png", "worst.png", "most_false_alarms.png"}
    assert found.protocol["pictures"] == [
        str(out / f"{name}.png") for name in ("best", "typical", "worst", "most_false_alarms")
    ]
    picture = cv2.imread(str(out / "best.png"))
    assert picture.shape[1] == 3 * 512 + 2 * 6, "three panels of 128 px, enlarged four times"
    worst, most_alarms = (cv2.imread(str(out / f"{name}.png")) for name in ("worst", "most_false_alarms"))
    assert np.array_equal(worst[:450], most_alarms[:450])
    assert not np.array_equal(worst[:450], picture[:450, : worst.shape[1]])


def test_hits_are_green_misses_red_and_false_alarms_yellow() -> None:
    shape = (40, 40)
    true, found = box_mask(shape, (0, 20, 0, 40)), box_mask(shape, (0, 40, 0, 20))
    drawn = overlay(textured(*shape), true, found).astype(float)
    for pixel, colour in (((5, 5), HIT), ((5, 30), MISSED), ((30, 5), FALSE_ALARM)):
        difference = drawn[pixel] - np.array(colour, float)
        assert np.abs(difference - difference.mean()).max() < 60
    assert np.ptp(drawn[30, 30]) == 0, "grey elsewhere"
