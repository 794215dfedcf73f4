"""Cost of the outputs of a scan with many polygons, beyond the comparing: CPU and wall seconds, by stage.

    .venv/bin/python -m benchmarks.outputs                       10,000 polygons on a rendered pair of 16,000² pixels
    .venv/bin/python -m benchmarks.outputs --count 2000 --side 8000
    .venv/bin/python -m benchmarks.outputs --out FOLDER          keeps the folder of results, to look at its report

No network runs: the polygons are generated, evenly spread with a fixed seed, and written by the same code as those of a
scan. The earlier date is displaced by a local shift field, as after a registration. ``--json`` prints one line.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from imagery import Scene, open_scene  # isort: skip  (configures GDAL before other imports)
import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rich.console import Console
from rich.table import Table
from shapely.affinity import rotate, translate
from shapely.geometry import Polygon
from shapely.ops import transform

from benchmarks.scan import write_large_pair
from enforcement.units import mu
from inference.changes import Change, Kind
from inference.detect_changes import scene_facts
from inference.outputs.write import write_outputs
from inference.registration.alignment import Alignment
from inference.registration.shift_field import Lattice, ShiftField
from inference.scan_result import ScanResult
from inference.settings import read_config, settings_for

KINDS: tuple[Kind, ...] = ("construction", "ground", "ground", "demolition")
SIDES_PX = (18, 70)
"""Range of the sides of polygons, in pixels of the grid."""


def synthetic_changes(grid: GeoBox, count: int, seed: int = 3) -> tuple[Change, ...]:
    """Return ``count`` polygons with notches, one in each cell of a regular division of the grid, N to S, W to E."""
    rng = np.random.default_rng(seed)
    rows, columns = (int(side) for side in grid.shape)
    along = max(1, round((count * columns / rows) ** 0.5))
    down = -(-count // along)
    to_lonlat = Transformer.from_crs(str(grid.crs), "EPSG:4326", always_xy=True)
    metre = abs(grid.affine.a)
    placed = []
    for number in range(count):
        row, column = ((index + 0.5) * side / cells for index, side, cells in (
            (number // along, rows, down), (number % along, columns, along)
        ))  # fmt: skip
        width, height = rng.uniform(*SIDES_PX, 2)
        notch_x, notch_y = width * rng.uniform(0.3, 0.8), height * rng.uniform(0.3, 0.8)
        ring = [(0, 0), (width, 0), (width, notch_y), (notch_x, notch_y), (notch_x, height), (0, height)]
        outline = translate(rotate(Polygon(ring), rng.uniform(0, 90)), column - width / 2, row - height / 2)
        at = outline.representative_point()
        placed.append((at.y, at.x, KINDS[number % len(KINDS)], outline))
    changes = []
    for number, (_, _, kind, outline) in enumerate(sorted(placed, key=lambda one: one[:2]), 1):
        polygon = transform(lambda x, y: grid.affine @ (x, y), outline)
        area = polygon.area if metre else 0.0
        score = round(float(rng.uniform(0.5, 1)), 4)
        changes.append(
            Change(number, kind, score, polygon, transform(to_lonlat.transform, polygon), area, round(mu(area), 4))
        )
    return tuple(changes)


def synthetic_scan(before: Scene, after: Scene, count: int) -> ScanResult:
    """Return the result of a scan that found ``count`` polygons, with a local shift field of some pixels."""
    rows, columns = (int(side) for side in after.geobox.shape)
    grid = GeoBox((rows, columns), after.geobox.affine, after.geobox.crs)
    nodes = np.random.default_rng(1).normal(0, 1.0, (18, 18, 2))
    lattice = Lattice(-columns / 16, -rows / 16, columns / 15, rows / 15, 18, 18)
    field = ShiftField((columns / 2, rows / 2), np.array([[2.5, -1.5], [1e-5, 0], [0, 1e-5]]), lattice, nodes)
    alignment = Alignment(True, None, 0.4, 0.9, 3.0, 250, 256, 8.0, field.quantized())
    settings = settings_for(read_config(), "aerial", 0.5)
    return ScanResult(
        before=scene_facts(before),
        after=scene_facts(after),
        grid=grid,
        resolution_m=0.5,
        alignment=alignment,
        changes=synthetic_changes(grid, count),
        compared_area_m2=rows * columns * 0.25,
        not_compared_area_m2={},
        settings=settings,
        weights_name="none",
        weights_sha256="0" * 64,
        runtime="none",
        threshold={"building": 0.5, "ground": 0.5},
    )


def measure(before: Path, after: Path, count: int, out: Path) -> dict[str, Any]:
    """Write the outputs of a synthetic scan; return seconds, picture count, milliseconds per picture and sizes."""
    with open_scene(before) as earlier, open_scene(after) as later:
        result = synthetic_scan(earlier, later, count)
        start, cpu = time.perf_counter(), _cpu()
        write_outputs(result, earlier, later, out)
        wall, cpu = time.perf_counter() - start, _cpu() - cpu
    record = json.loads((out / "scan.json").read_text("utf-8"))
    pictures = sorted((out / "thumbnails").iterdir())
    return {
        "polygons": count,
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "pictures": len(pictures),
        "cpu_ms_per_picture": round(1000 * cpu / max(1, len(pictures)), 2),
        "report_bytes": (out / "report.html").stat().st_size,
        "pictures_bytes": sum(path.stat().st_size for path in pictures),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "stages": record.get("stages", {}),
    }


def _cpu() -> float:
    """Return the CPU seconds of this process, all threads, user and system."""
    times = os.times()
    return times.user + times.system


def main() -> None:
    """Render the pair, write the outputs, print a table or one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, nargs="+", default=[10_000])
    parser.add_argument("--side", type=int, default=16_000)
    parser.add_argument("--out", type=Path, help="keep the results of the last count here")
    parser.add_argument("--pair", type=Path, help="folder that keeps the rendered pair between runs")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    console = Console(stderr=arguments.json)
    table = Table(title="Outputs of a scan, without the comparing")
    for heading in ("polygons", "wall s", "CPU s", "CPU ms/picture", "report MB", "pictures MB", "peak MiB"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.pair or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        before, after = (folder / f"{date}_{arguments.side}.tif" for date in ("before", "after"))
        if not (before.exists() and after.exists()):
            write_large_pair(folder, arguments.side)
        for count in arguments.count:
            out = arguments.out or Path(name) / f"out{count}"
            done = measure(before, after, count, out)
            for stage, spent in done["stages"].items():
                console.print(f"  {stage}: {spent}", style="dim", soft_wrap=True, highlight=False)
            table.add_row(
                f"{count:,}",
                f"{done['wall_s']:.1f}",
                f"{done['cpu_s']:.1f}",
                f"{done['cpu_ms_per_picture']:.2f}",
                f"{done['report_bytes'] / 1e6:.1f}",
                f"{done['pictures_bytes'] / 1e6:.0f}",
                f"{done['peak_mib']:.0f}",
            )
            if arguments.json:
                print(json.dumps(done))
    console.print(table)


if __name__ == "__main__":
    main()
