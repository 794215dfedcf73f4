"""Training resumes at the exact step, reports every step and learns from a teacher."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from errors import SettingsError
from training.batches import load_batches
from training.recipe import Recipe
from training.run_log import StepRecord
from training.train import LOSS_READ_INTERVAL, learning_rate, train


class _Interrupted(Exception):  # noqa: N818
    pass


def test_an_interrupted_run_resumes_as_if_uninterrupted(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    def interrupt(record: StepRecord) -> None:
        if record.step == 3:
            raise _Interrupted

    uninterrupted = train(recipe, data, tmp_path / "uninterrupted", workers=0)
    with pytest.raises(_Interrupted):
        train(recipe, data, tmp_path / "interrupted", workers=0, report=interrupt)
    steps: list[int] = []
    resumed = train(recipe, data, tmp_path / "interrupted", workers=0, report=lambda record: steps.append(record.step))
    assert steps == [3, 4]
    for one, other in zip(uninterrupted.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_every_step_is_reported_when_losses_are_read_in_groups(
    data: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_by_one: list[StepRecord] = []
    train(recipe, data, tmp_path / "single", workers=0, report=one_by_one.append)
    monkeypatch.setitem(LOSS_READ_INTERVAL, "cpu", 3)
    grouped: list[StepRecord] = []
    train(recipe.model_copy(update={"save_every": 100}), data, tmp_path / "many", workers=0, report=grouped.append)
    assert [record.step for record in grouped] == [1, 2, 3, 4]
    assert [record.loss for record in grouped] == pytest.approx([record.loss for record in one_by_one], abs=1e-4)
    assert len((tmp_path / "many" / "log.csv").read_text("utf-8").splitlines()) == 5
    assert (tmp_path / "many" / "checkpoint.pt").exists()


def test_samples_do_not_depend_on_the_number_of_workers(data: Path, recipe: Recipe) -> None:
    in_process, in_workers = (list(load_batches(recipe, data, 1, workers)) for workers in (0, 2))
    assert len(in_process) == len(in_workers) == 3
    for one, other in zip(in_process, in_workers, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_checkpoint_of_another_network_is_rejected(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    train(recipe.model_copy(update={"steps": 1}), data, tmp_path, workers=0)
    with pytest.raises(SettingsError, match="another folder"):
        train(recipe.model_copy(update={"network": "accurate"}), data, tmp_path, workers=0)


def test_the_learning_rate_warms_up_and_decays_to_zero(recipe: Recipe) -> None:
    long = recipe.model_copy(update={"steps": 1000, "warmup_steps": 100})
    rates = [learning_rate(long, step) for step in range(1001)]
    assert max(rates) == pytest.approx(0.001)
    assert rates[0] < rates[50] < rates[99]
    assert rates[1000] == pytest.approx(0)


def test_a_run_learns_from_a_teacher(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    values = {"steps": 1, "initial_weights": "fast", "learning_rate": 0.05, "ema": 0.01, "warmup_steps": 0}
    alone = train(recipe.model_copy(update=values), data, tmp_path / "alone", workers=0)
    distilled = train(recipe.model_copy(update=values | {"teacher": "fast"}), data, tmp_path / "taught", workers=0)
    differs = [
        not torch.equal(one, other)
        for one, other in zip(alone.state_dict().values(), distilled.state_dict().values(), strict=True)
    ]
    assert any(differs)
