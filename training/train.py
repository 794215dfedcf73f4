"""Training loop: resumes at the exact step and draws the same samples for the same seed and step."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from errors import SettingsError
from model.encoders import normalise
from model.network import ChangeNetwork
from model.weights import find_weights, load_network
from training.augmentation.appearance import normalize_radiometry, restyle
from training.batches import Batch, load_batches
from training.building_presence import BuildingPresenceHead, building_presence_loss
from training.initialization import initialize_network
from training.loss import change_loss, distillation_loss, distillation_mask, feature_distillation_loss
from training.recipe import Recipe
from training.run_log import RunLog, StepRecord
from training.sources.samples import UNKNOWN
from training.validation import validate

LOSS_READ_INTERVAL = {"cpu": 1, "cuda": 16}
"""Steps between two reads of the losses, by device type. Each read synchronizes with the GPU and stalls it."""


def learning_rate(recipe: Recipe, step: int) -> float:
    """Return the learning rate at ``step``: linear warm-up, then cosine decay to zero."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def choose_device() -> torch.device:
    """Return the first GPU, or the CPU if there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def prefers_bf16(device: torch.device) -> bool:
    """Return whether bf16 is faster than f32 on ``device``: on any GPU, and on CPUs with AVX-512 BF16."""
    if device.type == "cuda":
        return True
    flags = Path("/proc/cpuinfo")
    return flags.exists() and "avx512_bf16" in flags.read_text(encoding="ascii", errors="ignore")


class TrainingState:
    """Network, weight average, auxiliary head and optimiser of a run: everything that a checkpoint stores."""

    def __init__(self, recipe: Recipe, device: torch.device, network: ChangeNetwork) -> None:
        """Build the state of step 0 from an initialized network."""
        self.recipe, self.device, self.step = recipe, device, 0
        self.appearance = recipe.appearance.settings()
        self.in_bf16 = prefers_bf16(device)
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.average = deepcopy(self.network).eval()
        self.initial_weights = deepcopy(self.network.state_dict()) if recipe.weight_interpolation else {}
        self.presence_head = BuildingPresenceHead(network.layout.encoder_widths).to(device)
        self.teacher: ChangeNetwork | None = None
        if recipe.teacher:
            teacher = load_network(find_weights(recipe.teacher)).to(device)
            self.teacher = teacher.to(memory_format=torch.channels_last)
        encoder = self._trainable_encoder_parameters()
        encoder_ids = {id(parameter) for parameter in network.encoder.parameters()}
        rest = [p for p in (*network.parameters(), *self.presence_head.parameters()) if id(p) not in encoder_ids]
        self.optimiser = torch.optim.AdamW(
            [{"params": rest, "factor": 1.0}, {"params": encoder, "factor": recipe.encoder_rate}],
            weight_decay=0.01,
            fused=True,
        )
        # (average, network) tensors; the average copies integer buffers, which cannot be averaged
        tensors = list(zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True))
        self.float_tensors = [pair for pair in tensors if pair[0].dtype.is_floating_point]
        self.integer_tensors = [pair for pair in tensors if not pair[0].dtype.is_floating_point]
        if device.type == "cuda":
            torch.backends.cudnn.benchmark = True

    def _trainable_encoder_parameters(self) -> list[nn.Parameter]:
        """Freeze the stem and the first ``frozen_stages`` of the encoder; return its other parameters."""
        encoder = self.network.encoder
        count = self.recipe.frozen_stages
        frozen: list[nn.Module] = [*encoder.stages[:count], encoder.stem] if count else []
        for module in frozen:
            module.requires_grad_(False)
        return [parameter for parameter in encoder.parameters() if parameter.requires_grad]

    def resume(self, checkpoint: Path) -> None:
        """Load a checkpoint.

        Raises:
            SettingsError: the checkpoint belongs to another network.
        """
        state: dict[str, Any] = torch.load(checkpoint, map_location=self.device, weights_only=True)
        if state["network_name"] != self.recipe.network:
            raise SettingsError(
                f"{checkpoint} belongs to the network {state['network_name']!r}, but the recipe trains "
                f"{self.recipe.network!r}. Choose another folder for the run."
            )
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        # checkpoints keep the keys "begun" and "standing" of their first version
        self.initial_weights = state.get("begun", {})
        self.presence_head.load_state_dict(state["standing"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = int(state["step"])

    def save(self, checkpoint: Path) -> None:
        """Write a checkpoint atomically."""
        temporary = checkpoint.with_suffix(".part")
        with temporary.open("wb") as file:
            torch.save(
                {
                    "network_name": self.recipe.network,
                    "network": self.network.state_dict(),
                    "average": self.average.state_dict(),
                    "begun": self.initial_weights,
                    "standing": self.presence_head.state_dict(),
                    "optimiser": self.optimiser.state_dict(),
                    "step": self.step,
                },
                file,
            )
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(checkpoint)

    def training_step(self, batch: Batch) -> Tensor:
        """Run one optimiser step; return the loss, which a GPU may still be computing."""
        recipe = self.recipe
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(recipe, self.step) * group["factor"]
        pair, targets, direction, buildings = self._prepare(batch.to(self.device))
        n = len(batch.before)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.in_bf16):
            features = self.network.encoder(pair)
            out = self.network.compare([f[:n] for f in features], [f[n:] for f in features])
            loss = change_loss(out, targets, direction, recipe.gap_weight)
            if recipe.building_presence_weight:
                presence_loss = building_presence_loss(self.presence_head, features, buildings)
                loss = loss + recipe.building_presence_weight * presence_loss
            if self.teacher is not None:
                with torch.no_grad():
                    teacher_features = self.teacher.encoder(pair)
                    teacher_out = self.teacher.compare(
                        [f[:n] for f in teacher_features], [f[n:] for f in teacher_features]
                    )
                    teacher_probability = torch.sigmoid(teacher_out.change)
                mask = distillation_mask(targets, teacher_probability, recipe.teacher_where)
                loss = loss + recipe.teacher_weight * distillation_loss(out.change, teacher_probability, mask)
                if recipe.teacher_features:
                    loss = loss + recipe.teacher_features * feature_distillation_loss(features, teacher_features)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        # a lower decay in the first steps, so that the average does not stick to the initial weights
        self._update_average(min(recipe.ema, (1 + self.step) / (10 + self.step)))
        self.step += 1
        return loss.detach()

    def device_idle(self) -> bool:
        """Return whether the device has completed all queued work; always True on the CPU."""
        return self.device.type != "cuda" or torch.cuda.current_stream(self.device).query()

    def _prepare(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Balance, restyle and normalise a batch.

        Returns:
            both dates (2N×3×H×W), targets (N×2×H×W), direction (N×H×W) and buildings of each date (2N×H×W). Pixels
            hidden by simulated clouds are UNKNOWN, their direction 0.
        """
        seed = np.random.SeedSequence((self.recipe.seed, self.step)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(seed >> 1))
        images = torch.cat([batch.before, batch.after]).permute(0, 3, 1, 2).float()
        balanced = normalize_radiometry(images, images.amax(dim=1) > 0)
        restyled, hidden = restyle(balanced, generator, self.appearance)
        pair = normalise(restyled).contiguous(memory_format=torch.channels_last)
        n = len(batch.before)
        hidden_once = hidden[:n] | hidden[n:]
        targets = batch.targets.masked_fill(hidden_once[:, None], UNKNOWN)
        buildings = torch.cat([batch.buildings[:, 0], batch.buildings[:, 1]]).masked_fill(hidden, UNKNOWN)
        return pair, targets, batch.direction.masked_fill(hidden_once, 0), buildings

    @torch.no_grad()
    def _update_average(self, decay: float) -> None:
        average, current = zip(*self.float_tensors, strict=True)
        torch._foreach_lerp_(average, current, 1 - decay)
        for target, source in self.integer_tensors:
            target.copy_(source)


