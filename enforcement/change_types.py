"""Kinds of change that a scan distinguishes, and the official change types of each kind."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from enforcement.settings import BilingualName, StrictModel, read_settings
from errors import SettingsError

KINDS = ("construction", "ground", "demolition")
"""Kinds that a scan detects; the settings file names them but cannot add others."""


class ChangeType(BilingualName):
    """An official change type.

    Attributes:
        kind: kind of change that it belongs to.
        letter: A…F of the six types of "vegetation to construction"; "" for the others.
    """

    kind: str
    letter: Annotated[str, Field(pattern="^[A-Z]?$")] = ""


class ChangeTypes(StrictModel):
    """All of ``configs/change_types.yaml``."""

    kinds: dict[str, BilingualName]
    types: dict[Annotated[str, Field(pattern="^[a-z][a-z_]*$", max_length=40)], ChangeType]

    @model_validator(mode="after")
    def _validate_kinds(self) -> ChangeTypes:
        if set(self.kinds) != set(KINDS):
            raise ValueError(f"kinds must be {', '.join(KINDS)}, as detected by a scan")
        for name, change_type in self.types.items():
            if change_type.kind not in self.kinds:
                raise ValueError(f"{name} has the unknown kind {change_type.kind}")
        return self

    def of_kind(self, kind: str) -> dict[str, ChangeType]:
        """Return the types of a kind, in the order of the file."""
        return {name: change_type for name, change_type in self.types.items() if change_type.kind == kind}

    def find(self, name: str) -> ChangeType:
        """Return a type by name.

        Raises:
            SettingsError: unknown name.
        """
        if name not in self.types:
            raise SettingsError(f"Unknown change type {name!r}; the types are {', '.join(self.types)}.")
        return self.types[name]


@cache
def read_change_types(path: Path = Path("change_types.yaml")) -> ChangeTypes:
    """Read ``configs/change_types.yaml``, once per process.

    Raises:
        SettingsError: the file is invalid.
    """
    return read_settings(path, ChangeTypes)
