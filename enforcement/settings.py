"""What ``configs/enforcement.yaml`` says, and how the files of this room are read."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from configs import faults_in, read_yaml
from errors import SettingsError


class Strict(BaseModel):
    """Part of a settings file: nothing unknown in it, never changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Named(Strict):
    """Something with a name for people in both languages."""

    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]


Settings = TypeVar("Settings", bound=Strict)
Share = Annotated[float, Field(ge=0, le=1)]


def read_checked(path: Path, model: type[Settings]) -> Settings:
    """Read a settings file.

    Args:
        path: as :func:`configs.read_yaml` takes it: a file in the working folder stands above the shipped one.
        model: what it must hold.

    Raises:
        SettingsError: a name or a value is not what the file has; the message lists each.
    """
    try:
        return model.model_validate(read_yaml(path))
    except ValidationError as error:
        raise SettingsError(f"The settings {path} cannot be used: {faults_in(error)}") from error


class Weights(Strict):
    """Weight of each land an alert can lie on; larger is graver."""

    basic_farmland: int
    cultivated: int
    protected: int
    off_plan: int
    other: int


class LegalWeight(Strict):
    """See ``configs/enforcement.yaml``."""

    weights: Weights
    least_share: Share
    least_m2: Annotated[float, Field(ge=0)]
    plan_share: Share


class Source(Named):
    """Where alerts come from."""

    letter: Annotated[str, Field(pattern="^[A-Z]$")]


class EnforcementConfig(Strict):
    """The whole of ``configs/enforcement.yaml``."""

    legal_weight: LegalWeight
    sources: dict[str, Source]

    @model_validator(mode="after")
    def _letters_differ(self) -> EnforcementConfig:
        letters = [source.letter for source in self.sources.values()]
        if len(set(letters)) < len(letters):
            raise ValueError("two sources have one letter: their alerts' numbers would collide")
        return self


@cache
def read_enforcement(path: Path = Path("enforcement.yaml")) -> EnforcementConfig:
    """Read ``configs/enforcement.yaml``, once for each process.

    Raises:
        SettingsError: it cannot be used.
    """
    return read_checked(path, EnforcementConfig)
