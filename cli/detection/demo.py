"""``tuban demo``: the main job on a rendered scene with known truth, or on one's own images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.detection.demo_service import run_service
from cli.detection.scan import print_result, run_scan
from errors import SettingsError
from training.sample.areas import write_sample_areas
from training.sample.scene import SAMPLE_SCENE, render_sample_scene
from training.sample.truth import TruthComparison, compare_with_truth


def _table(compared: TruthComparison) -> Table:
    table = Table(title="What is truly there, and what was found")
    for heading in ("kind", "what", "area m²", "found"):
        table.add_column(heading, justify="right" if heading == "area m²" else "left")
    for change, found in compared.truth:
        table.add_row(change.kind, change.description, f"{change.area_m2:,.0f}", "[green]yes[/]" if found else "[red]no[/]")
    return table


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for scene and results.")] = Path("demo"),
    before: Annotated[Path | None, typer.Option(help="Your own earlier image.")] = None,
    after: Annotated[Path | None, typer.Option(help="Your own later image.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Of the pages; default: 8000 or the next.")] = None,
) -> None:
    """Do the main job on a rendered scene with known truth, or on your own images.

    Renders a village on two dates, scans it and tells what was found against what is truly there; then does the same
    by the service: a batch is ingested, Celery workers scan a night, and the alerts reach the enforcement queue. In the
    end the inspectors' pages show the alerts, until Ctrl-C.
    """
    words = Console(highlight=False, soft_wrap=True)
    if (before is None) != (after is None):
        raise SettingsError("Give both of your images or none: --before and --after (make demo BEFORE=… AFTER=…).")
    out.mkdir(parents=True, exist_ok=True)
    if before is not None and after is not None:
        print_result(run_scan(before, after, out / "scan"), before, after, out / "scan")
        return
    spec = SAMPLE_SCENE
    words.print(f"Rendering a village on two dates ({spec.width} × {spec.height} px, {spec.gsd_m} m per pixel) …")
    earlier, later, truth = render_sample_scene(out / "scene")
    result = run_scan(earlier, later, out / "scan")
    compared = compare_with_truth(result.changes, truth, result.details.settings.profile.min_area_m2)
    words.print(_table(compared))
    words.print(
        f"Found {sum(found for _, found in compared.truth)} of {len(compared.truth)} true changes above the minimum "
        f"mapping unit; {compared.false_alarms} of {len(result.changes)} polygons show no true change."
    )
    print_result(result, earlier, later, out / "scan")
    run_service(out, (earlier, later), write_sample_areas(out / "scene", spec, truth), port)
