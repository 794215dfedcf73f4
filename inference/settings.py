"""Settings of a scan: a profile of ``configs/profiles.yaml`` plus overrides by the caller."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from configs import format_validation_errors, read_yaml
from errors import SettingsError
from model.calibration import OperatingPoint

AUTO = "auto"

ConfidenceByShift = tuple[tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(gt=0, le=1)]], ...]
"""Shifts in pixels of the grid, ascending, and the share of its score that an alert keeps there."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MinimumAreas(_Strict):
    """Minimum mapping unit in ellipsoidal m², by kind of change."""

    construction: float = Field(ge=0)
    ground: float = Field(ge=0)
    demolition: float = Field(ge=0)


class Profile(_Strict):
    """Values for one kind of imagery; ``configs/profiles.yaml`` explains each."""

    up_to_gsd_m: float = Field(gt=0)
    resolution_m: float = Field(gt=0)
    looks_m: tuple[Annotated[float, Field(gt=0)], ...] = ()
    coarse_to_fine: bool = False
    min_area_m2: MinimumAreas
    search_m: float = Field(gt=0)
    max_residual_px: float = Field(gt=0)
    max_rotation_deg: float = Field(2.5, ge=0, le=15)


class ScanConfig(_Strict):
    """Content of ``configs/profiles.yaml``."""

    profiles: dict[str, Profile]
    weights: str
    operating_point: OperatingPoint = "inspect"
    block_px: int = Field(ge=64)
    min_overlap: float = Field(gt=0, le=1)
    max_scale_ratio: float = Field(gt=1)
    source_accuracy_m: dict[str, Annotated[float, Field(gt=0)]] = {}
    confidence_by_shift: ConfidenceByShift = ()

    def pair_accuracy_m(self, before_source: str, after_source: str) -> float | None:
        """Return the accuracy of the coordinates of two sources' images towards each other; None if not known."""
        accuracies = [self.source_accuracy_m.get(source) for source in (before_source, after_source)]
        known = [accuracy for accuracy in accuracies if accuracy is not None]
        return math.hypot(*known) if len(known) == len(accuracies) else None


class ScanSettings(_Strict):
    """Settings of one scan.

    Attributes:
        profile_name: name of the profile.
        profile: values of the profile.
        block_px: side of a block in pixels, without its halo.
        min_overlap: see ``configs/profiles.yaml``.
        max_scale_ratio: see ``configs/profiles.yaml``.
        operating_point: which thresholds of the weights apply; see ``configs/profiles.yaml``.
        threshold: probability from which a pixel counts as changed, by output; overrides that of the weights.
        position_accuracy_m: accuracy of the coordinates of both images towards each other, if it is known; see
            ``source_accuracy_m`` in ``configs/profiles.yaml``.
        confidence_by_shift: see ``configs/profiles.yaml``.
    """

    profile_name: str
    profile: Profile
    block_px: int = Field(2048, ge=64)
    min_overlap: float = 0.02
    max_scale_ratio: float = 8.0
    operating_point: OperatingPoint = "inspect"
    threshold: dict[str, float] | None = None
    position_accuracy_m: Annotated[float, Field(gt=0)] | None = None
    confidence_by_shift: ConfidenceByShift = ()

    def confidence_at(self, shift_px: float) -> float:
        """Return the share of its score that an alert keeps where the images may be displaced by ``shift_px``."""
        if not self.confidence_by_shift:
            return 1.0
        shifts, shares = zip(*self.confidence_by_shift, strict=True)
        return float(np.interp(shift_px, shifts, shares))

    @property
    def sha256(self) -> str:
        """Checksum of all values; equal for scans with equal settings."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def scales_differ_too_much(first_gsd_m: float, second_gsd_m: float, max_scale_ratio: float) -> bool:
    """Whether the ratio of two ground sample distances exceeds the largest allowed one.

    One percent is tolerated: the scale of a projection makes a ratio of exactly 8 a few thousandths larger.
    """
    finer, coarser = sorted((first_gsd_m, second_gsd_m))
    return coarser / finer > 1.01 * max_scale_ratio


def read_config(path: Path = Path("profiles.yaml")) -> ScanConfig:
    """Read and validate the settings file of scans.

    Raises:
        SettingsError: unknown names or invalid values; the message lists each.
    """
    try:
        return ScanConfig.model_validate(read_yaml(path))
    except ValidationError as error:
        raise SettingsError(f"The settings file {path} is invalid: {format_validation_errors(error)}") from error


def settings_for(config: ScanConfig, profile: str, coarser_gsd_m: float, **overrides: Any) -> ScanSettings:
    """Return the settings for a pair of images.

    Args:
        config: settings file.
        profile: name of a profile, or ``auto`` to choose one by ``coarser_gsd_m``.
        coarser_gsd_m: metres per pixel of the coarser of the two images.
        overrides: values of :class:`ScanSettings` that replace those of the file; ``search_m`` and
            ``max_rotation_deg`` replace those of the profile.

    Raises:
        SettingsError: no profile has that name, the images are coarser than every profile, or a value is invalid.
    """
    name = profile
    if profile == AUTO:
        fitting = [
            n
            for n, p in sorted(config.profiles.items(), key=lambda i: i[1].up_to_gsd_m)
            if coarser_gsd_m <= p.up_to_gsd_m
        ]
        if not fitting:
            coarsest = max(p.up_to_gsd_m for p in config.profiles.values())
            raise SettingsError(
                f"The images have {coarser_gsd_m:.3g} m per pixel; the coarsest profile goes up to {coarsest:g} m. "
                "Use --profile to choose one anyway."
            )
        name = fitting[0]
    if name not in config.profiles:
        raise SettingsError(f"Unknown profile {name!r}; there are: {AUTO}, {', '.join(config.profiles)}.")
    values: dict[str, Any] = {
        "block_px": config.block_px,
        "min_overlap": config.min_overlap,
        "max_scale_ratio": config.max_scale_ratio,
        "operating_point": config.operating_point,
        "confidence_by_shift": config.confidence_by_shift,
    }
    values.update(overrides)
    changed = {field: values.pop(field) for field in ("search_m", "max_rotation_deg") if values.get(field) is not None}
    try:
        chosen = Profile(**(config.profiles[name].model_dump() | changed))
        return ScanSettings(profile_name=name, profile=chosen, **values)
    except ValidationError as error:
        raise SettingsError(f"The settings of the scan are invalid: {format_validation_errors(error)}") from error
