"""``tuban train`` as a user runs it: killed, started again, and its logs inspected."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from cli.learning.train import train
from tests.inference.scenes import textured

RECIPE = """
network: fast
steps: {steps}
batch: 2
learning_rate: 0.001
warmup_steps: 1
ema: 0.9
save_every: 2
validate_every: 4
validation: [{{folder: pairs, question: building, pairs: 1}}]
augment: {{size: 64}}
sources: [{{kind: pairs, folder: pairs, question: building, weight: 1}}]
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for number in range(2):
        image = textured(96, 96, seed=number)
        after, label = image.copy(), np.zeros((96, 96), np.uint8)
        after[20:60, 20:60], label[20:60, 20:60] = 240, 255
        for name, content in (("A", image), ("B", after), ("label", label)):
            (tmp_path / "data" / "pairs" / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / "data" / "pairs" / name / f"p{number}.png"), content)
    return tmp_path / "data"


def _start(recipe: Path, run: Path, data: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cli.main", "train", str(recipe), "--run", str(run), "--data", str(data)]
    # one thread: the order of summation must be the same in every run
    return subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})


def _finish(recipe: Path, run: Path, data: Path) -> None:
    """In this process, which has imported what a second one would import anew."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train(recipe, run=run, data=data)
    finally:
        torch.set_num_threads(threads)


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_result(data: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE.format(steps=8))
    _finish(recipe, tmp_path / "uninterrupted", data)

    endless = tmp_path / "endless.yaml"
    endless.write_text(RECIPE.format(steps=8).replace("save_every: 2", "save_every: 3"))
    killed = tmp_path / "killed"
    process = _start(endless, killed, data)
    deadline = time.monotonic() + 120
    while not (killed / "checkpoint.pt").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (killed / "checkpoint.pt").exists()
    _finish(recipe, killed, data)

    one, other = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("uninterrupted", "killed")
    )
    assert one["step"] == other["step"] == 8
    for key, value in one["average"].items():
        assert torch.allclose(value, other["average"][key], atol=1e-5), key
    steps = [row[0] for row in _rows(killed / "log.csv")[1:]]
    assert steps == [str(step) for step in range(1, 9)], "each step is logged once"
    assert [row[0] for row in _rows(killed / "validation.csv")] == ["step", "4", "8"]
    curves = cv2.imread(str(killed / "curves.png"))
    assert curves is not None
    assert curves.std() > 5, "the plot is not blank"
    assert list(killed.glob("events.out.tfevents*")), "there is a file for TensorBoard"