def train(
    recipe: Recipe,
    root: Path,
    run: Path,
    *,
    workers: int = 1,
    device: torch.device | None = None,
    network: ChangeNetwork | None = None,
    report: Callable[[StepRecord], None] | None = None,
) -> ChangeNetwork:
    """Train a network, resuming from ``run/checkpoint.pt`` if it exists.

    Args:
        recipe: network, data and schedule.
        root: folder that the recipe's folders are relative to.
        run: folder for the checkpoint, ``log.csv``, ``validation.csv``, TensorBoard events and ``curves.png``.
        workers: number of data loader processes.
        device: where to compute; None: the first GPU, or the CPU if there is none.
        network: network to train instead of the recipe's, for comparisons.
        report: called for each step; on a GPU for :data:`LOSS_READ_INTERVAL` steps at once.

    Returns:
        the averaged network (EMA of the weights), in evaluation mode, on the CPU.

    Raises:
        SettingsError: the checkpoint in ``run`` belongs to another network.
    """
    run.mkdir(parents=True, exist_ok=True)
    state = TrainingState(recipe, device or choose_device(), network or initialize_network(recipe, root))
    checkpoint = run / "checkpoint.pt"
    if checkpoint.exists():
        state.resume(checkpoint)
    state.network.train()
    with RunLog(run, state.step) as log:
        loader = load_batches(recipe, root, state.step, workers)
        batch = next(loader, None)
        losses: list[Tensor] = []
        started, waited = time.perf_counter(), 0.0
        while batch is not None:
            losses.append(state.training_step(batch))
            requested = time.perf_counter()
            batch = next(loader, None)
            if state.device_idle():  # a GPU that still computes is not waiting for samples
                waited += time.perf_counter() - requested
            step, last = state.step, state.step == recipe.steps
            validation_due = recipe.validate_every and (step % recipe.validate_every == 0 or last)
            checkpoint_due = step % recipe.save_every == 0 or last
            interval = LOSS_READ_INTERVAL[state.device.type]
            if len(losses) < interval and not validation_due and not checkpoint_due:
                continue
            values = torch.stack(losses).tolist()
            elapsed = time.perf_counter() - started
            scores = validate(state.average, recipe.validation, root) if validation_due else None
            for number, loss in enumerate(values, step - len(values) + 1):
                rate = recipe.batch * len(values) / elapsed
                record = StepRecord(number, loss, rate, waited / elapsed, scores if number == step else None)
                log.write(record, learning_rate(recipe, number))
                if report is not None:
                    report(record)
            if checkpoint_due:
                log.flush()
                state.save(checkpoint)
            losses.clear()
            started, waited = time.perf_counter(), 0.0
    state.average.cpu().eval()
    return state.average
