"""Speed and memory of a complete scan, compared with the network alone on the same number of pixels in memory.

Compare the ratios of one run between machines and commits; absolute figures depend on the machine.

    .venv/bin/python -m benchmarks.scan               a rendered pair of 2,000² and one of 8,000² pixels
    .venv/bin/python -m benchmarks.scan 30000         your own side lengths
    .venv/bin/python -m benchmarks.scan 8000 --json   one line of JSON for each side

:mod:`benchmarks.unchanged_scan` compares the ways to look at mostly unchanged ground.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import Resampling
from rasterio.windows import Window
from rich.console import Console
from rich.table import Table

from training.synthetic import SceneSpec, render_scene

SIDES = (2_000, 8_000)
CHANGED_TILES = 16
"""One of so many tiles of the mostly unchanged pair has changes."""
TILE = 2_000

_NETWORK = """
import sys, time, numpy as np
from model.detector import Detector
from inference.blocks import plan_blocks
side, block = int(sys.argv[1]), 2048
detector = Detector()
blocks = plan_blocks((side, side), block, detector.halo, detector.stride)
rows, cols = blocks[0].window
shape = (rows.stop - rows.start, cols.stop - cols.start, 3)
rng = np.random.default_rng(0)
pair = [rng.integers(1, 255, shape, dtype=np.uint8) for _ in range(2)]
detector.predict(*pair)
start = time.perf_counter()
count = min(len(blocks), 4)
for _ in range(count):
    detector.predict(*pair)
print((time.perf_counter() - start) * len(blocks) / count)
"""

_SCAN = """
import json, resource, sys, time
from pathlib import Path
from imagery import open_scene
from inference.detect_changes import detect_changes
from inference.settings import read_config, settings_for
from model.detector import Detector
detector = Detector()
with open_scene(Path(sys.argv[1])) as before, open_scene(Path(sys.argv[2])) as after:
    settings = settings_for(read_config(), "aerial", after.gsd_m)
    start = time.perf_counter()
    result = detect_changes(before, after, detector, settings)
    seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "peak_mib": peak, "changes": len(result.changes), "timings": result.timings_s}))
"""


def write_large_pair(folder: Path, side: int, quiet: bool = False) -> tuple[Path, Path]:
    """Write a pair of ``side``² pixels as tiled GeoTIFF with overviews: mirrored copies of one rendered scene.

    Args:
        folder: of both files.
        side: in pixels.
        quiet: only one of :data:`CHANGED_TILES` copies has changes; season, sun and sensor differ everywhere.
    """
    spec = SceneSpec(seed=5, width=min(side, TILE), height=min(side, TILE))
    pair = render_scene(spec)
    unchanged = render_scene(replace(spec, changes=0)) if quiet else pair
    paths = []
    for name in ("before", "after"):
        path = folder / f"{name}_{side}.tif"
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            width=side,
            height=side,
            count=3,
            dtype="uint8",
            tiled=True,
            blockxsize=512,
            blockysize=512,
            compress="jpeg",
            photometric="ycbcr",
            jpeg_quality=90,
            crs=spec.crs,
            transform=Affine(0.5, 0, 489_600, 0, -0.5, 3_424_200),
            BIGTIFF="IF_SAFER",
        ) as raster:
            for row in range(0, side, TILE):
                for col in range(0, side, TILE):
                    number = row // TILE * math.ceil(side / TILE) + col // TILE
                    image = getattr(pair if number % CHANGED_TILES == 0 else unchanged, name)
                    height, width = min(TILE, side - row), min(TILE, side - col)
                    mirrored = image[:: 1 if row // TILE % 2 == 0 else -1, :: 1 if col // TILE % 2 == 0 else -1]
                    part = np.moveaxis(mirrored[:height, :width], 2, 0)
                    raster.write(np.ascontiguousarray(part), window=Window(col, row, width, height))
        with rasterio.open(path, "r+") as raster:
            raster.build_overviews([2**k for k in range(1, 7) if side >> k > 256], Resampling.average)
        paths.append(path)
    return paths[0], paths[1]


def _run(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip().splitlines()[-1]


def network_seconds(side: int) -> float:
    """Return the seconds of the network alone, in a process of its own, on the blocks of a pair of ``side``² pixels."""
    return float(_run(_NETWORK, str(side)))


def measure(folder: Path, side: int) -> dict[str, Any]:
    """Measure a scan of ``side``² pixels and the network alone, in processes of their own.

    Returns:
        ``side``, ``scan_mpx_s``, ``network_mpx_s``, ``scan_to_network`` (seconds), ``peak_mib``, ``changes``, and
        ``timings`` in seconds by part.
    """
    pair = write_large_pair(folder, side)
    network = network_seconds(side)
    scan = json.loads(_run(_SCAN, *map(str, pair)))
    for path in pair:
        path.unlink()
    return {
        "side": side,
        "scan_mpx_s": side**2 / 1e6 / scan["seconds"],
        "network_mpx_s": side**2 / 1e6 / network,
        "scan_to_network": scan["seconds"] / network,
        "peak_mib": scan["peak_mib"],
        "changes": scan["changes"],
        "timings": scan["timings"],
    }


def main() -> None:
    """Measure each side length and print one table, or a line of JSON each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scan", description=__doc__)
    parser.add_argument("sides", nargs="*", type=int, default=SIDES, help="pixels")
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each side")
    options = parser.parse_args()
    console = Console()
    table = Table(title="Scan of a pair, rendered, 0.5 m, JPEG in GeoTIFF")
    for heading in ("pixels a side", "scan Mpx/s", "network Mpx/s", "scan/network time", "peak MiB", "changes"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        for side in options.sides:
            measured = measure(Path(folder), side)
            if options.json:
                print(json.dumps(measured), flush=True)
                continue
            timings = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in measured["timings"].items())
            console.print(f"  {side}²: {timings}", style="dim")
            table.add_row(
                f"{side:,}",
                f"{measured['scan_mpx_s']:.2f}",
                f"{measured['network_mpx_s']:.2f}",
                f"{measured['scan_to_network']:.2f}",
                f"{measured['peak_mib']:.0f}",
                str(measured["changes"]),
            )
    if not options.json:
        console.print(table)


if __name__ == "__main__":
    main()
