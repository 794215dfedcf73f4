"""The training loop: resumable to the step, the same samples for the same seed and step."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from errors import SettingsError
from model.network import ChangeNetwork, normalise
from model.registry import find_layout
from training.augment import augment
from training.loss import change_loss
from training.recipe import Mixture, Recipe

Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


class _Samples(Dataset[Batch]):
    """Sample i of a run, for any i: its generator is seeded by (seed, i), so a resumed run goes on as it would have."""

    def __init__(self, recipe: Recipe, root: Path, first: int) -> None:
        self.recipe, self.first = recipe, first
        self.mixture = Mixture(recipe, root)
        self.settings = recipe.augment.settings()

    def __len__(self) -> int:
        return self.recipe.steps * self.recipe.batch - self.first

    def __getitem__(self, index: int) -> Batch:
        rng = np.random.default_rng((self.recipe.seed, self.first + index))
        sample = augment(self.mixture.draw(rng), rng, self.settings)
        blank = np.zeros(sample.before.shape[:2], np.uint8)
        answers = (sample.building, sample.ground)
        return (
            torch.from_numpy(sample.before),
            torch.from_numpy(sample.after),
            torch.from_numpy(np.stack([blank if m is None else m for m in answers])),
            torch.tensor([m is not None for m in answers]),
            torch.from_numpy(sample.direction),
        )


def _images(batch: Tensor) -> Tensor:
    """N×H×W×3 uint8 → normalised N×3×H×W in the memory order that convolutions like."""
    return normalise(batch.permute(0, 3, 1, 2).float()).contiguous(memory_format=torch.channels_last)


def _batches(recipe: Recipe, root: Path, step: int, workers: int) -> Iterator[Batch]:
    samples = _Samples(recipe, root, step * recipe.batch)
    return iter(DataLoader(samples, batch_size=recipe.batch, num_workers=workers, drop_last=True))


def learning_rate(recipe: Recipe, step: int) -> float:
    """Rate at ``step``: a linear start, then half a cosine to nothing."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _follow(average: ChangeNetwork, network: ChangeNetwork, decay: float) -> None:
    with torch.no_grad():
        for kept, now in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.dtype.is_floating_point:
                kept.lerp_(now, 1 - decay)
            else:
                kept.copy_(now)


def train(
    recipe: Recipe,
    root: Path,
    run: Path,
    *,
    workers: int = 1,
    report: Callable[[int, float, float], None] | None = None,
) -> ChangeNetwork:
    """Train, or go on where ``run/checkpoint.pt`` stopped.

    Args:
        recipe: what to train on what, for how long.
        root: folder that the recipe's folders are relative to.
        run: folder for the checkpoint and ``log.csv``.
        workers: processes that prepare samples.
        report: called after each step with (step, loss, samples per second).

    Returns:
        the averaged network (EMA of the weights), in evaluation mode.

    Raises:
        SettingsError: the checkpoint in ``run`` belongs to another network.
    """
    run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    network = ChangeNetwork(find_layout(recipe.network)).to(memory_format=torch.channels_last)
    average = deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=0.01)
    step, checkpoint = 0, run / "checkpoint.pt"
    if checkpoint.exists():
        state: dict[str, Any] = torch.load(checkpoint, weights_only=True)
        if state["network_name"] != recipe.network:
            raise SettingsError(f"{checkpoint} was made for network {state['network_name']!r}; choose another folder.")
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step = int(state["step"])

    def save() -> None:
        fresh = checkpoint.with_suffix(".part")
        torch.save(
            {
                "network_name": recipe.network,
                "network": network.state_dict(),
                "average": average.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step,
            },
            fresh,
        )
        fresh.replace(checkpoint)

    network.train()
    with (run / "log.csv").open("a", newline="", encoding="utf-8") as log:
        rows = csv.writer(log)
        for before, after, target, asked, direction in _batches(recipe, root, step, workers):
            began = time.perf_counter()
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(recipe, step)
            loss = change_loss(network(_images(before), _images(after)), target.float(), asked, direction)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            # the average follows faster while there is little to average
            _follow(average, network, min(recipe.ema, (1 + step) / (10 + step)))
            step += 1
            rate = recipe.batch / (time.perf_counter() - began)
            rows.writerow([step, f"{loss.item():.5f}", f"{learning_rate(recipe, step):.6f}", f"{rate:.2f}"])
            if report is not None:
                report(step, loss.item(), rate)
            if step % recipe.save_every == 0 or step == recipe.steps:
                log.flush()
                save()
    return average.eval()
