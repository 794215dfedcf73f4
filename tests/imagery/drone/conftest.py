"""A place on two dates, as a drone and an earlier image see it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from training.synthetic import SceneSpec, render_scene, write_scene
from training.synthetic.flight import Camera, Station, fly, lawnmower, leaning

SPEC = SceneSpec(seed=5, width=480, height=480, gsd_m=0.25, misregistration_px=0.0)
CAMERA = Camera(240, 180, 200.0)


class Flown(NamedTuple):
    """A flight with its truth: photos, where each truly was, the day's image, and the earlier image's file."""

    photos: list[Path]
    stations: list[Station]
    image: NDArray[np.uint8]
    earlier: Path


@pytest.fixture(scope="session")
def flown(tmp_path_factory: pytest.TempPathFactory) -> Flown:
    """Six photos in two lines, 60 m up, neighbours overlapping by half; the cameras lean by a degree."""
    folder = tmp_path_factory.mktemp("flown")
    pair = render_scene(SPEC)
    earlier, _, _ = write_scene(pair, folder / "scene")
    rng = np.random.default_rng(7)
    west, north = SPEC.origin[0] + 42, SPEC.origin[1] - 80
    stations = leaning(lawnmower(west, north, 2, 3, 30.0, 24.0, 60.0), rng, 1.0)
    photos = fly(folder / "DCIM", pair.after, SPEC.transform, SPEC.crs, CAMERA, stations, rng)
    return Flown(photos, stations, pair.after, earlier)
