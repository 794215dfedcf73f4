"""Manifest of a folder of labelled pairs: ``manifest.yaml`` next to ``A/ B/ label/``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from configs import format_validation_errors, read_yaml
from errors import SettingsError

NAME = "manifest.yaml"

Question = Literal["building", "ground", "any"]
"""Meaning of a changed pixel: a building appeared or disappeared, ground works changed the land, or either."""


class Manifest(BaseModel):
    """Description of a folder of labelled pairs.

    Attributes:
        question: meaning of a changed pixel.
        gsd_m: ground sample distance in metres per pixel; None: unknown.
        weight: sampling weight relative to other folders.
        terms: licence terms, as text.
        unknown: label value of unlabelled pixels; None: all pixels are labelled.
        appears: all changes are additions (growth); false: the direction of changes is unknown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    question: Question = "building"
    gsd_m: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    terms: str = ""
    unknown: int | None = Field(default=None, ge=0, le=255)
    appears: bool = True


def read_manifest(folder: Path) -> Manifest | None:
    """Read and validate the manifest of a folder; return None if it has none.

    Raises:
        SettingsError: a key or a value is not valid; the message lists each.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        return Manifest.model_validate(read_yaml(path.absolute()))
    except ValidationError as error:
        raise SettingsError(f"The manifest {path} is not valid: {format_validation_errors(error)}") from error
