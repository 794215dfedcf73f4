"""The network as an OpenVINO graph, converted once per weights file and cached on disk.

OpenVINO's converter includes a telemetry module that reports usage to a server. It is disabled before OpenVINO is
imported; ``tests/model/test_detector.py`` checks that no connection is opened.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model.weights import Weights, load_network

# None makes "import openvino_telemetry" fail; OpenVINO then uses its built-in stub
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402

__all__ = ["cache_folder", "openvino", "read_converted", "read_graph"]


def cache_folder() -> Path:
    """Return the cache folder: ``TUBAN_CACHE``, else ``tuban`` in the user's cache folder."""
    named = os.environ.get("TUBAN_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuban"


def _convert(weights: Weights) -> Any:
    import torch

    from model.inference_wrapper import InferenceWrapper

    side = 8 * weights.layout.stride
    example = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    shape = [1, -1, -1, 3]
    with warnings.catch_warnings():  # about torch.jit, which the converter uses internally
        warnings.simplefilter("ignore", FutureWarning)
        return openvino.convert_model(
            InferenceWrapper(load_network(weights)).eval(),
            example_input=(example, example),
            input=[(shape, openvino.Type.u8), (shape, openvino.Type.u8)],
        )


def _store_cached(graph: Any, folder: Path) -> None:
    """Store a graph atomically. If the cache is not writable, the graph is converted on every start."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            fresh = Path(scratch) / "graph"
            fresh.mkdir()
            openvino.save_model(graph, fresh / "network.xml", compress_to_fp16=False)
            if folder.exists():
                shutil.rmtree(folder)
            fresh.rename(folder)
    except OSError:
        return


def _read_cached(folder: Path) -> Any | None:
    """Return the cached graph, or None if it is missing or damaged."""
    if not (folder / "network.xml").exists():
        return None
    try:
        return openvino.Core().read_model(folder / "network.xml")
    except RuntimeError:
        return None


def read_graph(weights: Weights, cache: Path | None = None) -> Any:
    """Return the ``openvino.Model`` of ``weights``: two inputs 1×H×W×3 uint8, one output 1×3×H×W float32.

    Args:
        weights: checked weights.
        cache: folder of converted graphs; default :func:`cache_folder`.
    """
    return read_converted(weights.name, weights.sha256, lambda: _convert(weights), cache)


def read_converted(name: str, sha256: str, convert: Callable[[], Any], cache: Path | None = None) -> Any:
    """Return a graph from the cache, or convert it and store it there.

    Args:
        name: name of the weights.
        sha256: checksum of the weights.
        convert: returns the graph.
        cache: folder of converted graphs; default :func:`cache_folder`.
    """
    folder = (cache or cache_folder()) / f"{name}-{sha256[:16]}-openvino-{openvino.__version__[:8]}"
    cached = _read_cached(folder)
    if cached is not None:
        return cached
    graph = convert()
    _store_cached(graph, folder)
    # the stored graph rounds slightly differently from the one in memory: use it from the first scan on
    cached = _read_cached(folder)
    return graph if cached is None else cached
