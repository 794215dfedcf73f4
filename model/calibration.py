"""Calibration of weights: what their scores mean by ground resolution, and the thresholds that follow.

``NAME.calibration.json`` lies beside the weights; ``checksums.json`` holds its sha256. ``tuban calibrate`` fits it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

from model.network_outputs import CHANGE_OUTPUTS

OperatingPoint = Literal["inspect", "all"]
"""inspect: few false alarms, for inspectors; all: finds more, for a complete survey."""

OPERATING_POINTS: tuple[OperatingPoint, ...] = ("inspect", "all")

UNKNOWN_GSD_M = 1.0
"""Ground sample distance in metres that images without a stated one are calibrated for."""


@dataclass(frozen=True)
class Knot:
    """Platt scaling at one ground sample distance, ``p = sigmoid(slope · logit + offset)``, and the thresholds there.

    Attributes:
        gsd_m: metres per pixel of the images.
        slope: positive, so that the order of scores is kept.
        offset: added to the scaled logit.
        inspect: calibrated probability from which a pixel counts as changed, at this operating point.
        all: the same at the other one.
    """

    gsd_m: float
    slope: float
    offset: float
    inspect: float = 0.5
    all: float = 0.5


@dataclass(frozen=True)
class Calibration:
    """Calibration of the fused scores of one network.

    Attributes:
        knots: by output, sorted by ground sample distance; interpolated linearly in its logarithm, constant beyond.
        coarse_cut: probability of the coarse look, by output; see :class:`model.looks.CoarseLook`.
        record: the pairs it was fitted on and the figures measured there, as plain data for the model card.
    """

    knots: Mapping[str, tuple[Knot, ...]]
    coarse_cut: Mapping[str, float]
    record: Mapping[str, Any] = field(default_factory=dict)

    def knot(self, output: str, gsd_m: float | None) -> Knot:
        """Return scaling and thresholds of an output at a ground sample distance, interpolated; None: unknown."""
        knots = self.knots[output]
        gsd_m = gsd_m or UNKNOWN_GSD_M
        if gsd_m <= knots[0].gsd_m:
            return replace(knots[0], gsd_m=gsd_m)
        for low, high in pairwise(knots):
            if gsd_m <= high.gsd_m:
                part = math.log(gsd_m / low.gsd_m) / math.log(high.gsd_m / low.gsd_m)
                mixed = [
                    (1 - part) * getattr(low, name) + part * getattr(high, name)
                    for name in ("slope", "offset", "inspect", "all")
                ]
                return Knot(gsd_m, *mixed)
        return replace(knots[-1], gsd_m=gsd_m)

    def line(self, output: str, gsd_m: float | None) -> tuple[float, float]:
        """Return slope and offset of an output at a ground sample distance; None: unknown."""
        knot = self.knot(output, gsd_m)
        return knot.slope, knot.offset

    def lines(self, gsd_m: float | None) -> dict[str, tuple[float, float]]:
        """Return slope and offset of every output at a ground sample distance."""
        return {output: self.line(output, gsd_m) for output in CHANGE_OUTPUTS}

    def thresholds(self, point: OperatingPoint, gsd_m: float | None) -> dict[str, float]:
        """Return the threshold of every output at an operating point and a ground sample distance."""
        return {output: float(getattr(self.knot(output, gsd_m), point)) for output in CHANGE_OUTPUTS}

    def as_json(self) -> dict[str, Any]:
        """Return plain data that :meth:`from_json` reads."""
        return {
            "knots": {output: [asdict(knot) for knot in knots] for output, knots in self.knots.items()},
            "coarse_cut": dict(self.coarse_cut),
            "record": dict(self.record),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Calibration:
        """Read what :meth:`as_json` returned.

        Raises:
            KeyError, TypeError, ValueError: it is not such a record.
        """
        knots = {
            output: tuple(sorted((Knot(**knot) for knot in record["knots"][output]), key=lambda knot: knot.gsd_m))
            for output in CHANGE_OUTPUTS
        }
        if not all(knots.values()):
            raise ValueError("an output has no knot")
        cut = {output: float(record["coarse_cut"][output]) for output in CHANGE_OUTPUTS}
        return cls(knots, cut, record["record"])
