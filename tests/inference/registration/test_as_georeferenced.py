"""Pairs that the images cannot register are compared by coordinates only where their accuracy is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from errors import Reason, SettingsError
from imagery import open_scene
from inference.detect_changes import detect_changes
from inference.registration.descriptor_search import find_peak
from inference.registration.measure import measure_alignment
from inference.settings import ScanConfig, ScanSettings, read_config, settings_for
from tests.inference.registration.test_measure import SETTINGS, SIDE, ArrayImage, align, town
from tests.inference.scenes import DifferenceDetector, write_image

KNOWN = replace(SETTINGS, position_accuracy_m=3.0)


def code_of(reason: str | None) -> str:
    assert isinstance(reason, Reason)
    return reason.code


@pytest.mark.parametrize("seed", [50, 52, 54])
def test_an_unconfirmed_pair_is_compared_as_georeferenced_and_says_so(seed: int) -> None:
    alignment = align(town(seed), town(seed + 1), settings=KNOWN)
    assert alignment.usable
    assert alignment.method == "georeferencing"
    assert alignment.accuracy_px == pytest.approx(6.0)
    assert alignment.residual_px is None
    assert alignment.reason == "compared as georeferenced, position not confirmed by the images, ± 3.0 m"
    assert alignment.shift(slice(0, 8), slice(0, 8)) is None
    assert alignment.summary()["accuracy_px"] == 6.0


def test_with_unknown_accuracy_the_pair_is_refused_and_the_reason_says_how_to_go_on() -> None:
    alignment = align(town(50), town(51))
    assert not alignment.usable
    assert code_of(alignment.reason) == "align.state_accuracy"
    assert "--accuracy" in (alignment.reason or "")


def test_coordinates_too_inaccurate_to_tell_changes_are_refused() -> None:
    alignment = align(town(50), town(51), settings=replace(SETTINGS, position_accuracy_m=40.0))
    assert not alignment.usable
    assert code_of(alignment.reason) == "align.inaccurate"


def test_a_pair_that_registers_is_registered_whatever_the_accuracy() -> None:
    alignment = align(town(50), town(50), settings=KNOWN)
    assert (alignment.method, alignment.accuracy_px) == ("gradients", None)


def test_cloud_on_one_date_is_refused_whatever_the_accuracy() -> None:
    assert not align(town(50), np.full((SIDE, SIDE, 3), 235, np.uint8), settings=KNOWN).usable


def test_without_coordinates_a_stated_accuracy_means_nothing() -> None:
    grid = GeoBox((SIDE, SIDE), Affine.identity(), None)
    images = ArrayImage(town(50), grid), ArrayImage(town(51), grid)
    assert not measure_alignment(*images, grid, KNOWN).usable


def test_a_peak_within_the_known_accuracy_needs_less_evidence_and_one_beyond_it_more() -> None:
    surface = np.zeros((13, 13))
    near, far = surface.copy(), surface.copy()
    near[6, 8] = far[6, 11] = 0.1
    assert find_peak(near, 2.0).evidence > find_peak(near).evidence
    assert find_peak(far, 2.0).evidence < find_peak(far, 5.0).evidence


def _settings(**known: object) -> ScanSettings:
    return settings_for(read_config(), "aerial", 0.5, **known)


def test_a_larger_possible_shift_leaves_less_of_the_score() -> None:
    settings = _settings(position_accuracy_m=4.0)
    shares = [settings.confidence_at(px) for px in (0.0, 8.0, 12.0, 16.0, 32.0, 100.0)]
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == shares[-2] < 0.5


def test_the_accuracy_of_a_pair_is_known_only_if_both_sources_state_theirs() -> None:
    config = read_config()
    stated = ScanConfig(**(config.model_dump() | {"source_accuracy_m": {"drone": 0.3, "satellite": 4.0}}))
    assert config.pair_accuracy_m("drone", "satellite") is None
    assert stated.pair_accuracy_m("drone", "camera") is None
    assert stated.pair_accuracy_m("satellite", "drone") == pytest.approx(4.011, abs=0.001)


def test_search_range_and_rotation_of_a_scan_replace_those_of_the_profile() -> None:
    profile = settings_for(read_config(), "drone", 0.1, search_m=100.0, max_rotation_deg=10.0).profile
    assert (profile.search_m, profile.max_rotation_deg, profile.resolution_m) == (100.0, 10.0, 0.25)
    with pytest.raises(SettingsError, match="max_rotation_deg"):
        settings_for(read_config(), "drone", 0.1, max_rotation_deg=40.0)


def test_alerts_of_an_unconfirmed_pair_keep_the_stated_share_of_their_score(tmp_path: Path) -> None:
    before, after = town(50), town(51)
    after[200:260, 200:260] = 235
    files = [write_image(tmp_path / f"{n}.tif", rgb, crs="EPSG:32650") for n, rgb in enumerate((before, after))]
    scores = []
    for shares in (((0.0, 1.0),), ((0.0, 1.0), (8.0, 0.5))):
        settings = _settings(position_accuracy_m=4.0, confidence_by_shift=shares)
        with open_scene(files[0]) as earlier, open_scene(files[1]) as later:
            result = detect_changes(earlier, later, DifferenceDetector(), settings)
        assert result.alignment.method == "georeferencing"
        scores.append([change.score for change in result.changes])
    assert scores[0]
    assert scores[1] == pytest.approx([score / 2 for score in scores[0]], abs=1e-4)
