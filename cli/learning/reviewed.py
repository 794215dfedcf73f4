"""``tuban reviewed``: turn confirmed and rejected alerts into labelled pairs for training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.detection.scan import band_numbers
from cli.language import say
from cli.progress import scan_progress
from errors import SettingsError
from imagery import open_scene
from inference.outputs.scan_folder import ScanFolder, check_grid, check_images, read_scan_folder
from inference.scan_plan import coregister
from inference.settings import read_config
from training.reviews.labelled_pairs import ReviewedAlert, WindowTally, check_output_folder, write_labelled_pairs
from training.reviews.verdicts import read_verdicts


def _reviewed_alerts(scan: ScanFolder, verdicts: dict[int, bool], source: Path) -> list[ReviewedAlert]:
    """Join the changes of a scan with their verdicts.

    Raises:
        SettingsError: a verdict has a number that the scan does not have.
    """
    unknown = sorted(set(verdicts) - {change.number for change in scan.changes})
    if unknown:
        numbers = [change.number for change in scan.changes]
        available = f"has {len(numbers)}, numbered {min(numbers)} to {max(numbers)}" if numbers else "has none"
        listed = ", ".join(map(str, unknown[:8])) + (", …" if len(unknown) > 8 else "")
        raise SettingsError(
            f"{source} contains number {listed}, which the scan in {scan.path} does not have: it {available}. "
            "Give the verdicts of this scan."
        )
    return [
        ReviewedAlert(change.number, change.kind, change.polygon, verdicts[change.number])
        for change in scan.changes
        if change.number in verdicts
    ]


def run_reviewed(
    before: Path, after: Path, results: Path, verdicts: Path, out: Path, bands: str | None = None
) -> tuple[ScanFolder, dict[str, WindowTally]]:
    """Write the reviewed alerts of a scan to ``out``; arguments as of :func:`reviewed`."""
    check_output_folder(out)
    scan = read_scan_folder(results)
    alerts = _reviewed_alerts(scan, read_verdicts(verdicts), verdicts)
    rgb = band_numbers(bands)
    # open the images as the scan did: same overviews, and its options for missing metadata
    finest = min(profile.resolution_m for profile in read_config().profiles.values())
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
    before: Annotated[Path, typer.Argument(help="Earlier image of the scan.")],
    after: Annotated[Path, typer.Argument(help="Later image of the scan.")],
    results: Annotated[Path, typer.Option(help="Output folder of `tuban scan` for these images.")],
    verdicts: Annotated[Path, typer.Option(help="CSV with the columns number and verdict (true or false).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the labelled pairs.")],
    bands: Annotated[str | None, typer.Option(help="Value of --bands of the scan, if it was given: 3,2,1.")] = None,
) -> None:
    """Turn reviewed alerts into training data: confirmed ones become changes, rejected ones hard negatives.

    Review report.html, enter number and verdict of each alert into a spreadsheet and save it as CSV. A verdict is true,
    confirmed, yes, 1 or 是; or, if nothing changed, false, rejected, no, 0 or 否. Leave it empty if the image does not
    show it clearly, or if the change is not of the alert's kind: such alerts are excluded.

    Example: tuban reviewed 2023.tif 2024.tif --results results --verdicts verdicts.csv --out reviewed/2026-11

    Next step: tuban train configs/training/own.yaml --reviews reviewed/2026-11

    Exit codes: 0 written, 2 wrong arguments or verdicts, 3 an image cannot be used, 4 the images cannot be compared,
    5 the folder cannot be written, 130 interrupted.
    """
    scan, tallies = run_reviewed(before, after, results, verdicts, out, bands)
    console = Console(highlight=False, soft_wrap=True)
    for question, tally in tallies.items():
        confirmed, rejected = len(tally.confirmed), len(tally.rejected)
        text = f"  {question:<9} {confirmed:>4} confirmed  {rejected:>4} rejected"
        console.print(say(text, "cli.reviewed_tally", question=question, confirmed=confirmed, rejected=rejected))
    written = {number for tally in tallies.values() for number in tally.confirmed | tally.rejected}
    total = len(scan.changes)
    text = f"{len(written)} of {total} alerts were written to {out}; rejected ones count for both questions."
    console.print(say(text, "cli.reviewed_written", written=len(written), total=total, out=str(out)), markup=False)
