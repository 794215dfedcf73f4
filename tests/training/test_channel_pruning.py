"""A narrower network begins with what the wider one says, as far as its channels reach."""

from __future__ import annotations

import pytest
import torch

from errors import SettingsError
from model.encoders import InvertedResidual
from model.network import ChangeNetwork
from model.registry import find_layout
from training.channel_pruning import narrow


def _wide_with_idle_channels() -> ChangeNetwork:
    """Half of the channels inside each block, here and there among the others, say the same everywhere."""
    torch.manual_seed(4)
    wide = ChangeNetwork(find_layout("accurate")).eval()
    with torch.no_grad():
        for block in wide.encoder.modules():
            if isinstance(block, InvertedResidual) and block.expand is not None:
                idle = torch.randperm(block.depthwise.out_channels)[: block.depthwise.out_channels // 2]
                block.depthwise.weight[idle] = 0
                block.depthwise.bias[idle] = torch.rand(len(idle)) * 3
    return wide


def test_channels_that_say_nothing_are_the_ones_left_away() -> None:
    wide, network = _wide_with_idle_channels(), ChangeNetwork(find_layout("fast")).eval()
    images = torch.randn(2, 3, 64, 64)
    narrow(wide, network, images)
    with torch.inference_mode():
        for own, theirs in zip(network.encoder(images), wide.encoder(images), strict=True):
            assert own.std() > 0
            assert torch.allclose(own, theirs, atol=1e-4), "and what they said as a constant stays"
    assert torch.equal(network.head.weight, wide.head.weight)


def test_a_network_is_not_made_wider() -> None:
    with pytest.raises(SettingsError, match="not narrower"):
        narrow(ChangeNetwork(find_layout("fast")), ChangeNetwork(find_layout("accurate")), torch.zeros(1, 3, 32, 32))
