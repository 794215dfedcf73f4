"""How a network in training stands on folders that it is not trained on: a curve to look at, never a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from model.balance import apply_table, balance_table
from model.encoders import normalise
from model.network import ChangeNetwork
from model.network_outputs import CHANGE_OUTPUTS
from training.recipe import ValidationRecipe
from training.samples import LabelledPairs, read_mask, read_rgb


def validate(network: ChangeNetwork, folders: Sequence[ValidationRecipe], root: Path) -> dict[str, float]:
    """Pixel F1 at probability 0.5 by folder and question (``"val/levir:building"``), over evenly chosen pairs."""
    device = next(network.parameters()).device
    stride = network.layout.stride
    scores = {}
    for folder in folders:
        pairs = LabelledPairs(root / folder.folder, folder.question).pairs
        chosen = np.unique(np.linspace(0, len(pairs) - 1, min(folder.pairs, len(pairs))).astype(int))
        hit = wrong = 0
        for a, b, label in (pairs[i] for i in chosen):
            changed = read_mask(label) > 0
            height, width = (side // stride * stride for side in changed.shape)
            images = [apply_table(image, balance_table(image))[:height, :width] for image in (read_rgb(a), read_rgb(b))]
            pair = torch.from_numpy(np.stack(images)).to(device).permute(0, 3, 1, 2).float()
            with torch.inference_mode():
                logits = network(normalise(pair[:1]), normalise(pair[1:])).change
            found = (logits[0, CHANGE_OUTPUTS.index(folder.question)] > 0).cpu().numpy()
            changed = changed[:height, :width]
            hit += int((found & changed).sum())
            wrong += int((found != changed).sum())
        scores[f"{folder.folder}:{folder.question}"] = 2 * hit / max(1, 2 * hit + wrong)
    return scores
