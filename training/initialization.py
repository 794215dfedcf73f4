"""The network that a run begins with: new, with ImageNet's numbers, or with those of weights that ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from errors import SettingsError
from model.encoders import normalise
from model.network import ChangeNetwork
from model.registry import PUBLISHED_EXPANSION, find_layout
from model.weights import find_weights, load_network
from training.augmentation.appearance import balance
from training.augmentation.geometry import augment
from training.channel_pruning import narrow
from training.imagenet_weights import imagenet_state
from training.recipe import Mixture, Recipe

NARROWED_ON = 24
"""Pairs on which is measured which channels say least."""


def first_network(recipe: Recipe, root: Path) -> ChangeNetwork:
    """Make the network of ``recipe`` as it is before the first step, on the processor.

    Args:
        recipe: what is trained.
        root: folder that the recipe's folders are relative to.

    Raises:
        SettingsError: the network cannot begin with what ``begin_with`` names.
    """
    torch.manual_seed(recipe.seed)
    network = ChangeNetwork(find_layout(recipe.network))
    if recipe.begin_with == "imagenet":
        if network.layout.expansion != PUBLISHED_EXPANSION:
            raise SettingsError(f"begin_with is 'imagenet'; the encoder of {recipe.network!r} is narrower than that.")
        network.encoder.load_imagenet(imagenet_state())
    elif recipe.begin_with:
        weights = find_weights(recipe.begin_with)
        if weights.layout == network.layout:
            return load_network(weights)
        narrow(load_network(weights), network, _images(recipe, root))
    return network


def _images(recipe: Recipe, root: Path) -> Tensor:
    """Both dates of some samples as the network sees them, N×3×H×W."""
    mixture, rng, settings = Mixture(recipe, root), np.random.default_rng(recipe.seed), recipe.augment.settings()
    samples = [augment(mixture.draw(rng), rng, settings) for _ in range(NARROWED_ON)]
    images = [date for sample in samples for date in (sample.before, sample.after)]
    stack = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    return normalise(balance(stack, stack.amax(dim=1) > 0))
