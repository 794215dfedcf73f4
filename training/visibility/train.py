"""Train the visibility classifier and write its weights and card: ``python -m training.visibility.train``."""

from __future__ import annotations

import argparse
import hashlib
import os
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

from model.visibility.classifier import CLASSES, WEIGHTS, VisibilityClassifier
from model.visibility.local_statistics import COUNT
from training.sources.drone_orthophotos import DroneOrthophotoPairs
from training.sources.farmland.farmland_pairs import FarmlandPairs
from training.sources.farmland.open_ground import OpenGroundFolder
from training.sources.masked_images import MaskedFolder
from training.sources.samples import LabelledPairs, Source, Unchanged, UnchangedPairs
from training.visibility.samples import draw_statistics

HIDDEN = (40, 32)
SEED = 15


def open_sources(root: Path) -> list[Source]:
    """Open the training folders; nothing of ``val/``, and only the training half of ``unchanged/worldwide``."""
    single = root / "single"
    return [
        LabelledPairs(root / "train/levir", "building"),
        LabelledPairs(root / "train/dsifn", "ground"),
        LabelledPairs(root / "train/guangzhou", "building"),
        LabelledPairs(root / "train/oscd", "building"),
        UnchangedPairs(root / "unchanged/worldwide", crop=512),
        UnchangedPairs(root / "unchanged/worldwide", crop=512),
        Unchanged([single / "landcover_china/images"]),
        Unchanged([single / "building_christchurch/images", single / "building_drone_oam/images"]),
        FarmlandPairs(
            [
                OpenGroundFolder(single / "landcover_china", (4, 5), (6,)),
                OpenGroundFolder(single / "landcover_dronedeploy", (2,), (4,)),
            ]
        ),
        DroneOrthophotoPairs(
            [
                MaskedFolder(single / "building_jonkoping_ortho", 0.14),
                MaskedFolder(single / "building_inria_tiles", 0.3),
                MaskedFolder(single / "building_whu_sat_cities", 0.8),
            ],
            target_m=(0.14, 1.0),
        ),
    ]


def fit(statistics: np.ndarray, classes: np.ndarray, epochs: int) -> VisibilityClassifier:
    """Fit the perceptron by Adam with a cosine schedule; the seed is fixed."""
    torch.manual_seed(SEED)
    sizes = (COUNT, *HIDDEN, len(CLASSES))
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    network = nn.Sequential(*layers[:-1])
    x, y = torch.from_numpy(statistics), torch.from_numpy(classes.astype(np.int64))
    batch = 4096
    steps = epochs * (len(x) // batch)
    optimiser = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    # clear ground wrongly called hidden is the costlier error
    weight = torch.tensor([1.5, 1.0, 1.0])
    for step in range(steps):
        chosen = torch.randint(len(x), (batch,))
        loss = nn.functional.cross_entropy(network(x[chosen]), y[chosen], weight, label_smoothing=0.01)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if step % 500 == 0:
            print(f"step {step} of {steps}: loss {loss.item():.4f}", flush=True)
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    return VisibilityClassifier(
        tuple((np.ascontiguousarray(layer.weight.detach().numpy().T), layer.bias.detach().numpy()) for layer in linear)
    )


def save(classifier: VisibilityClassifier, path: Path) -> str:
    """Save the weights as safetensors; return the sha256 of the file."""
    tensors: dict[str, np.ndarray] = {}
    for number, (matrix, offset) in enumerate(classifier.layers):
        tensors |= {f"matrix{number}": matrix, f"offset{number}": offset}
    save_file(tensors, path)
    path.chmod(0o644)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Draw the samples, fit, save, and print the checksum to publish in :mod:`model.visibility.classifier`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("TUBAN_REAL_IMAGERY"), required=False)
    parser.add_argument("--pairs", type=int, default=2500)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the data folder with --data or TUBAN_REAL_IMAGERY")
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    statistics, classes = draw_statistics(
        open_sources(Path(arguments.data)), arguments.pairs, np.random.default_rng(SEED)
    )
    print(f"{len(classes):,} pixels: {dict(zip(CLASSES, np.bincount(classes).tolist(), strict=True))}", flush=True)
    classifier = fit(statistics, classes, arguments.epochs)
    guessed = classifier.logits(statistics).argmax(axis=1)
    for number, name in enumerate(CLASSES):
        print(f"{name}: {(guessed[classes == number] == number).mean():.4f} of its pixels recognized")
    print(f"sha256 {save(classifier, arguments.out)}")


if __name__ == "__main__":
    main()
