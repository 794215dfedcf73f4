"""The kinds that a scan tells apart, and the official change types under them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from enforcement.settings import Named, Strict, read_checked
from errors import SettingsError

KINDS = ("construction", "ground", "demolition")
"""What a scan can say; the file gives them names but no others."""


class ChangeType(Named):
    """One official type.

    Attributes:
        kind: the kind it stands under.
        letter: A…F of the six sorts of "vegetation to construction"; "" for the others.
    """

    kind: str
    letter: Annotated[str, Field(pattern="^[A-Z]?$")] = ""


class ChangeTypes(Strict):
    """The whole of ``configs/change_types.yaml``."""

    kinds: dict[str, Named]
    types: dict[Annotated[str, Field(pattern="^[a-z][a-z_]*$", max_length=40)], ChangeType]

    @model_validator(mode="after")
    def _under_known_kinds(self) -> ChangeTypes:
        if set(self.kinds) != set(KINDS):
            raise ValueError(f"kinds must be {', '.join(KINDS)}, as a scan tells them")
        for name, change_type in self.types.items():
            if change_type.kind not in self.kinds:
                raise ValueError(f"{name} stands under {change_type.kind}, which is no kind")
        return self

    def of_kind(self, kind: str) -> dict[str, ChangeType]:
        """The types under ``kind``, in the file's order."""
        return {name: change_type for name, change_type in self.types.items() if change_type.kind == kind}

    def find(self, name: str) -> ChangeType:
        """The type of that name.

        Raises:
            SettingsError: there is none.
        """
        if name not in self.types:
            raise SettingsError(f"No change type is called {name!r}; there are {', '.join(self.types)}.")
        return self.types[name]


@cache
def read_change_types(path: Path = Path("change_types.yaml")) -> ChangeTypes:
    """Read ``configs/change_types.yaml``, once for each process.

    Raises:
        SettingsError: it cannot be used.
    """
    return read_checked(path, ChangeTypes)
