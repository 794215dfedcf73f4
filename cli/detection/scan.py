"""``tuban scan``: compare two images and write the changes."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from json import loads
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import tuban
from cli.language import in_language, language, say
from cli.progress import scan_progress
from configs.texts import texts as scan_texts
from errors import SettingsError
from inference.outputs.wording import term
from inference.settings import AUTO
from model.calibration import OperatingPoint


class Runtime(StrEnum):
    """Inference runtime of the network."""

    openvino = "openvino"
    torch_cpu = "torch-cpu"
    torch_cuda = "torch-cuda"


class Point(StrEnum):
    """Operating point: which thresholds of the weights apply."""

    inspect = "inspect"
    all = "all"


Day = Annotated[
    dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Acquisition day, if the file does not contain it.")
]


def band_numbers(text: str | None) -> tuple[int, int, int] | None:
    """Parse the value of --bands: the band numbers of red, green and blue, from 1; None if it is None.

    Raises:
        SettingsError: the text is not three numbers.
    """
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdigit() for part in parts):
        raise SettingsError(f"--bands is {text!r}; expected the band numbers of red, green and blue, from 1: 3,2,1.")
    red, green, blue = (int(part) for part in parts)
    return red, green, blue


def run_scan(
    before: Path,
    after: Path,
    out: Path,
    *,
    profile: str = AUTO,
    gsd: float | None = None,
    bands: str | None = None,
    crs: str | None = None,
    dates: tuple[dt.date | None, dt.date | None] = (None, None),
    weights: str | None = None,
    weights_folder: Path | None = None,
    runtime: str | None = None,
    threads: int | None = None,
    block: int | None = None,
    operating_point: OperatingPoint | None = None,
    accuracy: float | None = None,
    search: float | None = None,
    rotation: float | None = None,
    probability: bool = False,
    config: Path = Path("profiles.yaml"),
) -> tuban.ScanResult:
    """Scan a pair of images and write the results to ``out``; arguments as of :func:`scan`."""
    tuban.check_output(out)
    rgb = band_numbers(bands)
    with (
        tuban.open_scene(before, gsd=gsd, bands=rgb, crs=crs, date=dates[0], config=config) as earlier,
        tuban.open_scene(after, gsd=gsd, bands=rgb, crs=crs, date=dates[1], config=config) as later,
        scan_progress() as progress,
    ):
        return tuban.scan_to_folder(
            earlier,
            later,
            out,
            weights=weights,
            profile=profile,
            weights_folder=weights_folder,
            runtime=runtime,
            threads=threads,
            block_px=block,
            operating_point=operating_point,
            position_accuracy_m=accuracy,
            search_m=search,
            max_rotation_deg=rotation,
            keep_probability=probability,
            config=config,
            progress=progress,
        )


def print_result(result: tuban.ScanResult, earlier: Path, later: Path, out: Path) -> None:
    """Print a summary of a scan and the path of its report."""
    details = result.details
    console = Console(highlight=False, soft_wrap=True)
    kinds = {"construction": "construction", "ground": "excavation and ground works", "demolition": "demolition"}
    chinese = language() == "zh"
    alignment = details.alignment
    if earlier.resolve() != later.resolve() and details.before.sha256 == details.after.sha256:
        message = "Note: both files have the same content, byte for byte. Check the file names."
        console.print(say(message, "cli.same_file"), style="yellow")
    for facts in (details.before, details.after):
        for remark in facts.remarks:
            console.print(f"{facts.name}: {in_language(remark)}.", style="yellow", markup=False)
    if not details.georeferenced:
        message = "The images have no coordinates: outlines are in pixels of the later image."
        console.print(say(message, "cli.no_coordinates"), style="yellow")
    if alignment.residual_px is not None:
        residual_m = alignment.residual_px * details.resolution_m
        message = (
            f"Registered to {alignment.residual_px:.2f} px ({residual_m:.2f} m), "
            f"before registration {alignment.residual_before_px:.2f} px; "
            f"confirmed by {alignment.windows_used} of {alignment.windows_tried} windows."
        )
        values: dict[str, Any] = {"pixels": alignment.residual_px, "metres": residual_m}
        values |= {"before": alignment.residual_before_px, "used": alignment.windows_used}
        console.print(say(message, "cli.registered", **values, tried=alignment.windows_tried))
        if alignment.displaced_px:
            console.print(
                "Parts of the earlier image are displaced against the rest and were registered by themselves, by "
                f"{', '.join(f'{length:.0f}' for length in alignment.displaced_px)} px.",
                style="yellow",
            )
        if alignment.method == "descriptors":
            console.print(
                "Edges have too little in common on the two dates: registered by learned descriptors, to a few pixels.",
                style="yellow",
            )
    elif alignment.reason:
        reason = in_language(alignment.reason)
        console.print(say(f"Registration: {reason}.", "cli.registration", reason=reason), style="yellow")
    uncompared = sum(details.not_compared_area_m2.values())
    compared = details.compared_area_m2 / 1e6
    message = f"Compared {compared:.3f} km² at {details.resolution_m:.3g} m per pixel"
    message = say(message, "cli.compared", area=compared, resolution=details.resolution_m)
    left_out = say(f"; {uncompared / 1e6:.3f} km² could not be compared.", "cli.left_out", area=uncompared / 1e6)
    console.print(message + (left_out if uncompared else "."))
    for reason, area in sorted(details.not_compared_area_m2.items(), key=lambda item: -item[1]):
        console.print(f"  {area / 1e6:.3f} km²: {term('not_compared', reason)[0 if chinese else 1]}.")
    if not result.changes:
        console.print(say("No change found in the compared area.", "cli.no_change"))
    for kind, label in kinds.items():
        changes = [change for change in result.changes if change.kind == kind]
        if changes:
            area = sum(change.area_m2 for change in changes)
            label = scan_texts(f"scan.kind.{kind}")[0] if chinese else label
            message = f"{len(changes):>4}  {label}: {area / 10_000 * 15:.1f} mu ({area:,.0f} m²)"
            values = {"count": len(changes), "label": label, "mu": area / 10_000 * 15, "area": area}
            console.print("  " + say(message, "cli.changes", **values))
    _print_times(console, out)
    report = out / "report.html"
    message = f"Suspected changes, to be checked on the ground: {report}"
    console.print(say(message, "cli.report", file=str(report)))


def _print_times(console: Console, out: Path) -> None:
    """Print the three stages of a scan that took most CPU time, from its record."""
    stages = loads((out / "scan.json").read_text(encoding="utf-8"))["stages"]
    largest = sorted(stages.items(), key=lambda item: -item[1]["cpu_s"])[:3]
    total = sum(stage["cpu_s"] for stage in stages.values())
    wall = sum(stage["wall_s"] for stage in stages.values() if not stage.get("side_thread"))
    chinese = language() == "zh"
    shares = ("、" if chinese else ", ").join(
        f"{term('stage', name)[0 if chinese else 1]} {stage['cpu_s']:.1f} s" for name, stage in largest
    )
    message = f"Took {wall:.1f} s ({total:.1f} s of CPU time, most of it in: {shares})."
    console.print(say(message, "cli.times", wall=wall, cpu=total, shares=shares), style="dim")


def scan(
    before: Annotated[Path, typer.Argument(help="The earlier image: GeoTIFF, JPEG, PNG, JPEG 2000 or WebP.")],
    after: Annotated[Path, typer.Argument(help="The later image of the same place.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the results; an earlier scan in it is replaced.")
    ],
    profile: Annotated[
        str, typer.Option(help="Imagery profile: drone, aerial, satellite or medium; auto chooses by resolution.")
    ] = AUTO,
    gsd: Annotated[
        float | None,
        typer.Option(help="Metres per pixel, for images without coordinates; outlines are then in pixels."),
    ] = None,
    bands: Annotated[
        str | None, typer.Option(help="Band numbers of red, green and blue, if not in the file: 3,2,1.")
    ] = None,
    crs: Annotated[
        str | None, typer.Option(help="Coordinate system of images whose files do not name it: EPSG:4547.")
    ] = None,
    before_date: Day = None,
    after_date: Day = None,
    json: Annotated[bool, typer.Option("--json", help="Print scan.json on standard output.")] = False,
    probability: Annotated[bool, typer.Option("--probability", help="Also write probability.tif (COG).")] = False,
    weights: Annotated[
        str | None, typer.Option(help="Name of the network weights: accurate (default) or fast.")
    ] = None,
    weights_folder: Annotated[Path | None, typer.Option(help="Folder with your own weights.")] = None,
    runtime: Annotated[
        Runtime | None, typer.Option(help="Inference runtime; default: the fastest on this machine.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Number of threads; default: all cores.")] = None,
    block: Annotated[
        int | None, typer.Option(min=64, help="Block size in pixels; smaller blocks need less memory.")
    ] = None,
    operating_point: Annotated[
        Point | None,
        typer.Option(help="Thresholds of the weights: inspect (few false alarms) or all (finds more)."),
    ] = None,
    accuracy: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="Known accuracy of the coordinates of both images towards each other, metres. A pair that cannot be "
            "registered is then compared as georeferenced, with a lower confidence.",
        ),
    ] = None,
    search: Annotated[
        float | None,
        typer.Option(min=1.0, help="Largest offset between the images, metres (drones without RTK, old datums: 100)."),
    ] = None,
    rotation: Annotated[
        float | None, typer.Option(min=0.0, max=15.0, help="Largest rotation between the images, degrees.")
    ] = None,
    config: Annotated[Path, typer.Option(help="Settings file with the profiles; default: the shipped one.")] = Path(
        "profiles.yaml"
    ),
) -> None:
    """Compare two dates of one place and write what changed.

    The images may differ in resolution, grid, coordinate system and brightness: they are registered to each other
    first. Writes report.html, changes.geojson, changes.gpkg, thumbnails/ and scan.json to the folder --out.

    Example: tuban scan village_2023.tif village_2024.tif --out results

    Exit codes: 0 compared, 2 wrong arguments, 3 an image cannot be used, 4 the images cannot be compared,
    5 the results cannot be written, 6 the weights cannot be used, 130 interrupted.
    """
    result = run_scan(
        before,
        after,
        out,
        profile=profile,
        gsd=gsd,
        bands=bands,
        crs=crs,
        dates=(before_date and before_date.date(), after_date and after_date.date()),
        weights=weights,
        weights_folder=weights_folder,
        runtime=runtime and runtime.value,
        threads=threads,
        block=block,
        operating_point=None if operating_point is None else operating_point.value,
        accuracy=accuracy,
        search=search,
        rotation=rotation,
        probability=probability,
        config=config,
    )
    if json:
        typer.echo((out / "scan.json").read_text(encoding="utf-8"), nl=False)
    else:
        print_result(result, before, after, out)
