"""Lines (b), (c) and (e): whole scans by file layout, beside a tile loop as people write it, and their memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import rasterio
import rasterio.shutil

from benchmarks.lines.line import Finished, Line, NotMeasured, Row, Sizes, run_code, run_process
from benchmarks.scan import network_seconds, write_large_pair

TILE_LOOP = Path(__file__).with_name("tile_loop.py")


def tuban_scan(before: Path, after: Path, out: Path) -> Finished:
    """Run the command ``tuban scan``."""
    tuban = Path(sys.executable).with_name("tuban")
    return run_process([tuban, "scan", before, after, "--out", out, "--json"])


def file_layouts(pair: tuple[Path, Path], folder: Path) -> dict[str, tuple[Path, Path]]:
    """Write the pixels of a pair of JPEG files in other layouts; return all by name."""
    layouts = {"tiled JPEG with overviews": pair}
    for name, options in (
        ("tiled deflate", {"driver": "COG", "compress": "DEFLATE", "predictor": "YES"}),
        ("uncompressed strips", {"driver": "GTiff", "tiled": False, "compress": "NONE"}),
    ):
        copies = []
        for path in pair:
            copies.append(folder / f"{name.replace(' ', '_')}_{path.name}")
            with rasterio.open(path) as source, rasterio.Env(GDAL_TIFF_OVR_BLOCKSIZE="512"):
                rasterio.shutil.copy(source, copies[-1], **options)
        layouts[name] = (copies[0], copies[1])
    return layouts


def measure_layouts(sizes: Sizes, progress: Callable[[str], None]) -> list[Row]:
    """Measure `tuban scan` on the same pixels in three layouts, beside the network alone."""
    side = sizes.side(6000)
    progress(f"rendering a pair of {side}²")
    layouts = file_layouts(write_large_pair(sizes.folder, side), sizes.folder)
    progress("network alone")
    megapixels = side**2 / 1e6
    bare = megapixels / network_seconds(side)
    rows = []
    for name, (before, after) in layouts.items():
        progress(name)
        done = tuban_scan(before, after, sizes.folder / "results")
        reference = "the network alone, on the grid, with halo"
        rows.append(Row(f"`tuban scan`, {name}", megapixels / done.seconds, "MP/s", reference, bare, "≥ 0.75"))
    return rows


def measure_tile_loop(sizes: Sizes, progress: Callable[[str], None]) -> list[Row]:
    """Measure a plain tile loop with torchgeo's FC-Siam-diff, and `tuban scan`, on the same pair."""
    if sizes.peer is None:
        raise NotMeasured("torchgeo is not installed; `make bench-peer` installs it into a folder of its own")
    side = sizes.side(4000)
    progress(f"rendering a pair of {side}²")
    before, after = write_large_pair(sizes.folder, side)
    progress("tile loop with torchgeo's FCSiamDiff")
    environment = {"PYTHONPATH": str(sizes.peer)}
    loop = run_process([sys.executable, "-W", "ignore", TILE_LOOP, before, after], environment).data
    progress("tuban scan")
    scan = tuban_scan(before, after, sizes.folder / "results")
    megapixels = side**2 / 1e6
    reference = "a tile loop in PyTorch with torchgeo's FCSiamDiff, no registration, no outlines"
    return [Row("`tuban scan`", megapixels / scan.seconds, "MP/s", reference, megapixels / loop["seconds"], "≥ 30")]


_MEMORY = """
import json, resource, sys
from pathlib import Path
from imagery import open_scene
from inference.detect_changes import detect_changes
from inference.settings import read_config, settings_for
from model.detector import Detector
with open_scene(Path(sys.argv[1])) as before, open_scene(Path(sys.argv[2])) as after:
    detect_changes(before, after, Detector(), settings_for(read_config(), "aerial", after.gsd_m))
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
"""


def measure_memory(sizes: Sizes, progress: Callable[[str], None]) -> list[Row]:
    """Measure the peak memory of scans of growing pairs."""
    rows, first = [], 0.0
    for side in (sizes.side(2000), sizes.side(8000)):
        progress(f"{side}²")
        before, after = write_large_pair(sizes.folder, side, quiet=True)
        peak = float(run_code(_MEMORY, before, after).data)
        first = first or peak
        reference = f"the smallest, {sizes.side(2000):,}²"
        rows.append(Row(f"scan of {side:,}², peak memory", peak, "MiB", reference, first, "< 1,200 MiB"))
    return rows


LINES = (
    Line("b", "whole `tuban scan` on the same pixels, by file layout", measure_layouts),
    Line("c", "whole `tuban scan` beside a plain tile loop", measure_tile_loop),
    Line("e", "peak memory by size of the pair", measure_memory),
)
