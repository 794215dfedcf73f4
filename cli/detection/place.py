"""``tuban place``: orient raw drone photos and build a georeferenced mosaic of each flight."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cli.detection.flight_mosaics import FlightMosaics, existing_flights, output_layout
from cli.detection.flight_mosaics import Progress as ProgressCallback
from cli.exit_codes import SOME_FAILED
from cli.language import in_language, say
from configs.service import BatchSettings
from errors import ImageError
from imagery import open_scene
from imagery.drone.flights import group_flights
from imagery.drone.settings import drone_settings
from inference.outputs.output_folder import atomic_folder, check_output
from service.file_discovery import list_files

_LABELS = {
    "features": "Finding features",
    "match": "Matching neighbours",
    "reference": "Matching the reference",
    "seams": "Computing seamlines",
    "mosaic": "Writing the mosaic",
}


def place(
    photos: Annotated[list[Path], typer.Argument(help="Photos as the drone wrote them, and folders of photos.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the results; earlier results in it are replaced.")
    ],
    reference: Annotated[
        Path | None, typer.Option(help="An earlier georeferenced image of the area; the photos are matched with it.")
    ] = None,
    elevation: Annotated[
        Path | None,
        typer.Option(
            help="Elevation model of the ground (GeoTIFF); default: a plane with a slope estimated from the photos."
        ),
    ] = None,
    gsd: Annotated[
        float | None,
        typer.Option(min=0.005, max=10, help="Metres per pixel of the mosaic; default: from the photos."),
    ] = None,
    date: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day of the flight, if the photos do not contain it."),
    ] = None,
) -> None:
    """Orient raw drone photos and build a georeferenced mosaic of each flight.

    Initial poses come from satellite position, height and gimbal of each photo. A bundle adjustment then refines them
    with tie points between neighbouring photos and, with --reference, with an earlier image of the area. Fly straight
    down (gimbal −90°) with an overlap of half or more. Without a reference, a whole flight keeps the error of its
    satellite positions, some metres. On hilly ground, give --elevation.

    Writes to the folder --out: mosaic.tif (COG, input of `tuban scan` and `tuban ingest`), photos.geojson (footprint
    and error of each photo), report.json and preview.png; with several flights, one mosaic each. A photo that cannot
    be placed is reported with the reason and does not stop the others. The service does not need this step:
    `tuban ingest` and the page Images accept raw photos and use the newest matching image as reference.

    Example: tuban place DCIM/100MEDIA --out flight --reference ortho_2023.tif

    Exit codes: 0 every photo was placed, 2 wrong arguments, 3 some or all photos could not be placed, 5 the results
    cannot be written, 130 interrupted: nothing is written.
    """
    console = Console(highlight=False, soft_wrap=True)
    settings = drone_settings()
    files = list_files(photos, BatchSettings().max_files)
    check_output(out, output_layout(existing_flights(out)))
    scene = open_scene(reference) if reference else None
    try:
        mosaics = FlightMosaics(settings, scene, elevation, gsd, dt.datetime.now(tz=dt.UTC).date())
        with _progress_bars() as progress:
            usable = mosaics.read(files, date and date.date(), progress)
            flights = group_flights(usable, settings) if usable else []
            if not flights:
                raise ImageError(_none_placed(mosaics))
            with atomic_folder(out, output_layout(max(len(flights), existing_flights(out)))) as folder:
                for number, flight in enumerate(flights, start=1):
                    mosaics.place(flight, number, len(flights), folder, progress)
                if not mosaics.flights:
                    raise ImageError(_none_placed(mosaics))
                _write_json(folder / "report.json", mosaics.record())
                _write_json(folder / "photos.geojson", {"type": "FeatureCollection", "features": mosaics.features})
    finally:
        if scene is not None:
            scene.close()
    _print_summary(console, mosaics, out)
    if mosaics.failed or any(feature["properties"]["outcome"] == "left out" for feature in mosaics.features):
        raise typer.Exit(SOME_FAILED)


def _none_placed(mosaics: FlightMosaics) -> str:
    first = "; ".join(f"{failed['name']}: {failed['reason']}" for failed in mosaics.failed[:3])
    more = f" (and {len(mosaics.failed) - 3} more)" if len(mosaics.failed) > 3 else ""
    return f"No photo could be placed. {first}{more}"


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


@contextmanager
def _progress_bars() -> Iterator[ProgressCallback]:
    bars = Progress(
        TextColumn("{task.description:<26}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(),
        console=Console(stderr=True), disable=not sys.stderr.isatty(),
    )  # fmt: skip
    with bars:
        current: tuple[str, TaskID] | None = None

        def update(step: str, done: float) -> None:
            nonlocal current
            if current is None or current[0] != step or done == 0:
                if current is not None:
                    bars.update(current[1], completed=1.0)
                current = step, bars.add_task(_LABELS.get(step, "Reading photos"), total=1.0)
            bars.update(current[1], completed=done)

        yield update
        if current is not None:
            bars.update(current[1], completed=1.0)


def _print_summary(console: Console, mosaics: FlightMosaics, out: Path) -> None:
    for flight in mosaics.flights:
        path, size = out / flight["mosaic"], f"{flight['width']:,} × {flight['height']:,}"
        day = flight["date"] or say("unknown date", "cli.place_no_date")
        text = (
            f"{path}: {size} pixels of {flight['gsd_m']:.3g} m, {day}; {flight['refined']} photos refined, "
            f"{flight['coarse']} coarse, {flight['left_out']} left out."
        )
        counts = {"refined": flight["refined"], "coarse": flight["coarse"], "left": flight["left_out"]}
        gsd = f"{flight['gsd_m']:.3g}"
        console.print(say(text, "cli.place_mosaic", path=str(path), size=size, gsd=gsd, day=day, **counts))
        if flight["residual_m"] is not None:
            metres, pixels = f"{flight['residual_m']:.2f}", f"{flight['residual_px']:.1f}"
            sensors = f"{flight['residual_by_sensors_m']:.2f}"
            text = f"Residual of tie points {metres} m ({pixels} px of a photo), with sensor poses alone {sensors} m."
            values = {"metres": metres, "pixels": pixels, "sensors": sensors}
            console.print("  " + say(text, "cli.place_residual", **values))
        for remark in flight["remarks"]:
            words = in_language(remark)
            console.print(f"  {words[0].upper()}{words[1:]}{say('.', 'cli.full_stop')}")
    for failed in mosaics.failed:
        console.print(f"{failed['name']}: {in_language(failed['reason'])}", style="red", markup=False)
    for feature in mosaics.features:
        photo = feature["properties"]
        if photo["reason"]:
            console.print(f"{photo['name']}: {in_language(photo['reason'])}", style="red", markup=False)
