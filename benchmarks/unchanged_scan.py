"""Speed of a scan of mostly unchanged ground: one look on the grid, and several looks, coarse to fine.

    .venv/bin/python -m benchmarks.unchanged_scan                  a mosaic of real farmland, TUBAN_REAL_IMAGERY
    .venv/bin/python -m benchmarks.unchanged_scan --ground rendered
    .venv/bin/python -m benchmarks.unchanged_scan --ground worldwide --side 4000 --rounds 1

The ways to scan alternate, each in a process of its own. CPU seconds of all threads are compared as well as wall
seconds,
because they depend less on what else the machine does. The mosaic of farmland has images of ``single/landcover_china``,
read as 0.5 m; the later date has other light and another sensor, fields that were ploughed or regrew on one of six
images, and construction sites on one of 24. ``worldwide`` is made of the pairs of ``unchanged/worldwide``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rich.console import Console
from rich.table import Table

from benchmarks.farmland import FARMLAND, paint_pair, read_places
from benchmarks.scan import write_large_pair
from training.sources.samples import read_grey, read_rgb

Image = NDArray[np.uint8]

TILE = 512
BUILT_IMAGES, WORKED_IMAGES = 24, 6
"""One of so many images has construction sites, and one of so many fields that look different."""

WAYS: dict[str, dict[str, Any]] = {
    "one look on the grid": {"looks_m": (), "coarse_to_fine": False},
    "all looks everywhere": {"coarse_to_fine": False},
    "coarse to fine": {},
}
"""Way to scan → values of the profile that differ from the shipped ones."""

_SCAN = """
import json, resource, sys, time
from pathlib import Path
from imagery import open_scene
from inference.detect_changes import detect_changes
from inference.settings import read_config, settings_for
from model.detector import Detector
detector = Detector()
with open_scene(Path(sys.argv[1])) as before, open_scene(Path(sys.argv[2])) as after:
    config = read_config()
    aerial = config.profiles["aerial"].model_copy(update=json.loads(sys.argv[3]))
    settings = settings_for(config.model_copy(update={"profiles": {"aerial": aerial}}), "aerial", after.gsd_m)
    start, cpu = time.perf_counter(), time.process_time()
    result = detect_changes(before, after, detector, settings)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"wall": seconds, "cpu": cpu, "peak": peak, "changes": len(result.changes),
                  "timings": result.timings_s}))
"""


def scan_in_process(before: Path, after: Path, changed: dict[str, Any]) -> dict[str, Any]:
    """Scan a pair in a process of its own; return seconds (wall, cpu), peak memory in MiB, changes and timings."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _SCAN, str(before), str(after), json.dumps(changed)],
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def write_mosaic(folder: Path, side: int, images: list[tuple[Image, Image]]) -> tuple[Path, Path]:
    """Write both dates of a mosaic of ``side``² pixels, row by row, as tiled GeoTIFF of 0.5 m with overviews."""
    count = -(-side // TILE)
    paths = []
    for date, name in enumerate(("before", "after")):
        whole = np.zeros((count * TILE, count * TILE, 3), np.uint8)
        for number in range(count**2):
            top, left = number // count * TILE, number % count * TILE
            whole[top : top + TILE, left : left + TILE] = images[number % len(images)][date]
        path = folder / f"{name}.tif"
        profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "tiled": True, "blockxsize": 512, "blockysize": 512}
        profile |= {"compress": "jpeg", "photometric": "ycbcr", "jpeg_quality": 90, "crs": "EPSG:32650"}
        transform = Affine(0.5, 0, 489_600, 0, -0.5, 3_424_200)
        with rasterio.open(path, "w", width=side, height=side, transform=transform, **profile) as raster:
            raster.write(np.moveaxis(whole[:side, :side], 2, 0))
        with rasterio.open(path, "r+") as raster:
            raster.build_overviews([2**k for k in range(1, 7) if side >> k > 256], Resampling.average)
        paths.append(path)
    return paths[0], paths[1]


