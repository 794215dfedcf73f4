"""Training of the descriptor head on frozen encoder features.

Each batch correlates all earlier images with all later ones over all shifts. For each image, the right shift of its own
partner must win against all other shifts and against all shifts of all other places (InfoNCE), so that the height of a
peak means the same for every pair. Half of a batch is of one source: places that look alike.

``python -m training.registration.train_descriptors IMAGERY`` writes ``model/weights/registration.safetensors``.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (conventional name)

from model.descriptor_network import DescriptorNetwork
from model.network_outputs import DESCRIPTOR_CELL_PX, DESCRIPTOR_CHANNELS
from model.weights import find_weights, load_network, save_descriptor_weights
from training.registration.shifted_pairs import ShiftedFeatures, extract_features, list_pairs

RADIUS = 5
"""Largest shift in cells."""

BATCH = 24
LEARNING_RATE = 1.2e-3
TARGET_SIGMA = 0.6
"""Spread of the true shift in cells: registration of training pairs is off by some pixels."""

FIRST_TEMPERATURE = 3.0
"""Logarithm of the factor on correlations at the start of training."""

SHARES = {"train/levir": 1.2, "train/dsifn": 3.0, "train/guangzhou": 2.5, "train/oscd": 0.6}
SINGLE_SHARE = 0.25
"""Weight of a source in a batch."""

SINGLE = (
    "building_drone_oam",
    "building_christchurch",
    "landcover_china",
    "landcover_dronedeploy",
    "building_inria_tiles",
    "building_jonkoping_ortho",
    "building_whu_sat_cities",
    "landcover_dubai_panels",
    "road_ethcil_google",
    "road_epfl_chicago",
    "road_massachusetts_1m",
)
FOLDERS = (*SHARES, *(f"single/{name}" for name in SINGLE))


def correlate_all(before: Tensor, after: Tensor, inside: Tensor) -> Tensor:
    """Correlate all earlier maps with all later ones.

    Args:
        before: (n, 33, h, w) weighted descriptions and weights.
        after: the same of the later dates.
        inside: (h, w), 1 where the later maps count.

    Returns:
        (n later, n earlier, 2r+1, 2r+1), normalized as in a scan.
    """
    height, width = inside.shape
    shape = (height + 2 * RADIUS, width + 2 * RADIUS)

    def spectrum(values: Tensor) -> Tensor:
        out: Tensor = torch.fft.rfft2(values, s=shape)
        return out

    def surface(product: Tensor) -> Tensor:
        moved = torch.roll(torch.fft.irfft2(product, s=shape), (RADIUS, RADIUS), (-2, -1))
        return moved[..., : 2 * RADIUS + 1, : 2 * RADIUS + 1]

    after = after * inside
    vectors, weights = slice(0, DESCRIPTOR_CHANNELS), DESCRIPTOR_CHANNELS
    raw = torch.einsum("jcyx,icyx->ijyx", spectrum(before[:, vectors]), spectrum(after[:, vectors]).conj())
    energy_before = spectrum(before[:, weights] ** 2)[None] * spectrum(inside).conj()
    energy_after = spectrum(torch.ones_like(inside)) * spectrum(after[:, weights] ** 2)[:, None].conj()
    norm = surface(energy_before).clamp(min=1e-3) * surface(energy_after).clamp(min=1e-3)
    return surface(raw) / norm.sqrt()


def shift_targets(shift: Tensor) -> Tensor:
    """Return the probability of each shift (n, 2r+1, 2r+1) for true shifts (n, 2) in cells."""
    at = torch.arange(-RADIUS, RADIUS + 1).float()
    x, y = (torch.exp(-((at - shift[:, axis, None]) ** 2) / (2 * TARGET_SIGMA**2)) for axis in (0, 1))
    target = y[:, :, None] * x[:, None, :]
    return target / target.sum(dim=(1, 2), keepdim=True)


def contrastive_loss(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the InfoNCE loss of scores (n, n, k, k): right shift and right partner, seen from either date."""
    count = len(scores)
    wanted = torch.zeros_like(scores)
    wanted[range(count), range(count)] = targets
    flat = wanted.reshape(count, -1)
    forward = F.log_softmax(scores.reshape(count, -1), dim=1)
    backward = F.log_softmax(scores.transpose(0, 1).reshape(count, -1), dim=1)
    return -((forward + backward) * flat).sum(dim=1).mean()


