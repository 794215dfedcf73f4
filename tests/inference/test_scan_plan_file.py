"""Scan plans and block results: a scan in separate jobs equals a scan on one machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from errors import TubanError
from imagery import open_scene
from inference.block_results import read_block_results, write_block_results
from inference.block_scan import scan_blocks
from inference.detect_changes import (
    build_scan_result,
    detect_changes,
    merge_block_results,
    network_facts,
    scene_facts,
)
from inference.scan_plan import plan_scan
from inference.scan_plan_file import read_scan_plan, write_scan_plan
from inference.settings import ScanSettings, read_config, settings_for
from tests.inference.scenes import DifferenceDetector, textured, write_image

Files = tuple[Path, Path]


def _settings(**changed: object) -> ScanSettings:
    return settings_for(read_config(), "aerial", 0.5, **changed)


@pytest.fixture(params=["placed", "pixels"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    """Two dates, the later one displaced and brighter, with houses and pits across block seams."""
    image = textured(700, 900)
    after = np.clip(np.roll(image, (2, 3), (0, 1)).astype(np.float32) * 1.1, 0, 255).astype(np.uint8)
    for top, left in ((180, 190), (340, 360), (500, 700)):
        after[top : top + 60, left : left + 60] = (235, 235, 235)
        after[top + 80 : top + 130, left - 60 : left + 60] = (235, 110, 20)
    crs = "EPSG:32650" if request.param == "placed" else None
    files = tmp_path / "before.tif", tmp_path / "after.tif"
    return write_image(files[0], image, crs=crs), write_image(files[1], after, crs=crs)


def test_a_scan_in_jobs_with_reopened_scenes_equals_a_single_scan(pair: Files) -> None:
    settings, detector = _settings(block_px=208), DifferenceDetector()
    with open_scene(pair[0], gsd=0.5) as before, open_scene(pair[1], gsd=0.5) as after:
        single = detect_changes(before, after, detector, settings)
    with open_scene(pair[0], gsd=0.5) as before, open_scene(pair[1], gsd=0.5) as after:
        file = write_scan_plan(plan_scan(before, after, detector, settings))
    parts = []
    for first in (8, 0, 16, 4, 12):
        with open_scene(pair[0], gsd=0.5) as before, open_scene(pair[1], gsd=0.5) as after:
            plan = read_scan_plan(file, before, after, settings)
            blocks = plan.blocks(detector, settings.block_px)
            parts.append(write_block_results(scan_blocks(plan, blocks[first : first + 4], detector)))
    with open_scene(pair[0], gsd=0.5) as before, open_scene(pair[1], gsd=0.5) as after:
        plan = read_scan_plan(file, before, after, settings)
        results = [result for part in parts for result in read_block_results(part)]
        changes = merge_block_results(plan, results, settings)
        facts = scene_facts(before), scene_facts(after)
        merged = build_scan_result(plan, results, changes, *facts, settings, network_facts(detector), {})

    assert len(results) == len(blocks) > 16
    assert len(single.changes) >= 6
    assert single.alignment.residual_before_px is not None
    assert single.alignment.residual_before_px > 3
    assert merged.changes == single.changes
    assert merged.grid == single.grid
    assert merged.alignment.summary() == single.alignment.summary()
    assert (merged.compared_area_m2, merged.not_compared_area_m2) == (
        single.compared_area_m2,
        single.not_compared_area_m2,
    )
    assert (merged.threshold, merged.runtime, merged.before) == (single.threshold, single.runtime, single.before)


def test_block_results_are_serialized_without_loss(pair: Files) -> None:
    settings, detector = _settings(block_px=352), DifferenceDetector()
    with open_scene(pair[0], gsd=0.5) as before, open_scene(pair[1], gsd=0.5) as after:
        plan = plan_scan(before, after, detector, settings)
        blocks = plan.blocks(detector, settings.block_px)
        results = scan_blocks(plan, blocks, detector)
    assert sum(len(result.fragments) for result in results) > 6
    assert read_block_results(write_block_results(results)) == results
    assert read_block_results(write_block_results([])) == []
    empty = [replace(result, fragments=()) for result in results]
    assert read_block_results(write_block_results(empty)) == empty


def test_a_damaged_file_is_refused(pair: Files) -> None:
    settings = _settings()
    with open_scene(pair[0], gsd=0.5) as before, open_scene(pair[1], gsd=0.5) as after:
        file = write_scan_plan(plan_scan(before, after, DifferenceDetector(), settings))
        for damaged in (b"", file[: len(file) // 2], b"not such a file"):
            with pytest.raises(TubanError, match="damaged"):
                read_scan_plan(damaged, before, after, settings)
        with pytest.raises(TubanError, match="findings"):
            read_scan_plan(write_block_results([]), before, after, settings)


def test_scenes_of_another_plan_are_refused(pair: Files, tmp_path: Path) -> None:
    settings = _settings()
    with open_scene(pair[0], gsd=0.5) as before, open_scene(pair[1], gsd=0.5) as after:
        crs = str(after.geobox.crs) if after.georeferenced else None
        file = write_scan_plan(plan_scan(before, after, DifferenceDetector(), settings))
        small = [write_image(tmp_path / f"small{n}.tif", textured(700, 880, n), crs=crs) for n in (1, 2)]
        with (
            open_scene(small[0], gsd=0.5) as one,
            open_scene(small[1], gsd=0.5) as other,
            pytest.raises(TubanError, match="Plan the scan again"),
        ):
            read_scan_plan(file, one, other, settings)
