"""``tuban evaluate``: measure the accuracy of a detector on a folder of labelled pairs."""

from __future__ import annotations

import json as strict_json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.detection.scan import Point
from cli.progress import scan_progress
from errors import OutputError

if TYPE_CHECKING:
    from training.evaluation.evaluate import Evaluation


class Question(StrEnum):
    """Meaning of a changed pixel of the labels."""

    building = "building"
    ground = "ground"
    any = "any"


def _number(value: float | None, spec: str = ".3f") -> str:
    """Format a number; None as a dash."""
    return "–" if value is None else format(value, spec)


def _table(heading: str, names: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(title=heading, title_justify="left")
    for number, name in enumerate(names):
        table.add_column(name, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _object_rows(objects: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for iou, figures in objects.items():
        for name, counted in {"all": figures, **(figures["by_area_m2"] or {})}.items():
            scores = (_number(counted[key]) for key in ("precision", "recall", "f1"))
            label = iou.replace("iou_", "IoU ≥ ") + (", all" if name == "all" else f", {name} m²")
            rows.append((label, str(counted["true"]), str(counted["found"]), *scores))
    return rows


def _curve_rows(curves: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for key, name in (("px", "shift"), ("gamma", "gamma"), ("sigma_px", "blur"), ("scale", "scale")):
        for point in curves[name]:
            aligned = _number(point["f1_aligned"]) if "f1_aligned" in point else ""
            rows.append(
                (f"{name} {point[key]:g}{' px' if name in ('shift', 'blur') else ''}", _number(point["f1"]), aligned)
            )
    rows.append(("dates swapped", _number(curves["swapped"]["f1"]), ""))
    return rows


def _resolution_table(evaluation: Evaluation) -> Table:
    """Return the table of the images reduced to coarser resolutions."""
    heads = (
        "m per pixel",
        "precision",
        "recall",
        "F1",
        "false alarms per km²",
        "mu found",
        "mu false",
        "calibration error",
    )
    rows = [
        (
            f"{one['gsd_m']:g}",
            *(_number(one["pixel"][key]) for key in ("precision", "recall", "f1")),
            _number(one["false_alarms_per_km2"], ".1f"),
            _number(one["areas_mu"]["found"], ".1f"),
            _number(one["areas_mu"]["falsely_reported"], ".1f"),
            _number(one["expected_calibration_error"]),
        )
        for one in evaluation.by_resolution
    ]
    return _table("Reduced to coarser resolutions", heads, rows)


def print_evaluation(evaluation: Evaluation) -> None:
    """Print an evaluation as tables, followed by its protocol."""
    console = Console(highlight=False, soft_wrap=True)
    protocol, pixel = evaluation.protocol, evaluation.pixel
    scores = tuple(_number(pixel[key]) for key in ("precision", "recall", "f1", "iou"))
    console.print(
        _table(
            f"Pixels of {evaluation.pairs} pairs, question {protocol['question']}",
            ("", "precision", "recall", "F1", "IoU"),
            [("all pixels", *scores)],
        )
    )
    heads = ("objects", "true", "found", "precision", "recall", "F1")
    console.print(_table("Objects", heads, _object_rows(evaluation.objects)))
    console.print(
        f"False alarms: {_number(evaluation.false_alarms_per_km2, '.1f')} per km², "
        f"{_number(evaluation.false_alarms_per_megapixel, '.1f')} per million unchanged pixels. "
        f"Expected calibration error {evaluation.calibration['expected_calibration_error']:.3f}."
    )
    if evaluation.areas_mu is not None:
        areas = evaluation.areas_mu
        console.print(
            f"Area: {areas['changed']:,.1f} mu changed, {areas['found']:,.1f} mu of it found, "
            f"{areas['falsely_reported']:,.1f} mu falsely reported."
        )
    if evaluation.by_resolution:
        console.print(_resolution_table(evaluation))
    if evaluation.restyled is not None:
        restyled = evaluation.restyled
        console.print(
            f"Restyled copies of {restyled['images']} images: "
            f"{_number(restyled['false_alarms_per_km2'], '.1f')} false alarms per km², "
            f"{_number(restyled['false_alarms_per_megapixel'], '.1f')} per million pixels, "
            f"{restyled['share_above_threshold']:.3%} of the pixels above the threshold."
        )
    if evaluation.robustness is not None:
        heading = f"Pixel F1 of {evaluation.robustness['pairs']} pairs"
        console.print(_table(heading, ("", "F1", "F1 registered"), _curve_rows(evaluation.robustness)))
    _print_protocol(console, protocol)
    for name in protocol.get("pictures", ()):
        console.print(f"Picture: {name}", markup=False)
    if evaluation.failed:
        console.print(f"{len(evaluation.failed)} pairs could not be evaluated:", style="yellow")
        for failed in evaluation.failed:
            console.print(f"  {failed.pair}: {failed.reason}", style="yellow", markup=False)


def _print_protocol(console: Console, protocol: dict[str, Any]) -> None:
    weights, alignment = protocol["weights"], protocol["alignment"]
    console.print(
        f"Weights {weights['name']} ({protocol['network']}, sha256 {weights['sha256'][:12]}…), {protocol['runtime']} "
        f"{protocol['precision']}, threshold {protocol['threshold']:g} from training data."
    )
    if protocol["gsd_m"] is None:
        console.print(
            "Ground sample distance unknown (--gsd): images are compared at their own resolution, small objects are "
            "kept, and there are no figures in m² or km².",
            style="yellow",
        )
    else:
        smallest = ", ".join(f"{kind} {area:g}" for kind, area in protocol["minimum_area_m2"].items())
        console.print(
            f"{protocol['gsd_m']:g} m per pixel ({protocol['gsd_source']}), compared at "
            f"{protocol['detection_gsd_m']:g} m, profile {protocol['profile']}; found objects below the "
            f"minimum mapping unit are dropped (m²: {smallest})."
        )
    if alignment["asked"]:
        console.print(
            f"Registered {alignment['registered']} pairs; not registrable and "
            f"{'counted as missed' if alignment['refused_missed'] else 'compared as they are'}: "
            f"{len(alignment['refused'])}."
        )
    else:
        console.print("Not registered: pairs are compared as they are (--align or --register registers them).")
    sizes = ", ".join(f"{count} of {size}" for size, count in list(protocol["sizes"].items())[:4])
    more = len(protocol["sizes"]) - 4
    console.print(
        f"Images: {sizes}{f' and {more} more sizes' if more > 0 else ''} px. --json prints the complete protocol."
    )
    if protocol["labels_in_doubt"]:
        console.print(
            f"{len(protocol['labels_in_doubt'])} labels have values but none above 127; expected 255 or 1 for changed: "
            f"{', '.join(protocol['labels_in_doubt'][:5])}",
            style="yellow",
            markup=False,
        )


def evaluate(
    folder: Annotated[
        Path, typer.Argument(help="Folder with A (earlier), B (later) and label (mask); same file stems in each.")
    ],
    question: Annotated[
        Question | None, typer.Option(help="Meaning of a changed pixel; default: from the manifest, else building.")
    ] = None,
    gsd: Annotated[
        float | None,
        typer.Option(help="Metres per pixel; pairs are resampled as in a scan, and areas are reported."),
    ] = None,
    also_at: Annotated[
        list[float] | None,
        typer.Option(help="Coarser resolution in metres per pixel to measure at as well. May be repeated."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Name of the network weights: accurate (default) or fast.")
    ] = None,
    weights_folder: Annotated[Path | None, typer.Option(help="Folder with your own weights.")] = None,
    operating_point: Annotated[
        Point | None, typer.Option(help="Thresholds of the weights: inspect (few false alarms) or all (finds more).")
    ] = None,
    align: Annotated[
        bool, typer.Option("--align/--no-align", help="First register the earlier image to the later one.")
    ] = False,
    register: Annotated[
        bool, typer.Option("--register", help="Likewise, but pairs that cannot be registered count as missed.")
    ] = False,
    robustness: Annotated[
        bool,
        typer.Option("--robustness", help="Also measure F1 under shift, gamma, blur, scale and swapped dates (slow)."),
    ] = False,
    restyled: Annotated[
        bool, typer.Option("--restyled", help="Also count false alarms of each image against a restyled copy.")
    ] = False,
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="Folder for pictures of the best, typical and worst pair, and the one with most false alarms."
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Maximum number of pairs, evenly chosen; default: all, for --robustness 20."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else.")
    ] = False,
) -> None:
    """Measure the accuracy of a detector on labelled pairs: A/ B/ label/ with images of any size and format.

    Labels: 255 (or 1) means changed. A manifest.yaml in the folder may give question, gsd_m, weight and terms. Scores
    are computed at the threshold of the weights, over all pixels of the folder and per object, with false alarms per
    km² of unchanged ground. A pair that cannot be read is listed and does not stop the others.

    Example: tuban evaluate pairs/ --question building --gsd 0.5 --pictures looks

    Exit codes: 0 evaluated, 2 wrong arguments or layout, 3 no pair could be evaluated, 5 the pictures cannot be
    written, 6 the weights cannot be used, 130 interrupted.
    """
    from inference.settings import read_config
    from model.detector import Detector
    from model.weights import FOLDER
    from training.evaluation.evaluate import evaluate_folder
    from training.evaluation.pair_listing import list_pairs

    if pictures is not None and pictures.exists() and not pictures.is_dir():
        raise OutputError(f"The pictures cannot be written to {pictures}: it is a file; expected a folder.")
    list_pairs(folder)  # report a wrong folder before loading the weights
    config = read_config()
    detector = Detector(weights or config.weights, folder=weights_folder or FOLDER)
    with scan_progress() as progress:
        evaluation = evaluate_folder(
            folder,
            detector,
            question=None if question is None else question.value,
            gsd_m=gsd,
            align=align,
            register=register,
            limit=limit,
            robustness=robustness,
            restyled=restyled,
            pictures=pictures,
            config=config,
            also_at_m=also_at or (),
            operating_point=None if operating_point is None else operating_point.value,
            progress=progress,
        )
    if json:
        typer.echo(strict_json.dumps(evaluation.as_json(), ensure_ascii=False, allow_nan=False, indent=2))
    else:
        print_evaluation(evaluation)