def farmland_images(root: Path, count: int) -> list[tuple[Image, Image]]:
    """Return both dates of ``count`` images of farmland; the seed is fixed."""
    rng = np.random.default_rng(7)
    folder = root / "single/landcover_china"
    plain = [
        read_rgb(path)
        for path in sorted((folder / "images").iterdir())
        if (read_grey(folder / "masks" / f"{path.stem}.png") == FARMLAND).mean() > 0.5
    ]
    places = read_places(folder)
    pairs = []
    for number in range(count):
        if number % BUILT_IMAGES == 5:
            before, after = paint_pair(places, number // WORKED_IMAGES % len(places), "bare works")
        elif number % WORKED_IMAGES == 0:
            state = ("ploughed", "regrown")[number // WORKED_IMAGES % 2]
            before, after = paint_pair(places, number % len(places), state)
        else:
            before = plain[number * 5 % len(plain)][:: -1 if number >= len(plain) else 1]
            after = before
        light = cv2.resize(
            rng.normal(1, 0.08, (6, 6, 3)).astype(np.float32), (TILE, TILE), interpolation=cv2.INTER_CUBIC
        )
        later = 255 * (np.clip(after * light, 0, 255) / 255) ** rng.uniform(0.8, 1.2)
        later = cv2.GaussianBlur(later, (0, 0), rng.uniform(0.25, 0.5)) + rng.normal(0, 3, later.shape)
        earlier = before + rng.normal(0, 2, before.shape)
        pairs.append((np.clip(earlier, 0, 255).astype(np.uint8), np.clip(later, 0, 255).astype(np.uint8)))
    return pairs


def worldwide_images(root: Path) -> list[tuple[Image, Image]]:
    """Return the unchanged pairs of all continents."""
    folder = root / "unchanged/worldwide"
    return [(read_rgb(path), read_rgb(folder / "B" / path.name)) for path in sorted((folder / "A").iterdir())]


def main() -> None:
    """Scan one pair in each way, alternating, and print the ratios to the first way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ground", choices=("farmland", "worldwide", "rendered"), default="farmland")
    parser.add_argument("--side", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=[way for way in WAYS if "all" not in way])
    arguments = parser.parse_args()
    root = Path(os.environ.get("TUBAN_REAL_IMAGERY", "../shared/imagery"))
    side, console = arguments.side, Console()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.ground == "rendered":
            before, after = write_large_pair(folder, side, quiet=True)
        else:
            count = (-(-side // TILE)) ** 2
            images = farmland_images(root, count) if arguments.ground == "farmland" else worldwide_images(root)
            before, after = write_mosaic(folder, side, images)
        runs: dict[str, list[dict[str, Any]]] = {way: [] for way in arguments.ways}
        for _ in range(arguments.rounds):
            for way, done in runs.items():
                done.append(scan_in_process(before, after, WAYS[way]))
                console.print(f"{way}: {json.dumps(done[-1])}", style="dim", soft_wrap=True)
    table = Table(title=f"Mostly unchanged ground ({arguments.ground}), {side:,}² pixels")
    for heading in ("looks", "Mpx/s", "speed, wall", "speed, CPU", "network, wall s", "peak MiB", "changes"):
        table.add_column(heading, justify="right")
    first = next(iter(runs.values()))
    for way, done in runs.items():
        best = {key: min(run[key] for run in done) for key in ("wall", "cpu", "peak")}
        table.add_row(
            way,
            f"{side**2 / 1e6 / best['wall']:.2f}",
            f"{min(run['wall'] for run in first) / best['wall']:.2f}",
            f"{min(run['cpu'] for run in first) / best['cpu']:.2f}",
            f"{min(run['timings']['network'] for run in done):.1f}",
            f"{best['peak']:.0f}",
            str(done[0]["changes"]),
        )
    console.print(table)


if __name__ == "__main__":
    main()
