"""The network as an OpenVINO graph, converted once for each file of weights and then read from a cache folder.

OpenVINO's converter carries a module that reports its use to a server. It is kept out before OpenVINO is imported,
and ``tests/model/test_offline.py`` proves that nothing is sent.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from model.weights import Weights, load_network

# None makes "import openvino_telemetry" fail, and OpenVINO then uses its own empty stand-in
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402

__all__ = ["cache_folder", "openvino", "read_graph"]


def cache_folder() -> Path:
    """Where converted graphs are kept: ``TUBAN_CACHE``, else ``tuban`` in the user's cache folder."""
    named = os.environ.get("TUBAN_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuban"


def _convert(weights: Weights) -> Any:
    import torch

    from model.inference_wrapper import DeployedNetwork

    side = 8 * weights.layout.stride
    example = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    shape = [1, -1, -1, 3]
    with warnings.catch_warnings():  # the converter's own use of torch.jit is no matter of the person who scans
        warnings.simplefilter("ignore", FutureWarning)
        return openvino.convert_model(
            DeployedNetwork(load_network(weights)).eval(),
            example_input=(example, example),
            input=[(shape, openvino.Type.u8), (shape, openvino.Type.u8)],
        )


def _keep(graph: Any, folder: Path) -> None:
    """Store a graph so that a reader never sees half of it; without a writable cache it is converted every time."""
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


def _kept(folder: Path) -> Any | None:
    """The stored graph, or None when there is none or it is damaged, which is no reason to fail."""
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
        cache: folder for converted graphs; default :func:`cache_folder`.
    """
    folder = (cache or cache_folder()) / f"{weights.name}-{weights.sha256[:16]}-openvino-{openvino.__version__[:8]}"
    kept = _kept(folder)
    if kept is not None:
        return kept
    graph = _convert(weights)
    _keep(graph, folder)
    # the stored graph rounds a little differently from the one in memory: the first scan must answer as all others
    kept = _kept(folder)
    return graph if kept is None else kept
