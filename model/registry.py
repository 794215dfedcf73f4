"""The networks that exist, found by name. One layout, two sizes; configuration lies beside the code."""

from __future__ import annotations

from dataclasses import dataclass

from errors import SettingsError


@dataclass(frozen=True)
class NetworkLayout:
    """Widths and depths of a :class:`model.network.ChangeNetwork`.

    Attributes:
        name: what settings and weights call it.
        widths: channels at strides 2, 4, 8 and 16. Multiples of 16, so that a dense 3×3 convolution fills the
            processor's matrix unit.
        depths: residual blocks at the same strides.
        direction_width: channels of the signed branch.
    """

    name: str
    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    direction_width: int = 16

    @property
    def stride(self) -> int:
        """Pixels per cell of the coarsest level: block origins must be multiples of it."""
        return int(2 ** len(self.widths))

    @property
    def halo(self) -> int:
        """How far, in pixels, a result can depend on the input around it, rounded up to :attr:`stride`.

        Each 3×3 convolution at stride s reaches s pixels further; going back up by nearest neighbour adds the
        offset of a pixel inside its coarse cell. ``tests/model/test_network.py`` moves one input pixel to check it.
        """
        reach = 2  # stem, at stride 2
        for level, depth in enumerate(self.depths):
            stride = 2 ** (level + 1)
            if level:
                reach += stride // 2  # the strided convolution reads at the finer level
            reach += 2 * depth * stride
        reach += 2 + 4 + 8  # one smoothing convolution per decoder level
        reach += 2  # head
        reach += self.stride - 1  # a pixel's place inside its coarsest cell
        return -(-reach // self.stride) * self.stride


LAYOUTS: dict[str, NetworkLayout] = {
    layout.name: layout
    for layout in (
        NetworkLayout("fast", widths=(16, 32, 64, 96), depths=(1, 2, 2, 1)),
        NetworkLayout("accurate", widths=(32, 64, 96, 128), depths=(1, 2, 2, 1)),
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
