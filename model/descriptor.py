"""Descriptor of the ground for registration: :mod:`model.descriptor_network` in OpenVINO on the CPU."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.network_outputs import DESCRIPTOR_CHANNELS
from model.weights import DescriptorWeights, find_descriptor_weights


class Descriptor:
    """Describes images. Results do not depend on the weights that detect changes."""

    max_compiled_shapes = 4

    def __init__(self, weights: DescriptorWeights | None = None) -> None:
        """Load the weights; the graph is converted once and cached on disk.

        Raises:
            WeightsError: the weights are missing or damaged.
        """
        from model.openvino_graph import openvino, read_converted

        self.weights = weights or find_descriptor_weights()
        self._core = openvino.Core()
        self._graph = read_converted("registration", self.weights.sha256, self._convert)
        self._compiled: dict[tuple[int, int], Any] = {}

    def _convert(self) -> Any:
        import torch

        from model.descriptor_network import load_descriptor_network
        from model.openvino_graph import openvino

        with warnings.catch_warnings():  # about torch.jit, which the converter uses internally
            warnings.simplefilter("ignore", FutureWarning)
            return openvino.convert_model(
                load_descriptor_network(self.weights),
                example_input=torch.zeros(1, 128, 128, 3, dtype=torch.uint8),
                input=[([1, -1, -1, 3], openvino.Type.u8)],
            )

    def describe(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Describe an image.

        Args:
            rgb: H×W×3 uint8, radiometrically normalized, sides multiples of 16.

        Returns:
            descriptions (32, H/8, W/8), each a unit vector times its weight, and the weights (H/8, W/8) in 0…1.
        """
        shape = (rgb.shape[0], rgb.shape[1])
        request = self._compiled.get(shape)
        if request is None:
            graph = self._graph.clone()
            graph.reshape([1, *shape, 3])
            # full precision: half precision differs between processors, and registration must not
            options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
            request = self._core.compile_model(graph, "CPU", options).create_infer_request()
            while len(self._compiled) >= self.max_compiled_shapes:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[shape] = request
        request.infer([np.ascontiguousarray(rgb)[None]], share_inputs=True)
        out = np.array(request.get_output_tensor(0).data[0], dtype=np.float32)
        return out[:DESCRIPTOR_CHANNELS], out[DESCRIPTOR_CHANNELS]


@functools.cache
def shared_descriptor() -> Descriptor:
    """Return the process's descriptor, loaded at the first use. Call it after a fork, never before."""
    return Descriptor()
