"""What a folder of labelled pairs says of itself: ``manifest.yaml`` beside ``A/ B/ label/``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from configs import faults_in, read_yaml
from errors import SettingsError

NAME = "manifest.yaml"

Question = Literal["building", "ground", "any"]
"""What a changed pixel means: a building came or went, land turned, or either of both."""


class Manifest(BaseModel):
    """What is known about a folder of pairs.

    Attributes:
        question: what its labels answer.
        gsd_m: ground sample distance of its images, metres per pixel; None: unknown.
        weight: how much the folder counts beside others.
        terms: what its owners allow, in words.
        unknown: value of the labels where nobody said whether it changed.
        appears: what changed appeared (growth); false: nobody said whether it came or went.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    question: Question = "building"
    gsd_m: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    terms: str = ""
    unknown: int | None = Field(default=None, ge=0, le=255)
    appears: bool = True


def read_manifest(folder: Path) -> Manifest | None:
    """Read and check the manifest of a folder; None where it has none.

    Raises:
        SettingsError: a name or a value is not what a manifest has; the message lists each.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        return Manifest.model_validate(read_yaml(path.absolute()))
    except ValidationError as error:
        raise SettingsError(f"The manifest {path} cannot be used: {faults_in(error)}") from error
