"""How many rendered sites a camera finds, and how much else it reports: `python -m benchmarks.cameras [SEED…]`.

Each seed is a place of its own: six captures before and four after something was built, in changing weather, with
traffic, a crane that turns, a mast that shakes, and one capture each in rain, in fog and at night. Control points carry
an error of 1 px and 0.5 m. The seeds by which thresholds (20 to 28) and the rule of two thirds (101 to 106) were chosen
are not among the default ones.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from shapely.ops import unary_union

from imagery.cameras.calibration import calibrate
from imagery.cameras.camera import Calibration, Capture, Comparison, ControlPoint, Preset
from imagery.cameras.georeferencing import watched_mask
from imagery.cameras.quality_check import check_quality
from imagery.cameras.settings import CompareSettings
from inference.cameras.compare import compare_captures
from model.detector import Detector
from training.synthetic.camera_frames import CameraScene, build_camera_scene, capture_schedule, render_frame

SEEDS = (111, 112, 113, 114, 115, 116)
WIDTH, ROWS, RANGE_M = 960, 540, 220.0
CLICKS = ((0.15, 0.9), (0.85, 0.88), (0.5, 0.7), (0.2, 0.5), (0.8, 0.48), (0.45, 0.42))
LEAST_PX = 150  # of a site within what is watched; a smaller part of one is not asked for


def calibrated(place: CameraScene, rng: np.random.Generator) -> tuple[Calibration, Preset]:
    """Control points as a person clicks them."""
    back = np.linalg.inv(place.camera.ground_homography(0.0))
    width, rows = place.camera.width, place.camera.rows
    points = []
    for x, y in CLICKS:
        ground = back @ (x * width, y * rows, 1)
        lon, lat = place.to_lonlat(*(ground[:2] / ground[2]))
        off = rng.normal(0, (1.0, 1.0, 0.5, 0.5))
        points.append(
            ControlPoint(x * width + off[0], y * rows + off[1], lon + off[2] / 95_500, lat + off[3] / 110_900)
        )
    return calibrate(points, (width, rows)), Preset("rendered", tuple(points), (), RANGE_M, (width, rows))


def run(seed: int, detector: Detector | None) -> tuple[int, int, int, Comparison]:
    """One place: sites found, sites missed, changes that are none, and the whole answer."""
    place = build_camera_scene(seed, WIDTH, ROWS)
    when = capture_schedule(seed, 6, 4)
    reference = render_frame(place, replace(when[1], shake_deg=0.0, weather="clear"))
    captures = [check_quality(Capture(render_frame(place, m), m.taken_at), reference) for m in when]
    calibration, preset = calibrated(place, np.random.default_rng(seed))
    answer = compare_captures(captures, preset, calibration, CompareSettings(), detector)
    ground = watched_mask(calibration, preset)
    # a building hides the ground behind it, so what is reported may reach behind the site it belongs to
    truth = [place.to_lonlat_polygon(unary_union(site.area)).buffer(0) for site in place.sites]
    asked = [
        area
        for site, area in zip(place.sites, truth, strict=True)
        if (place.site_mask(site) & ground).sum() >= LEAST_PX
    ]
    outlines = [change.outline.buffer(0) for change in answer.changes]
    found = sum(any(o.intersection(a).area > 0.1 * min(o.area, a.area) for o in outlines) for a in asked)
    false = sum(not any(o.intersects(a) for a in truth) for o in outlines)
    return found, len(asked) - found, false, answer


def main() -> None:
    """Print a line for each seed, and the sums."""
    seeds = [int(seed) for seed in sys.argv[1:]] or list(SEEDS)
    detector = Detector("accurate", threads=2)
    sums = np.zeros(3, int)
    for seed in seeds:
        found, missed, false, answer = run(seed, detector)
        sums += (found, missed, false)
        kinds = ", ".join(f"{c.kind} {c.area_m2:.0f} m² ±{c.error.major_m:.1f} m" for c in answer.changes)
        print(
            f"{seed}: found {found}, missed {missed}, false {false}; pending {answer.pending}, weak {answer.weak}, "
            f"{answer.watched_m2 / 1e4:.1f} ha [{kinds}] {answer.not_compared}",
            flush=True,
        )
    print("found {}, missed {}, false {}".format(*sums))


if __name__ == "__main__":
    main()
