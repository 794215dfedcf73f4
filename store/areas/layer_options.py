"""How a file is loaded as a version of a layer, as a person chose it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from enforcement.layer_kinds import ROLES
from errors import SettingsError


@dataclass(frozen=True)
class LayerOptions:
    """Choices of the person who loads a file.

    Attributes:
        fields: role of :data:`enforcement.layer_kinds.ROLES` → field; "-": none; others are found by the settings.
        table: table of a GeoPackage with several; "": the only one.
        crs: coordinate system of a file that declares none, like ``EPSG:4527``; "": none.
        add: keep the polygons of the version in use, and add those of the file.
        number: approval number of polygons without one.
        valid_from: first day of polygons without one.
        valid_to: last day of polygons without one.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    table: str = ""
    crs: str = ""
    add: bool = False
    number: str = ""
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None

    def __post_init__(self) -> None:
        """Check the choices.

        Raises:
            SettingsError: an unknown role, or a period that ends before it begins.
        """
        if unknown := set(self.fields) - set(ROLES):
            raise SettingsError(f"{', '.join(sorted(unknown))} is no role of a field; expected {', '.join(ROLES)}.")
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise SettingsError(
                f"The validity ends on {self.valid_to}, before it begins on {self.valid_from}.",
                "layer.period",
                first=self.valid_from.isoformat(),
                last=self.valid_to.isoformat(),
            )

    def to_json(self) -> dict[str, Any]:
        """Return the choices as plain JSON."""
        days = {name: day.isoformat() if day else None for name, day in self._days().items()}
        return asdict(self) | {"fields": dict(self.fields)} | days

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> LayerOptions:
        """Restore the choices."""
        values = {name: value for name, value in stored.items() if name in cls.__dataclass_fields__}
        for name in ("valid_from", "valid_to"):
            values[name] = dt.date.fromisoformat(values[name]) if values.get(name) else None
        return cls(**values)

    def _days(self) -> dict[str, dt.date | None]:
        return {"valid_from": self.valid_from, "valid_to": self.valid_to}
