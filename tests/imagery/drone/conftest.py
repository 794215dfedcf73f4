"""A rendered drone flight over a synthetic scene, with an image of the same scene on an earlier date."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from training.synthetic import SceneSpec, render_scene, write_scene
from training.synthetic.drone_flight import Camera, Station, lawnmower, with_random_tilts, write_flight

SPEC = SceneSpec(seed=5, width=480, height=480, gsd_m=0.25, misregistration_px=0.0)
CAMERA = Camera(240, 180, 200.0)


class RenderedFlight(NamedTuple):
    """Photos, the true station of each, the image of that date, and the file of the earlier image."""

    photos: list[Path]
    stations: list[Station]
    image: NDArray[np.uint8]
    earlier: Path


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> RenderedFlight:
    """Six photos in two lines from 60 m, with 50 % overlap of neighbours; cameras are tilted by about one degree."""
    folder = tmp_path_factory.mktemp("flight")
    pair = render_scene(SPEC)
    earlier, _, _ = write_scene(pair, folder / "scene")
    rng = np.random.default_rng(7)
    west, north = SPEC.origin[0] + 42, SPEC.origin[1] - 80
    stations = with_random_tilts(lawnmower(west, north, 2, 3, 30.0, 24.0, 60.0), rng, 1.0)
    photos = write_flight(folder / "DCIM", pair.after, SPEC.transform, SPEC.crs, CAMERA, stations, rng)
    return RenderedFlight(photos, stations, pair.after, earlier)
