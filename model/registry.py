"""Registry of network layouts: one architecture in two sizes."""

from __future__ import annotations

from dataclasses import dataclass

from errors import SettingsError

INVERTED_STAGES = (
    ((1, 3, 1, 1, 16),),
    ((2, 3, 2, 6, 24),),
    ((2, 5, 2, 6, 40),),
    ((3, 3, 2, 6, 80), (3, 5, 1, 6, 112)),
)
"""EfficientNet-Lite0 from its stem to stride 16; groups of (blocks, kernel, stride, expansion, channels) by stride."""

PUBLISHED_EXPANSION = 6
"""Expansion of its blocks as published: the factor by which they are wider inside than outside."""


@dataclass(frozen=True)
class NetworkLayout:
    """Widths and depths of a :class:`model.network.ChangeNetwork`.

    Attributes:
        name: name in settings and weights.
        expansion: largest expansion in the encoder's blocks, where the network spends most of its time.
        fused_depths: residual blocks after fusion at strides 2, 4, 8 and 16.
        widths: channels after fusion at the same strides. Multiples of 16, so that a dense 3×3 convolution fills the
            CPU's matrix unit.
        direction_width: channels of the signed branch.
    """

    name: str
    expansion: int
    fused_depths: tuple[int, int, int, int]
    widths: tuple[int, int, int, int] = (16, 32, 64, 96)
    direction_width: int = 16

    @property
    def encoder_widths(self) -> tuple[int, ...]:
        """Output channels of the encoder at strides 2, 4, 8 and 16."""
        return tuple(groups[-1][-1] for groups in INVERTED_STAGES)

    @property
    def stride(self) -> int:
        """Pixels per cell of the coarsest level: block origins must be multiples of it."""
        return int(2 ** len(self.widths))

    @property
    def halo(self) -> int:
        """Radius of the receptive field in pixels, rounded up to :attr:`stride`.

        Each k×k convolution at stride s adds (k − 1)/2 · s pixels; nearest-neighbour upsampling adds the offset of a
        pixel inside its coarse cell. ``tests/model/test_network.py`` checks it by the gradient of the input.
        """
        radius = self._encoder_radius()
        radius += sum(2 * depth * 2 ** (level + 1) for level, depth in enumerate(self.fused_depths))
        radius += 2 + 4 + 8  # one smoothing convolution per decoder level
        radius += 2  # head
        radius += self.stride - 1  # a pixel's place inside its coarsest cell
        return int(-(-radius // self.stride) * self.stride)

    def _encoder_radius(self) -> int:
        radius, scale = 1, 2  # stem
        for groups in INVERTED_STAGES:
            for count, kernel, stride, _, _ in groups:
                radius += kernel // 2 * scale
                scale *= stride
                radius += (count - 1) * (kernel // 2) * scale
        return radius


LAYOUTS: dict[str, NetworkLayout] = {
    layout.name: layout
    for layout in (
        NetworkLayout("fast", expansion=3, fused_depths=(0, 0, 0, 1)),
        NetworkLayout("accurate", expansion=PUBLISHED_EXPANSION, fused_depths=(0, 1, 1, 1)),
    )
}


def find_layout(name: str) -> NetworkLayout:
    """Return a layout by name.

    Raises:
        SettingsError: there is no such layout.
    """
    try:
        return LAYOUTS[name]
    except KeyError:
        raise SettingsError(f"Unknown network {name!r}; there are: {', '.join(LAYOUTS)}.") from None