def draw_batch(sources: NDArray[np.str_], rng: np.random.Generator) -> list[int]:
    """Draw pairs: half of one source, the rest of all."""
    groups = {str(name): np.flatnonzero(sources == name) for name in np.unique(sources)}
    names = list(groups)
    shares = np.array([SHARES.get(name, SINGLE_SHARE) for name in names])
    shares /= shares.sum()
    hard = groups[names[rng.choice(len(names), p=shares)]]
    picked = [int(k) for k in rng.choice(hard, min(BATCH // 2, len(hard)), replace=False)]
    while len(picked) < min(BATCH, len(sources)):
        index = int(rng.choice(groups[names[rng.choice(len(names), p=shares)]]))
        if index not in picked:
            picked.append(index)
    return picked


def train_head(features: ShiftedFeatures, network: DescriptorNetwork, minutes: float, seed: int = 0) -> list[float]:
    """Train the head of a network in place, as an exponential moving average; return the loss of each step."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    stage, head = network.encoder.stages[2].eval(), network.head.train()
    temperature = nn.Parameter(torch.tensor(FIRST_TEMPERATURE))
    optimizer = torch.optim.AdamW([*head.parameters(), temperature], weight_decay=1e-3)
    average = {name: value.clone() for name, value in head.state_dict().items()}
    sources = np.array(features.sources)
    losses: list[float] = []
    start = time.monotonic()
    while (done := (time.monotonic() - start) / 60.0 / minutes) < 1.0 or not losses:
        for group in optimizer.param_groups:
            warm = min(1.0, (len(losses) + 1) / 15)
            group["lr"] = LEARNING_RATE * warm * (0.5 + 0.5 * math.cos(math.pi * min(done, 1.0))) + 2e-5
        picked = draw_batch(sources, rng)
        dates = np.concatenate([features.before[picked], features.after[picked]]).astype(np.float32)
        fine = torch.from_numpy(dates)
        with torch.no_grad():
            coarse = stage(fine)
        described = head(fine, coarse)
        before, after = described[: len(picked)], described[len(picked) :]
        targets = shift_targets(torch.from_numpy(features.shift[picked]) / DESCRIPTOR_CELL_PX)
        side = described.shape[-1]
        loss = torch.zeros(())
        for window in (side, int(rng.integers(8, 20))):  # whole images, and windows, which the field is refined by
            top, left = (int(rng.integers(0, side - window + 1)) for _ in range(2))
            inside = torch.zeros(side, side)
            inside[top : top + window, left : left + window] = 1.0
            loss = loss + contrastive_loss(correlate_all(before, after, inside) * temperature.exp(), targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        losses.append(float(loss))
        decay = min(0.99, len(losses) / (len(losses) + 20))
        for name, value in head.state_dict().items():
            average[name].mul_(decay).add_(value, alpha=1 - decay)
    head.load_state_dict(average)
    network.eval()
    return losses


def main() -> None:
    """Train the descriptors and write their weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("imagery", type=Path, help="folder with train/ and single/")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--weights", default="accurate", help="weights whose encoder is copied")
    arguments = parser.parse_args()
    network = DescriptorNetwork()
    shipped = load_network(find_weights(arguments.weights)).encoder.state_dict()
    network.encoder.load_state_dict({name: shipped[name] for name in network.encoder.state_dict()})
    features = extract_features(list_pairs(arguments.imagery, FOLDERS), network.encoder, seed=0)
    losses = train_head(features, network, arguments.minutes)
    weights = save_descriptor_weights(network)
    print(f"{len(losses)} steps, loss {np.mean(losses[-50:]):.2f}: {weights.path}")


if __name__ == "__main__":
    main()
