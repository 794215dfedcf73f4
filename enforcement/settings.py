"""Settings of ``configs/enforcement.yaml``, and the reader of this package's settings files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from configs import format_validation_errors, read_yaml
from errors import SettingsError


class StrictModel(BaseModel):
    """Part of a settings file: immutable, without unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BilingualName(StrictModel):
    """Display name in Chinese and English."""

    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]


Settings = TypeVar("Settings", bound=StrictModel)
Share = Annotated[float, Field(ge=0, le=1)]


def read_settings(path: Path, model: type[Settings]) -> Settings:
    """Read and validate a settings file.

    Args:
        path: as of :func:`configs.read_yaml`: a file in the working directory overrides the shipped one.
        model: expected content.

    Raises:
        SettingsError: unknown names or invalid values; the message lists all of them.
    """
    try:
        return model.model_validate(read_yaml(path))
    except ValidationError as error:
        raise SettingsError(f"The settings file {path} is invalid: {format_validation_errors(error)}") from error


class Weights(StrictModel):
    """Legal weight of each kind of land; larger is more severe."""

    basic_farmland: int
    cultivated: int
    protected: int
    off_plan: int
    other: int


class LegalWeight(StrictModel):
    """Legal weights and the minimum overlaps that count; described in ``configs/enforcement.yaml``."""

    weights: Weights
    least_share: Share
    least_m2: Annotated[float, Field(ge=0)]
    full_m2: Annotated[float, Field(gt=0)] = 3333
    plan_share: Share


class Source(BilingualName):
    """Source of alerts, with its letter in alert numbers."""

    letter: Annotated[str, Field(pattern="^[A-Z]$")]


class ConfidenceRates(StrictModel):
    """Rates by which the sources of an alert are combined; described in ``configs/enforcement.yaml``."""

    prior: Annotated[float, Field(gt=0, lt=1)] = 0.2
    detection: dict[str, Annotated[float, Field(ge=0, lt=1)]] = {
        "drone": 0.8,
        "satellite": 0.7,
        "camera": 0.6,
        "other": 0.5,
    }
    drawn: dict[str, Annotated[float, Field(gt=0, lt=1)]] = {
        "patrol": 0.9,
        "hotline": 0.6,
        "report": 0.5,
        "other": 0.9,
    }

    def drawn_score(self, source: str) -> float:
        """Return the probability of a change that a person drew, by its source."""
        return self.drawn.get(source, self.drawn.get("other", 0.9))


class EnforcementConfig(StrictModel):
    """All of ``configs/enforcement.yaml``."""

    legal_weight: LegalWeight
    confidence: ConfidenceRates = ConfidenceRates()
    sources: dict[str, Source]

    @model_validator(mode="after")
    def _validate_letters(self) -> EnforcementConfig:
        letters = [source.letter for source in self.sources.values()]
        if len(set(letters)) < len(letters):
            raise ValueError("two sources have the same letter: alert numbers would collide")
        return self


@cache
def read_enforcement(path: Path = Path("enforcement.yaml")) -> EnforcementConfig:
    """Read ``configs/enforcement.yaml``, once per process.

    Raises:
        SettingsError: the file is invalid.
    """
    return read_settings(path, EnforcementConfig)
