"""Validation scores of a network in training, for the curves only: thresholds are never chosen on these folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model.inference_wrapper import InferenceWrapper
from model.network import ChangeNetwork
from training.pixel_scores import measure_pairs
from training.recipe import ValidationRecipe
from training.sources.samples import LabelledPairs


def validate(network: ChangeNetwork, folders: Sequence[ValidationRecipe], root: Path) -> dict[str, float]:
    """Compute the pixel F1 at probability 0.5 for each folder.

    Args:
        network: in evaluation mode.
        folders: folder, question and number of pairs, which are picked at even intervals.
        root: folder that they are relative to.

    Returns:
        F1 by ``"folder:question"``, for example ``"val/levir:building"``.
    """
    deployed = InferenceWrapper(network)
    return {
        f"{folder.folder}:{folder.question}": measure_pairs(
            deployed, LabelledPairs(root / folder.folder, folder.question), folder.pairs
        ).at(0.5)["f1"]
        for folder in folders
    }
