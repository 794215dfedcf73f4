"""What a person stated about received files: day, colour bands and coordinate system."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from errors import ImageError, SettingsError
from imagery.georeference import crs_from_argument


@dataclass(frozen=True)
class GivenMetadata:
    """Metadata that files lack, or that a person knows better.

    Attributes:
        date: day of acquisition, for files without one in their metadata or name.
        crs: coordinate system, like "EPSG:4547", for files that have coordinates but no system.
        override: whether ``date`` and ``crs`` hold for files that have others, too.
        bands: numbers of the red, green and blue band, from 1, or one for grey; empty: chosen by the file.
        folder: name of the folder that contains the files, which may hold their day.
        photos: day of the photos of which an orthophoto was made.
    """

    date: dt.date | None = None
    crs: str = ""
    override: bool = False
    bands: tuple[int, ...] = ()
    folder: str = ""
    photos: dt.date | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the values as plain JSON, for a job or a sandboxed process."""
        days = {"date": self.date and self.date.isoformat(), "photos": self.photos and self.photos.isoformat()}
        return asdict(self) | days | {"bands": list(self.bands)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what :meth:`to_json` returned; missing values are those of a file about which nothing was stated."""
        return cls(
            date=_day(data.get("date")),
            crs=data.get("crs", ""),
            override=data.get("override", False),
            bands=tuple(data.get("bands", ())),
            folder=data.get("folder", ""),
            photos=_day(data.get("photos")),
        )

    def in_folder(self, folder: str) -> Self:
        """Return the same for files of another folder."""
        return replace(self, folder=folder)


NOTHING_GIVEN = GivenMetadata()


def _day(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def parse_bands(text: str) -> tuple[int, ...]:
    """Parse the numbers of the red, green and blue band, like "3,2,1", or one for grey; "": none.

    Raises:
        SettingsError: they are not one or three numbers from 1.
    """
    parts = [part.strip() for part in text.replace("，", ",").split(",")] if text.strip() else []
    if len(parts) not in (0, 1, 3) or not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise SettingsError(
            f"The bands are {text!r}; expected three numbers from 1, like 3,2,1, or one for grey.",
            "given.bands",
            given=text,
        )
    return tuple(int(part) for part in parts)


def parse_crs(text: str) -> str:
    """Parse a coordinate system, like "EPSG:4547" or "4547", and return it as "EPSG:…"; "": none.

    Raises:
        SettingsError: there is none with this code.
    """
    code = text.strip().upper().removeprefix("EPSG:").strip()
    if not code:
        return ""
    try:
        if not (code.isascii() and code.isdigit()):
            raise ImageError
        crs_from_argument(f"EPSG:{code}")
    except ImageError:
        raise SettingsError(
            f"{text[:60]!r} is not a known coordinate system; expected one like EPSG:4547.",
            "given.crs",
            given=text[:60],
        ) from None
    return f"EPSG:{code}"
