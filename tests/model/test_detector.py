"""Detector: weights are verified, and all runtimes agree."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from errors import SettingsError, WeightsError
from model.detector import Detector
from model.radiometric_normalization import apply_table, normalization_table
from model.weights import FOLDER, find_weights


def _pair(seed: int = 0, side: int = 256) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 200, (2, side // 16, side // 16, 3), dtype=np.uint8)
    images = coarse.repeat(16, axis=1).repeat(16, axis=2).astype(np.int16) + rng.integers(-12, 12, (2, side, side, 3))
    return tuple(np.clip(images, 0, 255).astype(np.uint8))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector("fast", runtime="openvino")


def test_runtimes_agree(detector: Detector) -> None:
    torch_detector = Detector("fast", runtime="torch-cpu")
    before, after = _pair()
    openvino_output, torch_output = detector.predict(before, after), torch_detector.predict(before, after)
    assert openvino_output.shape == torch_output.shape == (3, 256, 256)
    difference = np.abs(openvino_output - torch_output)
    if detector.precision == "f32":
        assert difference.max() < 1e-4
    else:  # bf16 has eight bits: single pixels of this noise differ more, but without bias
        assert difference.mean() < 0.01
        assert np.quantile(difference, 0.999) < 0.15
        assert abs((openvino_output - torch_output).mean()) < 0.003
    assert openvino_output[:2].std() > 0.001, "two constant outputs would agree too"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees(detector: Detector) -> None:
    before, after = _pair()
    assert (
        np.abs(Detector("fast", runtime="torch-cuda").predict(before, after) - detector.predict(before, after)).max()
        < 0.03
    )


def test_predictions_are_symmetric_in_time(detector: Detector) -> None:
    before, after = _pair(1)
    forward, backward = detector.predict(before, after), detector.predict(after, before)
    assert np.abs(forward[:2] - backward[:2]).max() < 1e-3
    assert np.abs(forward[2] + backward[2]).max() < 1e-2


def test_identical_images_give_no_change(detector: Detector) -> None:
    image, _ = _pair(2)
    probabilities = detector.predict(image, image)
    for channel, output in enumerate(("building", "ground")):
        assert probabilities[channel].max() < detector.weights.threshold[output]


def test_a_shape_that_is_no_multiple_of_the_stride_is_refused(detector: Detector) -> None:
    image = np.zeros((100, 96, 3), np.uint8)
    with pytest.raises(ValueError, match="multiples of 16"):
        detector.predict(image, image)


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    for file in FOLDER.iterdir():
        shutil.copy(file, tmp_path)
    path = tmp_path / "fast.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"sha256 .* expected"):
        find_weights("fast", tmp_path)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"checksums\.json"):
        find_weights("fast", tmp_path)
    with pytest.raises(WeightsError, match="there are: accurate, fast"):
        find_weights("nonesuch")


def test_an_unknown_runtime_is_refused() -> None:
    with pytest.raises(SettingsError, match="openvino"):
        Detector("fast", runtime="abacus")


def test_a_damaged_cache_is_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUBAN_CACHE", str(tmp_path))
    before, after = _pair()
    first = Detector("fast", runtime="openvino").predict(before, after)
    for graph in tmp_path.rglob("network.xml"):
        graph.write_text("<net")
    assert np.array_equal(Detector("fast", runtime="openvino").predict(before, after), first)


def test_loading_from_the_cache_imports_no_torch_and_opens_no_connection(detector: Detector) -> None:
    """Start-up cost of a scan, and network traffic as a firewall would see it."""
    code = """
import socket, sys
def refuse(*_, **__): raise SystemExit("attempt to open a connection")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from model.detector import Detector
Detector("fast", runtime="openvino")
assert "torch" not in sys.modules, "torch was imported"
assert sys.modules.get("openvino_telemetry") is None, "the telemetry module was imported"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_converting_opens_no_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUBAN_CACHE", str(tmp_path))
    code = """
import socket
def refuse(*_, **__): raise SystemExit("attempt to open a connection")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from model.detector import Detector
Detector("fast", runtime="openvino")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("network.xml"))


def test_normalization_removes_gain_and_offset() -> None:
    before, _ = _pair(3)
    darker = np.clip(before.astype(np.float32) * 0.6 + 15, 0, 255).astype(np.uint8)
    normalized = apply_table(before, normalization_table(before)).astype(int)
    normalized_darker = apply_table(darker, normalization_table(darker)).astype(int)
    assert np.abs(before.astype(int) - darker).mean() > 20
    assert np.abs(normalized - normalized_darker).mean() < 2


def test_normalization_without_valid_pixels_is_the_identity() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    table = normalization_table(image, np.zeros((4, 4), bool))
    assert np.array_equal(table[1:, 0, 0], np.arange(1, 256))
