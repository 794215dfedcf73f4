"""``tuban demo``: a scan and the service on a rendered scene with known truth, or a scan of your own images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.detection.demo_service import run_service
from cli.detection.scan import print_result, run_scan
from cli.language import headed, say, term
from errors import SettingsError
from training.sample.areas import write_sample_areas
from training.sample.scene import SAMPLE_SCENE, render_sample_scene
from training.sample.truth import TruthComparison, compare_with_truth


def _truth_table(comparison: TruthComparison) -> Table:
    table = headed("kind", "what", "m²", "found")
    table.title = say("True changes and whether they were found", "demo.truth")
    table.columns[2].justify = "right"
    yes, no = f"[green]{say('yes', 'cli.yes')}[/]", f"[red]{say('no', 'cli.no')}[/]"
    for change, found in comparison.truth:
        table.add_row(
            term("scan.kind.", change.kind), change.description, f"{change.area_m2:,.0f}", yes if found else no
        )
    return table


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the scene and the results.")] = Path("demo"),
    before: Annotated[Path | None, typer.Option(help="Your own earlier image; requires --after.")] = None,
    after: Annotated[Path | None, typer.Option(help="Your own later image; requires --before.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the pages; default: the first free one from 8000.")
    ] = None,
) -> None:
    """Demonstrate a scan and the service on a rendered scene with known truth, or scan your own images.

    Renders a village on two dates, scans it and compares the result with the truth. Then the service does the same: it
    ingests a batch, Celery workers run a nightly scan, and the alerts reach the enforcement queue. Finally the
    inspectors' pages show the alerts until Ctrl-C. With --before and --after, only your own images are scanned.

    Example: tuban demo --out demo
    """
    console = Console(highlight=False, soft_wrap=True)
    if (before is None) != (after is None):
        raise SettingsError("Give both --before and --after, or neither (make demo BEFORE=… AFTER=…).")
    out.mkdir(parents=True, exist_ok=True)
    if before is not None and after is not None:
        print_result(run_scan(before, after, out / "scan"), before, after, out / "scan")
        return
    spec = SAMPLE_SCENE
    text = f"Rendering a village on two dates ({spec.width} × {spec.height} px, {spec.gsd_m} m per pixel) …"
    given = {"width": spec.width, "height": spec.height, "gsd": spec.gsd_m}
    console.print(say(text, "demo.rendering", **given))
    earlier, later, truth = render_sample_scene(out / "scene")
    result = run_scan(earlier, later, out / "scan")
    comparison = compare_with_truth(result.changes, truth, result.details.settings.profile.min_area_m2)
    console.print(_truth_table(comparison))
    found, total = sum(found for _, found in comparison.truth), len(comparison.truth)
    false, polygons = comparison.false_alarms, len(result.changes)
    text = (
        f"Found {found} of {total} true changes above the minimum mapping unit; {false} of {polygons} polygons show no "
        "true change."
    )
    console.print(say(text, "demo.found", found=found, total=total, false=false, polygons=polygons))
    print_result(result, earlier, later, out / "scan")
    run_service(out, (earlier, later), write_sample_areas(out / "scene", spec, truth), port)
