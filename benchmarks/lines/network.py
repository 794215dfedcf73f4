"""Line (a): the bare network, by weights, runtime and scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.lines.line import Line, Row, Sizes, run_code

GRID_M = 0.5
LOOKS_M = (0.5, 0.67, 0.33)
SECONDS = 3

_CODE = """
import json, sys, time
import numpy as np
from model.detector import Detector
weights, runtime, side, looks, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4]), float(sys.argv[5])
detector = Detector(weights, runtime=runtime)
rng, rates = np.random.default_rng(0), {}
for look in looks:
    pixels = round(side * 0.5 / look / detector.stride) * detector.stride
    pair = [rng.integers(1, 255, (pixels, pixels, 3), dtype=np.uint8) for _ in range(2)]
    detector.predict(*pair)
    start, runs = time.perf_counter(), 0
    while runs < 2 or time.perf_counter() - start < seconds:
        detector.predict(*pair)
        runs += 1
    rates[str(look)] = runs * (pixels * look / 0.5) ** 2 / 1e6 / (time.perf_counter() - start)
print(json.dumps({"rates": rates, "precision": detector.precision}))
"""  # noqa: E501


def network_rates(weights: str, runtime: str, side: int, looks_m: Sequence[float], seconds: float) -> dict[str, Any]:
    """Measure the network on a block of ``side``² pixels of 0.5 m, without halo, at each resolution.

    Returns:
        ``rates``, megapixels of ground of 0.5 m per second by resolution, and ``precision``.
    """
    measured: dict[str, Any] = run_code(_CODE, weights, runtime, side, list(looks_m), seconds).data
    return measured


def measure(sizes: Sizes, progress: Callable[[str], None]) -> list[Row]:
    """Measure megapixels of ground (0.5 m) per second, without halo."""
    side, rows, first = sizes.side(2048), list[Row](), 0.0
    for runtime, looks in (("openvino", LOOKS_M), ("torch-cpu", LOOKS_M[:1])):
        for weights in ("accurate", "fast"):
            progress(f"{weights}, {runtime}")
            done = network_rates(weights, runtime, side, looks, 0.5 if sizes.small else SECONDS)
            for look, rate in done["rates"].items():
                first = first or rate
                name = f"`{weights}`, {runtime} {done['precision']}, at {look} m"
                rows.append(Row(name, rate, "MP/s", "`accurate`, openvino, at 0.5 m", first))
    return rows


LINE = Line("a", "the bare network by weights, runtime and scale; megapixels of ground of 0.5 m", measure)
