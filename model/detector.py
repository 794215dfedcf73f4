"""Detector: weights in a runtime behind one method, with equal results in every runtime."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from errors import SettingsError
from model.weights import FOLDER, Weights, find_weights, load_network

RUNTIMES = ("openvino", "torch-cpu", "torch-cuda")

Block = NDArray[np.uint8]
Probabilities = NDArray[np.float32]


class _Runtime(Protocol):
    precision: str

    def run(self, before: Block, after: Block) -> Probabilities: ...


class _OpenVino:
    """OpenVINO on the CPU, in bf16 where the CPU supports it."""

    max_compiled_shapes = 15
    """Size of the cache of compiled graphs: windows of seven sizes for each of two looks, and the coarse look."""

    def __init__(self, weights: Weights, threads: int | None) -> None:
        from model.openvino_graph import openvino, read_graph

        self._core = openvino.Core()
        self._graph = read_graph(weights)
        capabilities = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision = "bf16" if "BF16" in capabilities else "f32"
        self._options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": self.precision, "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            self._options["INFERENCE_NUM_THREADS"] = threads
        self._compiled: dict[tuple[int, int], Any] = {}

    def run(self, before: Block, after: Block) -> Probabilities:
        shape = (before.shape[0], before.shape[1])
        request = self._compiled.get(shape)
        if request is None:
            graph = self._graph.clone()
            graph.reshape({i: [1, *shape, 3] for i in range(2)})
            request = self._core.compile_model(graph, "CPU", self._options).create_infer_request()
            while len(self._compiled) >= self.max_compiled_shapes:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[shape] = request
        request.infer([before[None], after[None]], share_inputs=True)
        return np.array(request.get_output_tensor(0).data[0], dtype=np.float32)


class _Torch:
    """PyTorch on the CPU (f32) or on a CUDA device (f16 with f32 accumulation)."""

    def __init__(self, weights: Weights, device: str, threads: int | None) -> None:
        import torch

        from model.inference_wrapper import InferenceWrapper

        if device == "cuda" and not torch.cuda.is_available():
            raise SettingsError("The runtime torch-cuda needs a CUDA device, and none was found. Use openvino.")
        if threads:
            torch.set_num_threads(threads)
        self._network = InferenceWrapper(load_network(weights)).eval().to(torch.device(device))
        self.precision = "f16" if device == "cuda" else "f32"

    def run(self, before: Block, after: Block) -> Probabilities:
        return self._network.predict(before, after)


def _choose_runtime() -> str:
    named = os.environ.get("TUBAN_RUNTIME")
    if named:
        return named
    # importing torch takes seconds; without the device file there is no CUDA device
    if Path("/dev/nvidia0").exists():
        import torch

        if torch.cuda.is_available():
            return "torch-cuda"
    return "openvino"


class Detector:
    """Compares two dates of one place.

    Create it after a fork, never before: torch hangs in a child process whose parent has computed with it.
    """

    def __init__(
        self,
        weights: str = "accurate",
        *,
        runtime: str | None = None,
        threads: int | None = None,
        folder: Path = FOLDER,
    ) -> None:
        """Load weights into a runtime.

        Args:
            weights: name of the weights in ``folder``.
            runtime: one of :data:`RUNTIMES`; default ``TUBAN_RUNTIME``, else CUDA where available, else OpenVINO.
            threads: number of threads; default all cores.
            folder: folder of the weights.

        Raises:
            WeightsError: see :func:`model.weights.find_weights`.
            SettingsError: unknown runtime, or no CUDA device.
        """
        self.weights = find_weights(weights, folder)
        self.runtime = runtime or _choose_runtime()
        if self.runtime not in RUNTIMES:
            raise SettingsError(f"Unknown runtime {self.runtime!r}; there are: {', '.join(RUNTIMES)}.")
        self._runtime: _Runtime
        if self.runtime == "openvino":
            self._runtime = _OpenVino(self.weights, threads)
        else:
            self._runtime = _Torch(self.weights, self.runtime.removeprefix("torch-"), threads)

    @property
    def precision(self) -> str:
        """Number format of the computation: bf16, f16 or f32."""
        return self._runtime.precision

    @property
    def stride(self) -> int:
        """Pixels that block sides and origins must be multiples of."""
        return self.weights.layout.stride

    @property
    def halo(self) -> int:
        """Width in pixels of the surroundings of a block that influence its result."""
        return self.weights.layout.halo

    def predict(self, before: Block, after: Block) -> Probabilities:
        """Compare two dates.

        Args:
            before: H×W×3 uint8 RGB, sides multiples of :attr:`stride`.
            after: the later date, same shape and extent.

        Returns:
            3×H×W float32: probability of *building* and of *ground* (0…1), direction (−1 gone … +1 new).

        Raises:
            ValueError: the shapes differ or are not multiples of the stride.
        """
        if before.shape != after.shape or before.ndim != 3 or before.shape[2] != 3:
            raise ValueError(f"Expected two H×W×3 images of one shape, found {before.shape} and {after.shape}.")
        if before.shape[0] % self.stride or before.shape[1] % self.stride:
            raise ValueError(f"Expected sides that are multiples of {self.stride}, found {before.shape[:2]}.")
        return self._runtime.run(before, after)
