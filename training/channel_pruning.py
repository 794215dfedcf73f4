"""Channel pruning: initialize a narrower network from a wider one of the same layout.

The inverted residual blocks of the encoder expand their channels. Where the narrower layout expands less, the channels
that contribute most to the block's output on real samples are kept, and the mean output of the others is folded into
the bias (pruning by contribution: Molchanov et al. 2017). Training then recovers most of what was lost.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from errors import SettingsError
from model.encoders import InvertedResidual
from model.network import ChangeNetwork


def _hidden_activations(block: InvertedResidual, x: Tensor) -> Tensor:
    """Return the input of the block's projection, N×C×H×W."""
    expanded = x if block.expand is None else F.relu6(block.expand(x))
    return F.relu6(block.depthwise(expanded))


def _select_outputs(conv: nn.Conv2d | None, channels: Tensor) -> dict[str, Tensor]:
    if conv is None or conv.bias is None:
        return {}
    return {"weight": conv.weight[channels], "bias": conv.bias[channels]}


def _prune_block(wide: InvertedResidual, narrow: InvertedResidual, x: Tensor) -> None:
    """Fill ``narrow`` from ``wide``, whose input on the samples is ``x``."""
    hidden = _hidden_activations(wide, x)
    mean = hidden.mean(dim=(0, 2, 3))
    matrix = wide.project.weight[:, :, 0, 0]
    # the mean of a removed channel moves to the bias, so only its variance counts
    contribution = hidden.var(dim=(0, 2, 3)) * matrix.square().sum(dim=0)
    kept = contribution.argsort(descending=True)[: narrow.project.in_channels].sort().values
    removed = torch.ones(len(mean), dtype=torch.bool)
    removed[kept] = False
    if wide.expand is not None and narrow.expand is not None:
        narrow.expand.load_state_dict(_select_outputs(wide.expand, kept))
    narrow.depthwise.load_state_dict(_select_outputs(wide.depthwise, kept))
    assert wide.project.bias is not None
    bias = wide.project.bias + matrix[:, removed] @ mean[removed]
    narrow.project.load_state_dict({"weight": wide.project.weight[:, kept], "bias": bias})


@torch.no_grad()
def prune_channels(wide: ChangeNetwork, network: ChangeNetwork, images: Tensor) -> None:
    """Copy the weights of ``wide`` into ``network``, pruning channels and surplus residual blocks after fusion.

    Args:
        wide: trained network, in evaluation mode.
        network: network of the same layout with an equal or smaller expansion inside the encoder's blocks.
        images: N×3×H×W, normalised training images, on which the contribution of channels is measured.

    Raises:
        SettingsError: ``network`` is not a narrower version of ``wide``.
    """
    target, source = network.layout, wide.layout
    fits = target.widths == source.widths and target.expansion <= source.expansion
    if not fits or any(t > s for t, s in zip(target.fused_depths, source.fused_depths, strict=True)):
        raise SettingsError(
            f"The network {target.name!r} cannot be initialized from weights of {source.name!r}: it is not narrower."
        )
    network.encoder.stem.load_state_dict(wide.encoder.stem.state_dict())
    x = F.relu6(wide.encoder.stem(wide.encoder.to_published_range(images)))
    for wide_stage, stage in zip(wide.encoder.stages, network.encoder.stages, strict=True):
        for wide_block, block in zip(wide_stage.children(), stage.children(), strict=True):
            assert isinstance(wide_block, InvertedResidual)
            assert isinstance(block, InvertedResidual)
            _prune_block(wide_block, block, x)
            x = wide_block(x)
    names = network.state_dict().keys()
    rest = {k: v for k, v in wide.state_dict().items() if k in names and not k.startswith("encoder.")}
    network.load_state_dict(rest, strict=False)
