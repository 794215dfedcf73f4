"""``tuban place``: raw photos of a drone in, one georeferenced mosaic out."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cli.administration.ingest import SOME_FAILED
from configs.service import BatchSettings
from errors import ImageError
from imagery import Limits, Scene, open_scene
from imagery.conversion.ingest_in_process import ingest_in_process
from imagery.drone.flights import flight_date, group_flights
from imagery.drone.mosaic import default_gsd, write_mosaic, write_preview
from imagery.drone.orientation import orient_flight
from imagery.drone.oriented_flight import require_used_photos
from imagery.drone.photo import Photo
from imagery.drone.photo_check import check_photo
from imagery.drone.report import flight_summary, photo_feature
from imagery.drone.settings import DroneSettings, drone_settings
from inference.outputs.output_folder import OutputLayout, atomic_folder, check_output
from inference.registration.photo_registration import register_photo
from service.file_discovery import Brought, list_files

SCHEMA = "tuban-place/1"
_LABELS = {
    "features": "Finding features",
    "match": "Comparing neighbours",
    "reference": "Comparing with reference",
    "seams": "Choosing seams",
    "mosaic": "Writing the mosaic",
}
Told = Callable[[str, float], None]


def _results(flights: int) -> OutputLayout:
    names = {"report.json", "photos.geojson"}
    for number in range(1, flights + 1):
        names |= {f"mosaic{_numbered(number, flights)}.tif", f"preview{_numbered(number, flights)}.png"}
    return OutputLayout(
        "report.json", SCHEMA, frozenset(names), foreign="files that `tuban place` did not write, or of other flights"
    )


def _numbered(number: int, of: int) -> str:
    return "" if of == 1 else f"_{number}"


@dataclass
class _Placing:
    """What was asked for, and what has become of it so far."""

    settings: DroneSettings
    reference: Scene | None
    elevation: Path | None
    gsd: float | None
    today: dt.date
    features: list[dict[str, Any]] = field(default_factory=list)
    flights: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)

    def read(self, brought: list[Brought], date: dt.date | None, told: Told) -> list[Photo]:
        """Photos that can be placed; what cannot is written down with the reason."""
        photos = []
        for done, file in enumerate(brought):
            told("read", done / len(brought))
            try:
                photos.append(
                    check_photo(
                        file.path, file.name, self.settings, limits=Limits(), today=self.today, default_date=date
                    )
                )
            except ImageError as error:
                self.failed.append({"name": file.name, "reason": str(error)})
        return photos

    def place(self, photos: list[Photo], number: int, of: int, folder: Path, told: Told) -> None:
        """One flight: its mosaic, and what became of its photos. A flight that fails does not stop the others."""
        name = f"mosaic{_numbered(number, of)}.tif"
        try:
            flight = orient_flight(
                photos, self.settings, folder, reference=self.reference, elevation=self.elevation,
                register=register_photo, progress=told,
            )  # fmt: skip
            self.failed += [{"name": photo.name, "reason": reason} for photo, reason in flight.failed]
            require_used_photos(flight)
            gsd = self.gsd or default_gsd(flight.used, self.settings.finest_gsd_m)
            date, date_source = flight_date([placed.photo for placed in flight.used])
            stage = folder / "flight.tif"
            mosaic = write_mosaic(flight, stage, gsd, date, told)
            image = ingest_in_process(stage, name, folder / name, limits=Limits(), today=self.today, workdir=folder)
            stage.unlink()
        except ImageError as error:
            self.failed.append({"name": f"flight {number} of {of}, {len(photos)} photos", "reason": str(error)})
            return
        write_preview(mosaic, folder / f"preview{_numbered(number, of)}.png")
        self.features += [
            photo_feature(placed, flight, name) for placed in flight.photos if not placed.footprint.is_empty
        ]
        facts = {
            "mosaic": name, "gsd_m": image.gsd_m, "width": image.width, "height": image.height,
            "date": date and date.isoformat(), "date_source": date_source, "sha256": image.object_sha256,
        }  # fmt: skip
        self.flights.append(facts | flight_summary(flight))

    def record(self) -> dict[str, Any]:
        """``report.json``."""
        return {
            "schema": SCHEMA,
            "reference": self.reference and self.reference.name,
            "elevation": self.elevation and self.elevation.name,
            "flights": self.flights,
            "failed": self.failed,
            "photos": [feature["properties"] for feature in self.features],
        }


def place(
    photos: Annotated[list[Path], typer.Argument(help="Photos as the drone wrote them, and folders of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; earlier ones in it are replaced.")],
    reference: Annotated[
        Path | None, typer.Option(help="An earlier image of the area with coordinates; photos are laid on it.")
    ] = None,
    elevation: Annotated[
        Path | None,
        typer.Option(help="Height of the ground as GeoTIFF; without it, a plane whose slope the photos tell."),
    ] = None,
    gsd: Annotated[
        float | None,
        typer.Option(min=0.005, max=10, help="Metres per pixel of the mosaic; default: as suits the photos."),
    ] = None,
    date: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day of the flight, where the photos do not tell it."),
    ] = None,
) -> None:
    """Place raw photos of a drone on the map and lay them into one mosaic.

    Each photo is placed by its satellite position, height and gimbal, then all together by what neighbouring photos
    show both and, with --reference, by what an earlier image of the area shows. Fly straight down (gimbal −90°), with
    neighbours overlapping by half or more; photos of several flights become several mosaics. Without a reference, a
    flight as a whole lies where the satellites say, some metres off. Hilly ground wants --elevation.

    Writes to the folder of --out: mosaic.tif (COG, to be given to `tuban scan` or `tuban ingest`), photos.geojson (the
    ground of each photo with its error), report.json and preview.png. A photo that cannot be placed is told with the
    reason and stops no other. The service needs no such step: `tuban ingest` and the page Images take photos as they
    are, and the newest fitting image that it has is their reference.

    Example: tuban place DCIM/100MEDIA --out flight --reference ortho_2023.tif

    Exit codes: 0 every photo was placed, 3 some were not or none could be, 2 wrong arguments, 5 the results cannot be
    written, 130 interrupted: nothing is written.
    """
    words = Console(highlight=False, soft_wrap=True)
    settings = drone_settings()
    brought = list_files(photos, BatchSettings().max_files)
    check_output(out, _results(1) if not out.is_dir() else _results(_flights_in(out)))
    scene = open_scene(reference) if reference else None
    try:
        placing = _Placing(settings, scene, elevation, gsd, dt.datetime.now(tz=dt.UTC).date())
        with _bars() as told:
            found = placing.read(brought, date and date.date(), told)
            flights = group_flights(found, settings) if found else []
            if not flights:
                raise ImageError(_none(placing))
            with atomic_folder(out, _results(max(len(flights), _flights_in(out)))) as folder:
                for number, flight in enumerate(flights, start=1):
                    placing.place(flight, number, len(flights), folder, told)
                if not placing.flights:
                    raise ImageError(_none(placing))
                _write(folder / "report.json", placing.record())
                _write(folder / "photos.geojson", {"type": "FeatureCollection", "features": placing.features})
    finally:
        if scene is not None:
            scene.close()
    _tell(words, placing, out)
    if placing.failed or any(feature["properties"]["outcome"] == "left out" for feature in placing.features):
        raise typer.Exit(SOME_FAILED)


def _flights_in(out: Path) -> int:
    """How many mosaics an earlier call has written there."""
    return max(1, sum(1 for _ in out.glob("mosaic*.tif"))) if out.is_dir() else 1


def _none(placing: _Placing) -> str:
    first = "; ".join(f"{failed['name']}: {failed['reason']}" for failed in placing.failed[:3])
    more = f" (and {len(placing.failed) - 3} more)" if len(placing.failed) > 3 else ""
    return f"No photo could be placed. {first}{more}"


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


@contextmanager
def _bars() -> Iterator[Told]:
    bars = Progress(
        TextColumn("{task.description:<26}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(),
        console=Console(stderr=True),
    )  # fmt: skip
    with bars:
        now: tuple[str, TaskID] | None = None

        def tell(part: str, done: float) -> None:
            nonlocal now
            if now is None or now[0] != part or done == 0:
                if now is not None:
                    bars.update(now[1], completed=1.0)
                now = part, bars.add_task(_LABELS.get(part, "Reading photos"), total=1.0)
            bars.update(now[1], completed=done)

        yield tell
        if now is not None:
            bars.update(now[1], completed=1.0)


def _tell(words: Console, placing: _Placing, out: Path) -> None:
    for flight in placing.flights:
        words.print(
            f"{out / flight['mosaic']}: {flight['width']:,} × {flight['height']:,} pixels of {flight['gsd_m']:.3g} m, "
            f"{flight['date'] or 'of unknown date'}; {flight['refined']} photos refined, {flight['coarse']} coarse, "
            f"{flight['left_out']} left out."
        )
        if flight["residual_m"] is not None:
            words.print(
                f"  Photos agree to {flight['residual_m']:.2f} m ({flight['residual_px']:.1f} px of a photo), "
                f"by their sensors alone to {flight['residual_by_sensors_m']:.2f} m."
            )
        for remark in flight["remarks"]:
            words.print(f"  {remark[0].upper()}{remark[1:]}.")
    for failed in placing.failed:
        words.print(f"{failed['name']}: {failed['reason']}", style="red", markup=False)
    for feature in placing.features:
        facts = feature["properties"]
        if facts["reason"]:
            words.print(f"{facts['name']}: {facts['reason']}", style="red", markup=False)
