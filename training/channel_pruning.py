"""A network made narrower: the numbers of a wider one of the same layout, without the channels that say least.

The blocks of the encoder are wide inside; where the narrower layout has fewer channels there, those are kept that carry
most of the block's output on real samples, and what the others say on the average stays as a constant. (Pruning of
whole channels after what they contribute: Molchanov et al. 2017.) What is lost is learned again by training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from errors import SettingsError
from model.encoders import InvertedResidual
from model.network import ChangeNetwork


def _inner(block: InvertedResidual, x: Tensor) -> Tensor:
    """What a block's last convolution is given, N×C×H×W."""
    wide = x if block.expand is None else F.relu6(block.expand(x))
    return F.relu6(block.depthwise(wide))


def _part(conv: nn.Conv2d | None, outputs: Tensor) -> dict[str, Tensor]:
    if conv is None or conv.bias is None:
        return {}
    return {"weight": conv.weight[outputs], "bias": conv.bias[outputs]}


def _narrow_block(wide: InvertedResidual, narrow: InvertedResidual, x: Tensor) -> None:
    """Fill ``narrow`` from ``wide``, whose input on the samples is ``x``."""
    inner = _inner(wide, x)
    mean = inner.mean(dim=(0, 2, 3))
    matrix = wide.project.weight[:, :, 0, 0]
    # a constant is not lost with its channel, so only what varies counts
    carried = inner.var(dim=(0, 2, 3)) * matrix.square().sum(dim=0)
    kept = carried.argsort(descending=True)[: narrow.project.in_channels].sort().values
    lost = torch.ones(len(mean), dtype=torch.bool)
    lost[kept] = False
    if wide.expand is not None and narrow.expand is not None:
        narrow.expand.load_state_dict(_part(wide.expand, kept))
    narrow.depthwise.load_state_dict(_part(wide.depthwise, kept))
    assert wide.project.bias is not None
    bias = wide.project.bias + matrix[:, lost] @ mean[lost]
    narrow.project.load_state_dict({"weight": wide.project.weight[:, kept], "bias": bias})


@torch.no_grad()
def narrow(wide: ChangeNetwork, network: ChangeNetwork, images: Tensor) -> None:
    """Give ``network`` the numbers of ``wide``; residual blocks after fusion that it has not are left away.

    Args:
        wide: a trained network, in evaluation mode.
        network: of the same layout, as wide or narrower inside the encoder's blocks.
        images: N×3×H×W, normalised, of the kind that both will see.

    Raises:
        SettingsError: ``network`` is no narrower version of ``wide``.
    """
    ours, theirs = network.layout, wide.layout
    fits = ours.widths == theirs.widths and ours.expansion <= theirs.expansion
    if not fits or any(own > other for own, other in zip(ours.fused_depths, theirs.fused_depths, strict=True)):
        raise SettingsError(
            f"The network {ours.name!r} cannot begin with weights of {theirs.name!r}: it is not narrower."
        )
    network.encoder.stem.load_state_dict(wide.encoder.stem.state_dict())
    x = F.relu6(wide.encoder.stem(wide.encoder.as_published(images)))
    for wide_stage, stage in zip(wide.encoder.stages, network.encoder.stages, strict=True):
        for wide_block, block in zip(wide_stage.children(), stage.children(), strict=True):
            assert isinstance(wide_block, InvertedResidual)
            assert isinstance(block, InvertedResidual)
            _narrow_block(wide_block, block, x)
            x = wide_block(x)
    names = network.state_dict().keys()
    rest = {k: v for k, v in wide.state_dict().items() if k in names and not k.startswith("encoder.")}
    network.load_state_dict(rest, strict=False)
