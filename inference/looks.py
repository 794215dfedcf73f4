"""Choice of the network's looks for a pair: the profile's resolutions, the weights' calibration and thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from inference.pair import MAX_UPSAMPLING
from inference.settings import Profile
from model.calibration import OperatingPoint
from model.looks import CoarseLook, Looks, scale_of
from model.network_outputs import CHANGE_OUTPUTS
from model.weights import Weights

COARSE_SCALE = Fraction(1, 2)
"""Pixels of the coarse look per pixel of the grid."""


def choose_looks(weights: Weights, profile: Profile | None, gsd_m: float | None, grid_m: float) -> Looks:
    """Return what the network looks at.

    Args:
        weights: loaded weights; without a calibration there is no coarse look, and scores are not calibrated.
        profile: of the scan; None: the resolution is unknown, the network looks at the images' own pixels.
        gsd_m: metres per pixel of the coarser image; None: unknown.
        grid_m: metres per pixel of the grid.
    """
    calibration = weights.calibration
    scales: tuple[Fraction, ...] = (Fraction(1),)
    if profile is not None and profile.looks_m:
        # an enlargement beyond the limit costs time and adds nothing
        finest = min(grid_m, (gsd_m or grid_m) / MAX_UPSAMPLING)
        scales = tuple(dict.fromkeys(scale_of(max(look, finest), grid_m) for look in profile.looks_m))
    if calibration is None:
        return Looks(scales)
    coarse = None
    if profile is not None and profile.coarse_to_fine:
        coarse = CoarseLook(COARSE_SCALE, dict(calibration.coarse_cut))
    return Looks(scales, coarse, calibration.lines(gsd_m))


def choose_thresholds(
    weights: Weights,
    operating_point: OperatingPoint,
    gsd_m: float | None,
    overrides: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Return the probability from which a pixel counts as changed, by output; ``gsd_m`` as in :func:`choose_looks`."""
    calibration = weights.calibration
    chosen = weights.threshold if calibration is None else calibration.thresholds(operating_point, gsd_m)
    return {output: (overrides or {}).get(output, chosen[output]) for output in CHANGE_OUTPUTS}
