"""How a network in training stands on folders that it is not trained on: a curve to look at, never a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model.inference_wrapper import DeployedNetwork
from model.network import ChangeNetwork
from training.pixel_scores import measure_pairs
from training.recipe import ValidationRecipe
from training.sources.samples import LabelledPairs


def validate(network: ChangeNetwork, folders: Sequence[ValidationRecipe], root: Path) -> dict[str, float]:
    """Pixel F1 at probability 0.5 by folder and question (``"val/levir:building"``), over evenly chosen pairs."""
    deployed = DeployedNetwork(network)
    return {
        f"{folder.folder}:{folder.question}": measure_pairs(
            deployed, LabelledPairs(root / folder.folder, folder.question), folder.pairs
        ).at(0.5)["f1"]
        for folder in folders
    }
