"""Mosaics of the flights in a folder of raw drone photos: the work and the results of ``tuban place``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from errors import ImageError
from imagery import Limits, Scene
from imagery.conversion.ingest_in_process import ingest_in_process
from imagery.drone.flights import flight_date
from imagery.drone.mosaic import default_gsd, write_mosaic, write_preview
from imagery.drone.orientation import orient_flight
from imagery.drone.oriented_flight import require_used_photos
from imagery.drone.photo import Photo
from imagery.drone.photo_check import check_photo
from imagery.drone.report import flight_summary, photo_feature
from imagery.drone.settings import DroneSettings
from inference.outputs.output_folder import OutputLayout
from inference.registration.photo_registration import register_photo
from service.file_discovery import DiscoveredFile

SCHEMA = "tuban-place/1"
Progress = Callable[[str, float], None]
"""Called with the step and the share of it that is done, 0…1."""


def output_layout(flights: int) -> OutputLayout:
    """Describe the output folder for a number of flights."""
    names = {"report.json", "photos.geojson"}
    for number in range(1, flights + 1):
        names |= {f"mosaic{_suffix(number, flights)}.tif", f"preview{_suffix(number, flights)}.png"}
    return OutputLayout(
        "report.json", SCHEMA, frozenset(names), foreign="files that `tuban place` did not write, or of other flights"
    )


def _suffix(number: int, total: int) -> str:
    """Suffix of a flight's files: none if it is the only one."""
    return "" if total == 1 else f"_{number}"


@dataclass
class FlightMosaics:
    """Arguments of one command, and its results so far.

    Attributes:
        settings: of drone photos.
        reference: an earlier image of the area.
        elevation: file with the height of the ground.
        gsd: metres per pixel of the mosaics; None: by the photos.
        today: no photo may be newer.
        features: GeoJSON feature of each oriented photo.
        flights: summary of each mosaic.
        failed: name and reason of each file or flight that cannot be used.
    """

    settings: DroneSettings
    reference: Scene | None
    elevation: Path | None
    gsd: float | None
    today: dt.date
    features: list[dict[str, Any]] = field(default_factory=list)
    flights: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)

    def read(self, files: list[DiscoveredFile], date: dt.date | None, progress: Progress) -> list[Photo]:
        """Read the usable photos; other files are added to :attr:`failed` with the reason."""
        photos = []
        for done, file in enumerate(files):
            progress("read", done / len(files))
            try:
                photos.append(
                    check_photo(
                        file.path, file.name, self.settings, limits=Limits(), today=self.today, default_date=date
                    )
                )
            except ImageError as error:
                self.failed.append({"name": file.name, "reason": str(error)})
        return photos

    def place(self, photos: list[Photo], number: int, total: int, folder: Path, progress: Progress) -> None:
        """Orient one flight of ``total`` and write its mosaic and preview; an error is added to :attr:`failed`."""
        name = f"mosaic{_suffix(number, total)}.tif"
        try:
            flight = orient_flight(
                photos, self.settings, folder, reference=self.reference, elevation=self.elevation,
                register=register_photo, progress=progress,
            )  # fmt: skip
            self.failed += [{"name": photo.name, "reason": reason} for photo, reason in flight.failed]
            require_used_photos(flight)
            gsd = self.gsd or default_gsd(flight.used, self.settings.finest_gsd_m)
            date, date_source = flight_date([placed.photo for placed in flight.used])
            stage = folder / "flight.tif"
            mosaic = write_mosaic(flight, stage, gsd, date, progress)
            image = ingest_in_process(stage, name, folder / name, limits=Limits(), today=self.today, workdir=folder)
            stage.unlink()
        except ImageError as error:
            self.failed.append({"name": f"flight {number} of {total}, {len(photos)} photos", "reason": str(error)})
            return
        write_preview(mosaic, folder / f"preview{_suffix(number, total)}.png")
        self.features += [
            photo_feature(placed, flight, name) for placed in flight.photos if not placed.footprint.is_empty
        ]
        facts = {
            "mosaic": name, "gsd_m": image.gsd_m, "width": image.width, "height": image.height,
            "date": date and date.isoformat(), "date_source": date_source, "sha256": image.object_sha256,
        }  # fmt: skip
        self.flights.append(facts | flight_summary(flight))

    def record(self) -> dict[str, Any]:
        """Return the content of ``report.json``."""
        return {
            "schema": SCHEMA,
            "reference": self.reference and self.reference.name,
            "elevation": self.elevation and self.elevation.name,
            "flights": self.flights,
            "failed": self.failed,
            "photos": [feature["properties"] for feature in self.features],
        }


def existing_flights(out: Path) -> int:
    """Count the mosaics that an earlier call wrote to the folder; at least 1."""
    return max(1, sum(1 for _ in out.glob("mosaic*.tif"))) if out.is_dir() else 1
