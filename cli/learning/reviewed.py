"""``tuban reviewed``: alerts that a person confirmed or rejected → labelled pairs to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.detection.progress import scan_progress
from cli.detection.scan import band_numbers
from errors import SettingsError
from imagery import open_scene
from inference.outputs.scan_folder import ScanFolder, check_grid, check_images, read_scan_folder
from inference.scan_plan import coregister
from inference.settings import read_config
from training.reviews.labelled_pairs import ReviewedAlert, WindowTally, check_output_folder, write_labelled_pairs
from training.reviews.verdicts import read_verdicts


def _reviewed(scan: ScanFolder, verdicts: dict[int, bool], source: Path) -> list[ReviewedAlert]:
    unknown = sorted(set(verdicts) - {change.number for change in scan.changes})
    if unknown:
        numbers = [change.number for change in scan.changes]
        having = f"has {len(numbers)}, numbered {min(numbers)} to {max(numbers)}" if numbers else "has none"
        listed = ", ".join(map(str, unknown[:8])) + (", …" if len(unknown) > 8 else "")
        raise SettingsError(
            f"{source} speaks of number {listed}, which the scan in {scan.path} does not have: it {having}. "
            "Are they the verdicts of another scan?"
        )
    return [
        ReviewedAlert(change.number, change.kind, change.polygon, verdicts[change.number])
        for change in scan.changes
        if change.number in verdicts
    ]


def run_reviewed(
    before: Path, after: Path, results: Path, verdicts: Path, out: Path, bands: str | None = None
) -> tuple[ScanFolder, dict[str, WindowTally]]:
    """Write the reviewed alerts of a scan to ``out``; see :func:`reviewed` for the arguments."""
    check_output_folder(out)
    scan = read_scan_folder(results)
    alerts = _reviewed(scan, read_verdicts(verdicts), verdicts)
    rgb = band_numbers(bands)
    # as the scan opened them: the same overviews, and what it was told about images that do not tell
    finest = min(known.resolution_m for known in read_config().profiles.values())
    with (
        open_scene(
            before, gsd=scan.before.gsd_m, bands=rgb, crs=scan.before.crs, date=scan.before.date, resolution=finest
        ) as earlier,
        open_scene(
            after, gsd=scan.after.gsd_m, bands=rgb, crs=scan.after.crs, date=scan.after.date, resolution=finest
        ) as later,
    ):
        check_images(scan, earlier, later)
        with scan_progress() as progress:
            reader = coregister(earlier, later, scan.settings, progress)
            check_grid(scan, reader.pair.grid)
            tallies = write_labelled_pairs(reader, alerts, out, lambda done: progress("Cutting out the alerts", done))
    return scan, tallies


def reviewed(
    before: Annotated[Path, typer.Argument(help="The earlier image that was scanned.")],
    after: Annotated[Path, typer.Argument(help="The later image that was scanned.")],
    results: Annotated[Path, typer.Option(help="Folder that tuban scan wrote for these images.")],
    verdicts: Annotated[Path, typer.Option(help="CSV with the columns number and verdict (true or false).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the labelled pairs.")],
    bands: Annotated[str | None, typer.Option(help="As given to tuban scan, if it was given: 3,2,1.")] = None,
) -> None:
    """Turn reviewed alerts into data to train on: confirmed ones are changes, rejected ones are hard negatives.

    Go through report.html, write a spreadsheet with the columns number and verdict, and save it as CSV. A verdict is
    true, confirmed, yes, 1 or 是, or, where nothing changed, false, rejected, no, 0 or 否. Leave it empty where it
    cannot be told, or where something changed but not what the alert's kind says: such alerts are left out.

    Example: tuban reviewed 2023.tif 2024.tif --results results --verdicts verdicts.csv --out reviewed/2026-11

    Then: tuban train configs/training/own.yaml --reviews reviewed/2026-11

    Exit codes: 0 written, 2 wrong arguments or verdicts, 3 an image cannot be used, 4 the images cannot be compared,
    5 the folder cannot be written, 130 interrupted.
    """
    scan, tallies = run_reviewed(before, after, results, verdicts, out, bands)
    words = Console(highlight=False, soft_wrap=True)
    for question, tally in tallies.items():
        words.print(f"  {question:<9} {len(tally.confirmed):>4} confirmed  {len(tally.rejected):>4} rejected")
    written = {number for tally in tallies.values() for number in tally.confirmed | tally.rejected}
    words.print(
        f"{len(written)} of {len(scan.changes)} alerts are in {out}; a rejected one answers both questions.",
        markup=False,
    )
