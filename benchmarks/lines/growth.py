"""Line (f): time of a scan by its size, from one to many gigapixels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.lines.line import Line, Row, Sizes, run_code
from benchmarks.lines.mosaic_file import write_mosaic
from training.synthetic import SceneSpec, render_scene

CELL = 4096
EVERY = 4
"""One of so many cells along each side has content, in a corner: the same share of every size."""

_SCAN = """
import json, resource, sys, time
from pathlib import Path
from imagery import open_scene
from imagery.limits import Limits
from inference.detect_changes import detect_changes
from inference.settings import read_config, settings_for
from model.detector import Detector
detector, limits = Detector(), Limits(max_side=10**6, max_pixels=10**12, max_expansion=10**6)
start = time.perf_counter()
with open_scene(sys.argv[1], limits=limits) as before, open_scene(sys.argv[2], limits=limits) as after:
    result = detect_changes(before, after, detector, settings_for(read_config(), "aerial", after.gsd_m))
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "changes": len(result.changes),
                  "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def _cell(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a cell: the image and its mirror images, so that no edge shows, without black pixels."""
    rows = np.concatenate([image, image[:, ::-1]], axis=1)
    return np.ascontiguousarray(np.maximum(np.concatenate([rows, rows[::-1]]), 1))


def measure(sizes: Sizes, progress: Callable[[str], None]) -> list[Row]:
    """Measure seconds per gigapixel, of which one sixteenth has content, and the memory."""
    progress("rendering")
    spec = SceneSpec(seed=5, width=CELL // 2, height=CELL // 2, changes=2)
    pair = render_scene(spec)
    files = {name: (sizes.folder / f"mosaic_{name}.tif", _cell(getattr(pair, name))) for name in ("before", "after")}
    rows: list[Row] = []
    first = first_peak = 0.0
    for gigapixels in (0.25, 1) if sizes.small else sizes.gigapixels:
        cells = max(EVERY, round((gigapixels * 1e9) ** 0.5 / CELL / EVERY) * EVERY)
        size = (cells * CELL) ** 2 / 1e9
        progress(f"{size:.1f} gigapixels")
        for path, image in files.values():
            write_mosaic(path, image, cells, lambda r, c, n=cells // EVERY: max(r, c) < n, spec.origin, spec.gsd_m)
        done = run_code(_SCAN, *(path for path, _ in files.values())).data
        rate, peak = done["seconds"] / size, done["peak_mib"]
        first, first_peak = first or rate, first_peak or peak
        reference = "the smallest"
        rows.append(Row(f"{size:.1f} gigapixels, time per gigapixel", rate, "s", reference, first, "0.9 … 1.1"))
        rows.append(Row(f"{size:.1f} gigapixels, peak memory", peak, "MiB", reference, first_peak, "< 1,200 MiB"))
    return rows


LINE = Line("f", "growth of a scan with its size; one sixteenth of each mosaic has content", measure)
