"""The networks that exist, found by name. One layout, two sizes; configuration lies beside the code."""

from __future__ import annotations

from dataclasses import dataclass

from errors import SettingsError

INVERTED_STAGES = (
    ((1, 3, 1, 1, 16),),
    ((2, 3, 2, 6, 24),),
    ((2, 5, 2, 6, 40),),
    ((3, 3, 2, 6, 80), (3, 5, 1, 6, 112)),
)
"""EfficientNet-Lite0 from its stem to stride 16; at each stride (blocks, kernel, stride, expansion, channels)."""

PUBLISHED_EXPANSION = 6
"""How many times wider its blocks are inside than outside, as published."""


@dataclass(frozen=True)
class NetworkLayout:
    """Widths and depths of a :class:`model.network.ChangeNetwork`.

    Attributes:
        name: what settings and weights call it.
        expansion: how many times wider the encoder's blocks are inside than outside, at most. Most of the time of the
            network is spent there.
        widths: channels at strides 2, 4, 8 and 16 after fusion. Multiples of 16, so that a dense 3×3 convolution fills
            the processor's matrix unit.
        fused_depths: residual blocks after fusion at the same strides.
        direction_width: channels of the signed branch.
    """

    name: str
    expansion: int
    fused_depths: tuple[int, int, int, int]
    widths: tuple[int, int, int, int] = (16, 32, 64, 96)
    direction_width: int = 16

    @property
    def encoder_widths(self) -> tuple[int, ...]:
        """Channels that the encoder hands on at strides 2, 4, 8 and 16."""
        return tuple(groups[-1][-1] for groups in INVERTED_STAGES)

    @property
    def stride(self) -> int:
        """Pixels per cell of the coarsest level: block origins must be multiples of it."""
        return int(2 ** len(self.widths))

    @property
    def halo(self) -> int:
        """How far, in pixels, a result can depend on the input around it, rounded up to :attr:`stride`.

        Each k×k convolution at stride s reaches (k − 1)/2 · s pixels further; going back up by nearest neighbour adds
        the offset of a pixel inside its coarse cell. ``tests/model/test_network.py`` moves one input pixel to check.
        """
        reach = self._encoder_reach()
        reach += sum(2 * depth * 2 ** (level + 1) for level, depth in enumerate(self.fused_depths))
        reach += 2 + 4 + 8  # one smoothing convolution per decoder level
        reach += 2  # head
        reach += self.stride - 1  # a pixel's place inside its coarsest cell
        return int(-(-reach // self.stride) * self.stride)

    def _encoder_reach(self) -> int:
        reach, at = 1, 2  # stem
        for groups in INVERTED_STAGES:
            for count, kernel, stride, _, _ in groups:
                reach += kernel // 2 * at
                at *= stride
                reach += (count - 1) * (kernel // 2) * at
        return reach


LAYOUTS: dict[str, NetworkLayout] = {
    layout.name: layout
    for layout in (
        NetworkLayout("fast", expansion=3, fused_depths=(0, 0, 0, 1)),
        NetworkLayout("accurate", expansion=PUBLISHED_EXPANSION, fused_depths=(0, 1, 1, 1)),
    )
}


def find_layout(name: str) -> NetworkLayout:
    """Return the layout of that name.

    Raises:
        SettingsError: no network has that name.
    """
    try:
        return LAYOUTS[name]
    except KeyError:
        raise SettingsError(f"No network is called {name!r}; there are: {', '.join(LAYOUTS)}.") from None
