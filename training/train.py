"""The training loop: resumable to the step, the same samples for the same seed and step."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from errors import SettingsError
from model.encoders import normalise
from model.network import ChangeNetwork
from model.weights import find_weights, load_network
from training.augmentation.appearance import balance, restyle
from training.batches import Batch, batches
from training.building_presence import StandingHead, standing_loss
from training.initialization import first_network
from training.loss import change_loss, feature_loss, imitation_loss
from training.recipe import Recipe
from training.run_log import RunLog
from training.sources.samples import UNKNOWN
from training.validation import validate

READ_EVERY = {"cpu": 1, "cuda": 16}
"""Steps after which their losses are read. Each reading lets a GPU run out of work."""


@dataclass(frozen=True)
class Progress:
    """What is told of each step.

    Attributes:
        step: steps done.
        loss: of the batch.
        rate: pairs per second since losses were read before, waiting included.
        waited: share of that time for which the network waited for samples.
        validation: figure by validation folder, when this step was followed by one.
    """

    step: int
    loss: float
    rate: float
    waited: float
    validation: dict[str, float] | None = None


def learning_rate(recipe: Recipe, step: int) -> float:
    """Rate at ``step``: a linear start, then half a cosine to nothing."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def choose_device() -> torch.device:
    """The first GPU, or the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def computes_in_bf16(device: torch.device) -> bool:
    """Whether bf16 is faster than f32 there: on every GPU in use, and on processors with instructions for it."""
    if device.type == "cuda":
        return True
    flags = Path("/proc/cpuinfo")
    return flags.exists() and "avx512_bf16" in flags.read_text(encoding="ascii", errors="ignore")


class Run:
    """A network in training: everything that a checkpoint holds."""

    def __init__(self, recipe: Recipe, device: torch.device, network: ChangeNetwork) -> None:
        """Build it around the network that it begins with."""
        self.recipe, self.device, self.step = recipe, device, 0
        self.appearance = recipe.appearance.settings()
        self.in_bf16 = computes_in_bf16(device)
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.average = deepcopy(self.network).eval()
        self.begun = deepcopy(self.network.state_dict()) if recipe.begin_share else {}
        self.standing = StandingHead(network.layout.encoder_widths).to(device)
        self.teacher: ChangeNetwork | None = None
        if recipe.teacher:
            teacher = load_network(find_weights(recipe.teacher)).to(device)
            self.teacher = teacher.to(memory_format=torch.channels_last)
        encoder = self._trained_encoder()
        inside = {id(parameter) for parameter in network.encoder.parameters()}
        rest = [p for p in (*network.parameters(), *self.standing.parameters()) if id(p) not in inside]
        self.optimiser = torch.optim.AdamW(
            [{"params": rest, "factor": 1.0}, {"params": encoder, "factor": recipe.encoder_rate}],
            weight_decay=0.01,
            fused=device.type == "cuda",
        )
        pairs = list(zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True))
        self.averaged = [pair for pair in pairs if pair[0].dtype.is_floating_point]
        self.copied = [pair for pair in pairs if not pair[0].dtype.is_floating_point]
        if device.type == "cuda":
            torch.backends.cudnn.benchmark = True

    def _trained_encoder(self) -> list[nn.Parameter]:
        """The encoder's parameters that learn; the first stages stay as they began when the recipe says so."""
        encoder = self.network.encoder
        frozen = self.recipe.frozen_stages
        held: list[nn.Module] = list(encoder.stages[:frozen]) if frozen else []
        if held:
            held.append(encoder.stem)
        for module in held:
            module.requires_grad_(False)
        return [parameter for parameter in encoder.parameters() if parameter.requires_grad]

    def resume(self, checkpoint: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            SettingsError: it belongs to another network.
        """
        state: dict[str, Any] = torch.load(checkpoint, map_location=self.device, weights_only=True)
        if state["network_name"] != self.recipe.network:
            raise SettingsError(f"{checkpoint} was made for network {state['network_name']!r}; choose another folder.")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.begun = state.get("begun", {})
        self.standing.load_state_dict(state["standing"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = int(state["step"])

    def save(self, checkpoint: Path) -> None:
        """Write a checkpoint whole or not at all."""
        fresh = checkpoint.with_suffix(".part")
        with fresh.open("wb") as file:
            torch.save(
                {
                    "network_name": self.recipe.network,
                    "network": self.network.state_dict(),
                    "average": self.average.state_dict(),
                    "begun": self.begun,
                    "standing": self.standing.state_dict(),
                    "optimiser": self.optimiser.state_dict(),
                    "step": self.step,
                },
                file,
            )
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(checkpoint)

    def learn(self, batch: Batch) -> Tensor:
        """One step; returns the loss, which on a GPU is still being computed."""
        recipe = self.recipe
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(recipe, self.step) * group["factor"]
        pair, answers, direction, standing = self._seen(batch.to(self.device))
        n = len(batch.before)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.in_bf16):
            features = self.network.encoder(pair)
            out = self.network.compare([f[:n] for f in features], [f[n:] for f in features])
            loss = change_loss(out, answers, direction, recipe.gap_weight)
            if recipe.standing_weight:
                loss = loss + recipe.standing_weight * standing_loss(self.standing, features, standing)
            if self.teacher is not None:
                with torch.no_grad():
                    shown = self.teacher.encoder(pair)
                    said = self.teacher.compare([f[:n] for f in shown], [f[n:] for f in shown])
                    taught = torch.sigmoid(said.change)
                # what a person answered, a rejected alert above all, is not to be taught back by who raised it
                where = (answers == UNKNOWN) | (recipe.teacher_where == "everywhere")
                loss = loss + recipe.teacher_weight * imitation_loss(out.change, taught, where)
                if recipe.teacher_features:
                    loss = loss + recipe.teacher_features * feature_loss(features, shown)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        # the average follows faster while there is little to average
        self._follow(min(recipe.ema, (1 + self.step) / (10 + self.step)))
        self.step += 1
        return loss.detach()

    def idle(self) -> bool:
        """Whether everything that was asked of the device is done."""
        return self.device.type != "cuda" or torch.cuda.current_stream(self.device).query()

    def _seen(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Both dates as the network sees them (2N×3×H×W), with answers, direction and buildings (2N×H×W)."""
        seed = np.random.SeedSequence((self.recipe.seed, self.step)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(seed >> 1))
        images = torch.cat([batch.before, batch.after]).permute(0, 3, 1, 2).float()
        balanced = balance(images, images.amax(dim=1) > 0)
        restyled, hidden = restyle(balanced, generator, self.appearance)
        pair = normalise(restyled).contiguous(memory_format=torch.channels_last)
        n = len(batch.before)
        either = hidden[:n] | hidden[n:]
        answers = batch.answers.masked_fill(either[:, None], UNKNOWN)
        standing = torch.cat([batch.standing[:, 0], batch.standing[:, 1]]).masked_fill(hidden, UNKNOWN)
        return pair, answers, batch.direction.masked_fill(either, 0), standing

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        kept, now = zip(*self.averaged, strict=True)
        torch._foreach_lerp_(kept, now, 1 - decay)
        for to, counted in self.copied:
            to.copy_(counted)


def train(
    recipe: Recipe,
    root: Path,
    run: Path,
    *,
    workers: int = 1,
    device: torch.device | None = None,
    network: ChangeNetwork | None = None,
    report: Callable[[Progress], None] | None = None,
) -> ChangeNetwork:
    """Train, or go on where ``run/checkpoint.pt`` stopped.

    Args:
        recipe: what to train on what, for how long.
        root: folder that the recipe's folders are relative to.
        run: folder for the checkpoint, ``log.csv``, ``validation.csv``, TensorBoard's file and ``curves.png``.
        workers: processes that prepare samples.
        device: where to compute; None: the first GPU, else the processor.
        network: what to train instead of the recipe's layout, to compare.
        report: called for each step, on a GPU for some at once.

    Returns:
        the averaged network (EMA of the weights), in evaluation mode, on the processor.

    Raises:
        SettingsError: the checkpoint in ``run`` belongs to another network.
    """
    run.mkdir(parents=True, exist_ok=True)
    state = Run(recipe, device or choose_device(), network or first_network(recipe, root))
    checkpoint = run / "checkpoint.pt"
    if checkpoint.exists():
        state.resume(checkpoint)
    state.network.train()
    with RunLog(run, state.step) as journal:
        source = batches(recipe, root, state.step, workers)
        batch = next(source, None)
        losses: list[Tensor] = []
        began, waited = time.perf_counter(), 0.0
        while batch is not None:
            losses.append(state.learn(batch))
            asked = time.perf_counter()
            batch = next(source, None)
            if state.idle():  # a GPU that still computes does not wait for samples
                waited += time.perf_counter() - asked
            step, last = state.step, state.step == recipe.steps
            look = recipe.validate_every and (step % recipe.validate_every == 0 or last)
            keep = step % recipe.save_every == 0 or last
            if len(losses) < READ_EVERY[state.device.type] and not look and not keep:
                continue
            values = torch.stack(losses).tolist()
            took = time.perf_counter() - began
            scores = validate(state.average, recipe.validation, root) if look else None
            for done, loss in enumerate(values, step - len(values) + 1):
                rate = recipe.batch * len(values) / took
                told = Progress(done, loss, rate, waited / took, scores if done == step else None)
                journal.write(told, learning_rate(recipe, done))
                if report is not None:
                    report(told)
            if keep:
                journal.flush()
                state.save(checkpoint)
            losses.clear()
            began, waited = time.perf_counter(), 0.0
    state.average.cpu().eval()
    return state.average
