"""A pruned network reproduces the wider one as far as its channels allow."""

from __future__ import annotations

import pytest
import torch

from errors import SettingsError
from model.encoders import InvertedResidual
from model.network import ChangeNetwork
from model.registry import find_layout
from training.channel_pruning import prune_channels


def _wide_with_idle_channels() -> ChangeNetwork:
    """Build a network in which a random half of the channels inside each block is constant."""
    torch.manual_seed(4)
    wide = ChangeNetwork(find_layout("accurate")).eval()
    with torch.no_grad():
        for block in wide.encoder.modules():
            if isinstance(block, InvertedResidual) and block.expand is not None:
                idle = torch.randperm(block.depthwise.out_channels)[: block.depthwise.out_channels // 2]
                block.depthwise.weight[idle] = 0
                block.depthwise.bias[idle] = torch.rand(len(idle)) * 3
    return wide


def test_constant_channels_are_pruned_without_changing_the_output() -> None:
    wide, network = _wide_with_idle_channels(), ChangeNetwork(find_layout("fast")).eval()
    images = torch.randn(2, 3, 64, 64)
    prune_channels(wide, network, images)
    with torch.inference_mode():
        for pruned, original in zip(network.encoder(images), wide.encoder(images), strict=True):
            assert pruned.std() > 0
            assert torch.allclose(pruned, original, atol=1e-4), "the constants are folded into the bias"
    assert torch.equal(network.head.weight, wide.head.weight)


def test_a_wider_network_is_rejected() -> None:
    with pytest.raises(SettingsError, match="not narrower"):
        prune_channels(
            ChangeNetwork(find_layout("fast")), ChangeNetwork(find_layout("accurate")), torch.zeros(1, 3, 32, 32)
        )
