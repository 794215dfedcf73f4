"""Looks: the resolutions at which the network looks at a pair, and the calibration of what it says there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from model.network_outputs import CHANGE_OUTPUTS

MAX_DENOMINATOR = 4
"""Scales are rounded to fractions with at most this denominator, so that blocks of every scale are whole pixels."""


@dataclass(frozen=True)
class CoarseLook:
    """The cheap look that decides where the others are needed.

    Attributes:
        scale: its pixels per pixel of the grid, below 1.
        cut: probability by output; ground whose neighbourhood stays at or below it is not looked at again.
    """

    scale: Fraction
    cut: Mapping[str, float]


@dataclass(frozen=True)
class Looks:
    """What the network looks at, and how its answers become one calibrated probability.

    Attributes:
        scales: pixels of each look per pixel of the grid: 2 is an enlargement, 1/2 a reduction. Their logits are
            averaged.
        coarse: look over everything that selects where the scales are evaluated; None: they are evaluated everywhere.
        calibration: slope and offset of the logit by output: ``p = sigmoid(slope · logit + offset)``.
    """

    scales: tuple[Fraction, ...] = (Fraction(1),)
    coarse: CoarseLook | None = None
    calibration: Mapping[str, tuple[float, float]] = field(
        default_factory=lambda: dict.fromkeys(CHANGE_OUTPUTS, (1.0, 0.0))
    )

    @property
    def all_scales(self) -> tuple[Fraction, ...]:
        """Every scale that the network runs at, without repetition."""
        coarse = () if self.coarse is None else (self.coarse.scale,)
        return tuple(dict.fromkeys((*coarse, *self.scales)))

    def as_json(self) -> dict[str, Any]:
        """Return plain data that :meth:`from_json` reads."""
        coarse = self.coarse
        return {
            "scales": [str(scale) for scale in self.scales],
            "coarse": None if coarse is None else {"scale": str(coarse.scale), "cut": dict(coarse.cut)},
            "calibration": {output: list(line) for output, line in self.calibration.items()},
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Looks:
        """Read what :meth:`as_json` returned."""
        coarse = record["coarse"]
        return cls(
            tuple(Fraction(scale) for scale in record["scales"]),
            None if coarse is None else CoarseLook(Fraction(coarse["scale"]), dict(coarse["cut"])),
            {output: (float(line[0]), float(line[1])) for output, line in record["calibration"].items()},
        )


def scale_of(resolution_m: float, grid_m: float) -> Fraction:
    """Return the pixels of a look of ``resolution_m`` per pixel of a grid of ``grid_m``, as a simple fraction."""
    scale = Fraction(grid_m / resolution_m).limit_denominator(MAX_DENOMINATOR)
    return scale if scale else Fraction(1, math.ceil(resolution_m / grid_m))
