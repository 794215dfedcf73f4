"""The public API: its names are stable, and it does what the command does."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import geopandas
import pytest

import tuban
from training.sample.scene import render_sample_scene
from training.synthetic import SceneSpec


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    before, after, _ = render_sample_scene(
        tmp_path_factory.mktemp("scene"), SceneSpec(seed=5, width=700, height=600, changes=4)
    )
    return before, after


def test_names_and_parameters_are_those_that_were_promised() -> None:
    assert set(tuban.__all__) == {
        "Alerts",
        "Change",
        "ImageError",
        "NotComparable",
        "OutputError",
        "ScanResult",
        "Scene",
        "SettingsError",
        "TubanError",
        "WeightsError",
        "check_output",
        "detect_changes",
        "open_scene",
        "read_alerts",
        "scan_to_folder",
    }
    options = ["weights", "profile", "weights_folder", "runtime", "threads", "block_px", "operating_point"]
    options += ["position_accuracy_m", "search_m", "max_rotation_deg"]
    detecting, scanning = (list(inspect.signature(f).parameters) for f in (tuban.detect_changes, tuban.scan_to_folder))
    assert detecting == ["before", "after", *options, "keep_probability", "scratch", "config", "progress"]
    assert scanning == ["before", "after", "folder", *options, "keep_probability", "config", "progress"]
    assert list(inspect.signature(tuban.open_scene).parameters) == ["path", "gsd", "bands", "crs", "date", "config"]
    assert list(inspect.signature(tuban.read_alerts).parameters) == ["url", "key", "client", "filters"]
    members = {name for name in vars(tuban.ScanResult) if not name.startswith("_")}
    assert members == {"changes", "close", "to_geodataframe", "write"}


def test_the_package_is_typed() -> None:
    assert (Path(tuban.__file__).parent / "py.typed").exists()


def test_two_paths_become_rows_on_the_map_and_a_folder_of_results(scene: tuple[Path, Path], tmp_path: Path) -> None:
    steps: dict[str, float] = {}
    with tuban.detect_changes(*scene, keep_probability=True, progress=steps.__setitem__) as result:
        frame = result.to_geodataframe()
        result.write(tmp_path / "out")
    written = json.loads((tmp_path / "out" / "changes.geojson").read_text())["features"]
    assert len(result.changes) == len(frame) == len(written) > 0
    assert isinstance(frame, geopandas.GeoDataFrame)
    assert list(frame["number"]) == [feature["id"] for feature in written]
    assert frame.crs.to_epsg() == 4547
    assert frame.geometry.area.to_numpy() == pytest.approx(frame["area_m2"].to_numpy(), rel=0.01)
    assert (tmp_path / "out" / "probability.tif").exists()
    assert set(steps.values()) == {1.0}


def test_open_scenes_stay_open_and_without_changes_the_table_has_its_columns(
    scene: tuple[Path, Path], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.tif"
    copy.write_bytes(scene[0].read_bytes())
    with tuban.open_scene(scene[0]) as before, tuban.open_scene(copy) as after:
        with tuban.detect_changes(before, after) as result:
            assert result.changes == ()
            frame = result.to_geodataframe()
        assert (len(frame), "kind" in frame.columns) == (0, True)
        assert before.read(before.geobox[:8, :8]).rgb.shape == (8, 8, 3)


def test_what_cannot_be_compared_is_raised_and_recorded(scene: tuple[Path, Path], tmp_path: Path) -> None:
    other, _, _ = render_sample_scene(
        tmp_path / "other", SceneSpec(seed=6, width=300, height=300, changes=0, origin=(500_000.0, 3_000_000.0))
    )
    with tuban.open_scene(scene[0]) as before, tuban.open_scene(other) as after:
        with pytest.raises(tuban.NotComparable):
            tuban.detect_changes(before, after)
        with pytest.raises(tuban.NotComparable):
            tuban.scan_to_folder(before, after, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "scan.json").read_text())["outcome"] == "not comparable"


def test_a_damaged_file_is_an_image_error(scene: tuple[Path, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.tif"
    broken.write_bytes(scene[0].read_bytes()[:5000])
    with pytest.raises(tuban.ImageError, match=r"broken\.tif"):
        tuban.detect_changes(broken, scene[1])
