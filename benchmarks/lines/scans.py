"""Lines (b), (c) and (e): whole scans by file layout, beside a tile loop as people write it, and their memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import rasterio
import rasterio.shutil

from benchmarks.lines.line import Finished, Line, NotMeasured, Row, Sizes, run_code, run_process
from benchmarks.lines.network import GRID_M, SECONDS, network_rates
from benchmarks.scan import write_large_pair
from inference.settings import read_config, settings_for

MOSTLY_UNCHANGED, FULL_OF_CHANGES = "mostly unchanged", "full of changes"
TILED_DEFLATE = "tiled deflate"
TILE_LOOP = Path(__file__).with_name("tile_loop.py")


def network_mpx_s(side: int) -> float:
    """Return the megapixels of ground per second of the network alone, at the resolutions of a scan, without halo."""
    looks_m = settings_for(read_config(), "aerial", GRID_M).profile.looks_m or (GRID_M,)
    rates = network_rates("accurate", "openvino", side, looks_m, SECONDS)["rates"]
    return 1 / sum(1 / float(rate) for rate in rates.values())


def tuban_scan(before: Path, after: Path, out: Path) -> Finished:
    """Run the command ``tuban scan``."""
    tuban = Path(sys.executable).with_name("tuban")
    return run_process([tuban, "scan", before, after, "--out", out, "--json"])


def file_layouts(pair: tuple[Path, Path], folder: Path) -> dict[str, tuple[Path, Path]]:
    """Write the pixels of a pair of JPEG files in other layouts; return all by name."""
    layouts = {"tiled JPEG with overviews": pair}
    for name, options in (
        (TILED_DEFLATE, {"driver": "COG", "compress": "DEFLATE", "predictor": "YES"}),
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
    """Measure `tuban scan` on a pair full of changes in three layouts, and on a mostly unchanged one."""
    progress("network alone")
    bare = network_mpx_s(sizes.side(2048))
    rows = []
    for content, quiet, side in (
        (MOSTLY_UNCHANGED, True, sizes.side(8000)),
        (FULL_OF_CHANGES, False, sizes.side(6000)),
    ):
        progress(f"rendering a pair of {side}², {content}")
        layouts = file_layouts(write_large_pair(sizes.folder, side, quiet), sizes.folder)
        for name, (before, after) in layouts.items():
            if quiet and name != TILED_DEFLATE:
                continue
            progress(f"{content}, {name}")
            done = tuban_scan(before, after, sizes.folder / "results")
            reference = "the network alone, at the same resolutions everywhere, without halo"
            what = f"`tuban scan`, {content}, {name}"
            rows.append(Row(what, side**2 / 1e6 / done.seconds, "MP/s", reference, bare, "≥ 0.75"))
    return rows


def measure_tile_loop(sizes: Sizes, progress: Callable[[str], None]) -> list[Row]:
    """Measure a plain tile loop with torchgeo's FC-Siam-diff, and `tuban scan`, on the same pairs."""
    if sizes.peer is None:
        raise NotMeasured("torchgeo is not installed; `make bench-peer` installs it into a folder of its own")
    side, rows = sizes.side(4000), []
    environment = {"PYTHONPATH": str(sizes.peer)}
    reference = "a tile loop in PyTorch with torchgeo's FCSiamDiff, no registration, no outlines"
    for content, quiet in ((MOSTLY_UNCHANGED, True), (FULL_OF_CHANGES, False)):
        progress(f"rendering a pair of {side}², {content}")
        before, after = write_large_pair(sizes.folder, side, quiet)
        progress(f"{content}, tile loop with torchgeo's FCSiamDiff")
        loop = run_process([sys.executable, "-W", "ignore", TILE_LOOP, before, after], environment).data
        progress(f"{content}, tuban scan")
        scan = tuban_scan(before, after, sizes.folder / "results")
        megapixels = side**2 / 1e6
        what, goal = f"`tuban scan`, {content}", "≥ 60" if quiet else "≥ 30"
        rows.append(Row(what, megapixels / scan.seconds, "MP/s", reference, megapixels / loop["seconds"], goal))
    return rows


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
