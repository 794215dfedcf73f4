"""Initialization of a network: random, ImageNet weights for the encoder, or shipped weights, pruned if necessary."""

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
from training.augmentation.appearance import normalize_radiometry
from training.augmentation.geometry import augment
from training.channel_pruning import prune_channels
from training.imagenet_weights import imagenet_state
from training.recipe import Mixture, Recipe

PRUNING_PAIRS = 24
"""Pairs on which the contribution of channels is measured before pruning."""


def initialize_network(recipe: Recipe, root: Path) -> ChangeNetwork:
    """Build the network of ``recipe`` with its initial weights, on the CPU.

    Args:
        recipe: names the network and ``initial_weights``.
        root: folder that the recipe's folders are relative to.

    Raises:
        SettingsError: the network cannot use ``initial_weights``.
    """
    torch.manual_seed(recipe.seed)
    network = ChangeNetwork(find_layout(recipe.network))
    if recipe.initial_weights == "imagenet":
        if network.layout.expansion != PUBLISHED_EXPANSION:
            raise SettingsError(
                f"initial_weights is 'imagenet', but the encoder of {recipe.network!r} is narrower than the published "
                "one. Use the name of weights that ship, or leave initial_weights empty."
            )
        network.encoder.load_imagenet(imagenet_state())
    elif recipe.initial_weights:
        weights = find_weights(recipe.initial_weights)
        if weights.layout == network.layout:
            return load_network(weights)
        prune_channels(load_network(weights), network, _sample_images(recipe, root))
    return network


def _sample_images(recipe: Recipe, root: Path) -> Tensor:
    """Return both dates of :data:`PRUNING_PAIRS` augmented samples, normalised, N×3×H×W."""
    mixture, rng, settings = Mixture(recipe, root), np.random.default_rng(recipe.seed), recipe.augment.settings()
    samples = [augment(mixture.draw(rng), rng, settings) for _ in range(PRUNING_PAIRS)]
    images = [date for sample in samples for date in (sample.before, sample.after)]
    stack = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    return normalise(normalize_radiometry(stack, stack.amax(dim=1) > 0))
