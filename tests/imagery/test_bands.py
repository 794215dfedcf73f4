"""Red, green and blue are chosen by request, name, colour interpretation, or the usual order of sensors."""

from __future__ import annotations

import pytest

from errors import ImageError
from imagery.bands import choose_bands

GREY = ["gray"]


def choose(names: list[str | None], dtype: str = "uint16", colours: list[str] | None = None) -> tuple[int, int, int]:
    return choose_bands(len(names), dtype, colours or ["undefined"] * len(names), names)[0]


@pytest.mark.parametrize(
    ("names", "bands"),
    [
        (["blue", "green", "red", "nir"], (3, 2, 1)),
        (["Red", "Green", "Blue"], (1, 2, 3)),
        (["R", "G", "B", "N"], (1, 2, 3)),
        (["B02", "B03", "B04", "B08"], (3, 2, 1)),
        (["B1", "B2", "B3", "B4", "B5", "B6", "B7"], (4, 3, 2)),
        (["coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"], (6, 4, 2)),
        (["Band 1: Blue (490 nm)", "Band 2 - Green", "Band 3 red band", "Band 4: Red edge"], (3, 2, 1)),
        (["近红外", "红", "绿", "蓝"], (2, 3, 4)),
        (["红波段", "绿波段", "蓝波段"], (1, 2, 3)),
    ],
)
def test_bands_are_chosen_by_name(names: list[str | None], bands: tuple[int, int, int]) -> None:
    assert choose(names) == bands


@pytest.mark.parametrize(
    ("count", "dtype", "bands"),
    [
        (1, "uint16", (1, 1, 1)),
        (2, "uint16", (1, 1, 1)),
        (3, "uint16", (1, 2, 3)),
        (4, "uint8", (1, 2, 3)),
        (4, "uint16", (3, 2, 1)),
        (8, "uint16", (5, 3, 2)),
        (13, "uint16", (4, 3, 2)),
    ],
)
def test_bands_without_names_are_chosen_by_their_number(count: int, dtype: str, bands: tuple[int, int, int]) -> None:
    assert choose([None] * count, dtype) == bands
    assert choose([f"Band {i}" for i in range(1, count + 1)], dtype) == bands


def test_names_override_colours_and_colours_override_the_order() -> None:
    colours = ["red", "green", "blue", "undefined"]
    assert choose(["blue", "green", "red", "nir"], colours=colours) == (3, 2, 1)
    assert choose([None] * 4, colours=colours) == (1, 2, 3)


def test_alpha_is_not_a_colour() -> None:
    assert choose([None, None], "uint8", ["gray", "alpha"]) == (1, 1, 1)
    assert choose([None] * 5, "uint16", ["gray", "undefined", "undefined", "undefined", "alpha"]) == (3, 2, 1)


def test_requested_bands_override_all_others_if_they_exist() -> None:
    names: list[str | None] = ["blue", "green", "red", "nir"]
    colours = ["undefined"] * 4
    assert choose_bands(4, "uint16", colours, names, requested=(4, 3, 2))[0] == (4, 3, 2)
    assert choose_bands(4, "uint16", colours, names, requested=(4,))[0] == (4, 4, 4)
    for wrong in ((1, 2, 5), (0, 1, 2), (1, 2), ()):
        with pytest.raises(ImageError, match="bands 1 to 4"):
            choose_bands(4, "uint16", colours, names, requested=wrong)
