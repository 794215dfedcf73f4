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
from cli.language import head, in_language, say
from cli.progress import scan_progress
from errors import OutputError

if TYPE_CHECKING:
    from training.evaluation.evaluate import Evaluation


class Question(StrEnum):
    """Meaning of a changed pixel of the labels."""

    building = "building"
    ground = "ground"
    any = "any"


OBJECT_HEADS = ("of size", "true", "found", "precision", "recall", "F1")
RESOLUTION_HEADS = (
    "m per pixel",
    "precision",
    "recall",
    "F1",
    "false alarms per km²",
    "mu found",
    "mu false",
    "calibration error",
)
ROBUSTNESS_HEADS = ("", "F1", "F1 registered")


def _number(value: float | None, spec: str = ".3f") -> str:
    """Format a number; None as a dash."""
    return "–" if value is None else format(value, spec)


def _table(heading: str, names: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(title=heading, title_justify="left")
    for number, name in enumerate(names):
        table.add_column(head(name), justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _object_rows(objects: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for iou, figures in objects.items():
        for name, counted in {"all": figures, **(figures["by_area_m2"] or {})}.items():
            scores = (_number(counted[key]) for key in ("precision", "recall", "f1"))
            size = say("all", "cli.all") if name == "all" else f"{name} m²"
            label = f"{iou.replace('iou_', 'IoU ≥ ')}, {size}"
            rows.append((label, str(counted["true"]), str(counted["found"]), *scores))
    return rows


def _curve_rows(curves: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for key, name in (("px", "shift"), ("gamma", "gamma"), ("sigma_px", "blur"), ("scale", "scale")):
        for point in curves[name]:
            aligned = _number(point["f1_aligned"]) if "f1_aligned" in point else ""
            label = f"{say(name, f'evaluate.{name}')} {point[key]:g}{' px' if name in ('shift', 'blur') else ''}"
            rows.append((label, _number(point["f1"]), aligned))
    rows.append((say("dates swapped", "evaluate.swapped"), _number(curves["swapped"]["f1"]), ""))
    return rows


def _resolution_table(evaluation: Evaluation) -> Table:
    """Return the table of the images reduced to coarser resolutions."""
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
    return _table(say("Reduced to coarser resolutions", "evaluate.coarser"), RESOLUTION_HEADS, rows)


def print_evaluation(evaluation: Evaluation) -> None:
    """Print an evaluation as tables, followed by its protocol."""
    console = Console(highlight=False, soft_wrap=True)
    protocol, pixel = evaluation.protocol, evaluation.pixel
    scores = tuple(_number(pixel[key]) for key in ("precision", "recall", "f1", "iou"))
    question = say(protocol["question"], f"evaluate.question_{protocol['question']}")
    text = f"Pixels of {evaluation.pairs} pairs, question {question}"
    heading = say(text, "evaluate.pixels", pairs=evaluation.pairs, question=question)
    all_pixels = (say("all pixels", "evaluate.all_pixels"), *scores)
    console.print(_table(heading, ("", "precision", "recall", "F1", "IoU"), [all_pixels]))
    console.print(_table(say("Objects", "evaluate.objects"), OBJECT_HEADS, _object_rows(evaluation.objects)))
    alarms = _number(evaluation.false_alarms_per_km2, ".1f")
    per_million = _number(evaluation.false_alarms_per_megapixel, ".1f")
    error = _number(evaluation.calibration["expected_calibration_error"])
    text = (
        f"False alarms: {alarms} per km², {per_million} per million unchanged pixels. "
        f"Expected calibration error {error}."
    )
    console.print(say(text, "evaluate.alarms", alarms=alarms, per_million=per_million, error=error))
    if evaluation.areas_mu is not None:
        changed, found, false = (f"{evaluation.areas_mu[key]:,.1f}" for key in ("changed", "found", "falsely_reported"))
        text = f"Area: {changed} mu changed, {found} mu of it found, {false} mu falsely reported."
        console.print(say(text, "evaluate.areas", changed=changed, found=found, false=false))
    if evaluation.by_resolution:
        console.print(_resolution_table(evaluation))
    if evaluation.restyled is not None:
        restyled = evaluation.restyled
        alarms = _number(restyled["false_alarms_per_km2"], ".1f")
        per_million = _number(restyled["false_alarms_per_megapixel"], ".1f")
        images, share = restyled["images"], f"{restyled['share_above_threshold']:.3%}"
        text = (
            f"Restyled copies of {images} images: {alarms} false alarms per km², {per_million} per million pixels, "
            f"{share} of the pixels above the threshold."
        )
        given = {"images": images, "alarms": alarms, "per_million": per_million, "share": share}
        console.print(say(text, "evaluate.restyled", **given))
    if evaluation.robustness is not None:
        pairs = evaluation.robustness["pairs"]
        heading = say(f"Pixel F1 of {pairs} pairs", "evaluate.robustness", pairs=pairs)
        console.print(_table(heading, ROBUSTNESS_HEADS, _curve_rows(evaluation.robustness)))
    _print_protocol(console, protocol)
    for name in protocol.get("pictures", ()):
        console.print(say(f"Picture: {name}", "evaluate.picture", name=name), markup=False)
    if evaluation.failed:
        count = len(evaluation.failed)
        console.print(say(f"{count} pairs could not be evaluated:", "evaluate.failed", count=count), style="yellow")
        for failed in evaluation.failed:
            console.print(f"  {failed.pair}: {in_language(failed.reason)}", style="yellow", markup=False)


def _print_protocol(console: Console, protocol: dict[str, Any]) -> None:
    weights = protocol["weights"]
    given: dict[str, Any] = {
        "name": weights["name"],
        "network": protocol["network"],
        "sha256": weights["sha256"][:12],
        "runtime": protocol["runtime"],
        "precision": protocol["precision"],
        "threshold": f"{protocol['threshold']:g}",
    }
    text = (
        f"Weights {given['name']} ({given['network']}, sha256 {given['sha256']}…), {given['runtime']} "
        f"{given['precision']}, threshold {given['threshold']} from training data."
    )
    console.print(say(text, "evaluate.weights", **given))
    if protocol["gsd_m"] is None:
        text = (
            "Ground sample distance unknown (--gsd): images are compared at their own resolution, small objects are "
            "kept, and there are no figures in m² or km²."
        )
        console.print(say(text, "evaluate.no_gsd"), style="yellow")
    else:
        given = {
            "gsd": f"{protocol['gsd_m']:g}",
            "source": say(protocol["gsd_source"], f"evaluate.from_{protocol['gsd_source']}"),
            "detection": f"{protocol['detection_gsd_m']:g}",
            "profile": protocol["profile"],
            "smallest": ", ".join(f"{kind} {area:g}" for kind, area in protocol["minimum_area_m2"].items()),
        }
        text = (
            f"{given['gsd']} m per pixel ({given['source']}), compared at {given['detection']} m, profile "
            f"{given['profile']}; found objects below the minimum mapping unit are dropped (m²: {given['smallest']})."
        )
        console.print(say(text, "evaluate.gsd", **given))
    _print_registered(console, protocol["alignment"])
    _print_images(console, protocol)


def _print_registered(console: Console, alignment: dict[str, Any]) -> None:
    if not alignment["asked"]:
        text = "Not registered: pairs are compared as they are (--align or --register registers them)."
        console.print(say(text, "evaluate.not_registered"))
        return
    registered, refused = alignment["registered"], len(alignment["refused"])
    if alignment["refused_missed"]:
        text = f"Registered {registered} pairs; not registrable and counted as missed: {refused}."
        console.print(say(text, "evaluate.registered_missed", registered=registered, refused=refused))
    else:
        text = f"Registered {registered} pairs; not registrable and compared as they are: {refused}."
        console.print(say(text, "evaluate.registered", registered=registered, refused=refused))


def _print_images(console: Console, protocol: dict[str, Any]) -> None:
    listed = list(protocol["sizes"].items())
    sizes = ", ".join(f"{count} × {size}" for size, count in listed[:4])
    more = len(listed) - 4
    if more > 0:
        sizes += say(f" and {more} more sizes", "evaluate.more_sizes", more=more)
    text = f"Images: {sizes} px. --json prints the complete protocol."
    console.print(say(text, "evaluate.images", sizes=sizes))
    if doubtful := protocol["labels_in_doubt"]:
        count, names = len(doubtful), ", ".join(doubtful[:5])
        text = f"{count} labels have values but none above 127; expected 255 or 1 for changed: {names}"
        console.print(say(text, "evaluate.doubtful", count=count, names=names), style="yellow", markup=False)


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
