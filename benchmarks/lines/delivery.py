"""Line (h): from the end of an upload to the delivery of its alerts, with ``tuban up`` on one machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.drone import CAMERA, HEIGHT_M, TILT_DEG, spec
from benchmarks.lines.bench_service import scan_now, service, submit, wait_for_batch, wait_for_deliveries
from benchmarks.lines.line import Line, Row, Sizes, background
from benchmarks.scan import write_large_pair
from training.synthetic import SceneSpec, render_scene, write_scene
from training.synthetic.drone_flight import lawnmower, with_random_tilts, write_flight

GOAL_SECONDS = 60.0
ACROSS_M, ALONG_M = 51.2, 28.8


def orthophoto(folder: Path, side: int) -> tuple[SceneSpec, list[Path], list[Path]]:
    """Return the place, the earlier image, and what is uploaded: one orthophoto of ``side``² pixels."""
    before, after = write_large_pair(folder, side, quiet=True)
    names = [before.rename(folder / "20250302.tif")], [after.rename(folder / "20251026.tif")]
    return SceneSpec(seed=5, width=side, height=side), *names


def drone_photos(folder: Path, number: int) -> tuple[SceneSpec, list[Path], list[Path]]:
    """Return the place, the earlier image, and what is uploaded: photos of one flight."""
    strips = 5
    place = spec(201)
    pair = render_scene(place)
    rng = np.random.default_rng(201)
    along = -(-number // strips)
    west = place.origin[0] + (place.width * place.gsd_m - (strips - 1) * ACROSS_M) / 2
    north = place.origin[1] - (place.height * place.gsd_m - (along - 1) * ALONG_M) / 2
    stations = with_random_tilts(lawnmower(west, north, strips, along, ACROSS_M, ALONG_M, HEIGHT_M), rng, TILT_DEG)
    photos = write_flight(folder / "flight", pair.after, place.transform, place.crs, CAMERA, stations[:number], rng)
    return place, [write_scene(pair, folder / "earlier")[0]], photos


def measure(sizes: Sizes, progress: Callable[[str], None]) -> list[Row]:
    """Measure the seconds from the received batch to the last delivered event, by part."""
    side, number = sizes.side(sizes.orthophoto), 9 if sizes.small else sizes.photos
    uploads: dict[str, Callable[[], tuple[SceneSpec, list[Path], list[Path]]]] = {
        f"an orthophoto of {side:,}²": lambda: orthophoto(sizes.folder, side),
        f"{number} drone photos": lambda: drone_photos(sizes.folder, number),
    }
    rows = []
    for name, make in uploads.items():
        progress(f"rendering {name}")
        place, earlier, uploaded = make()
        home = sizes.folder / f"home {name}"
        own = {"database": "", "broker": "", "objects": ""}
        with service(home, place, **own) as context:
            environment = {"TUBAN_HOME": str(home)} | {f"TUBAN_{key.upper()}": "" for key in own}
            command: list[str | Path] = [Path(sys.executable).with_name("tuban"), "up", "--no-pages"]
            with background(command, environment, home / "up.log"):
                wait_for_batch(context, submit(context, earlier, "drone"))
                progress(f"{name}: uploaded")
                batch = submit(context, uploaded, "drone")
                times = [time.perf_counter()]
                wait_for_batch(context, batch)
                times.append(time.perf_counter())
                scan_now(context)
                times.append(time.perf_counter())
                events = wait_for_deliveries(context)
                times.append(time.perf_counter())
        ingest, scan, delivery = np.diff(times)
        what = f"{name}: ingest {ingest:.0f} s, scan {scan:.0f} s, delivery of {events} events {delivery:.0f} s"
        rows.append(Row(what, times[-1] - times[0], "s", "goal for an orthophoto of 20,000²", GOAL_SECONDS, "< 1"))
    return rows


LINE = Line("h", "upload finished → alerts delivered, `tuban up` on one machine", measure)
