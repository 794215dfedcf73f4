"""``tuban evaluate``: how good a detector is on a folder of labelled pairs."""

from __future__ import annotations

import json as strict_json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.detection.progress import scan_progress
from errors import OutputError

if TYPE_CHECKING:
    from training.evaluation.evaluate import Evaluation


class Question(StrEnum):
    """What a changed pixel of the labels means."""

    building = "building"
    ground = "ground"
    any = "any"


def _figure(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else format(value, form)


def _rows(heading: str, names: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
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
            scores = (_figure(counted[key]) for key in ("precision", "recall", "f1"))
            what = iou.replace("iou_", "IoU ≥ ") + (", all" if name == "all" else f", {name} m²")
            rows.append((what, str(counted["true"]), str(counted["found"]), *scores))
    return rows


def _curve_rows(curves: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for at, unit in (("px", "shift"), ("gamma", "gamma"), ("sigma_px", "blur"), ("scale", "scale")):
        for point in curves[unit]:
            aligned = _figure(point["f1_aligned"]) if "f1_aligned" in point else ""
            rows.append(
                (f"{unit} {point[at]:g}{' px' if unit in ('shift', 'blur') else ''}", _figure(point["f1"]), aligned)
            )
    rows.append(("dates swapped", _figure(curves["swapped"]["f1"]), ""))
    return rows


def tell_evaluation(found: Evaluation) -> None:
    """Print an evaluation as tables with its protocol in a few lines."""
    words = Console(highlight=False, soft_wrap=True)
    told, pixel = found.protocol, found.pixel
    scores = tuple(_figure(pixel[key]) for key in ("precision", "recall", "f1", "iou"))
    words.print(
        _rows(
            f"Pixels of {found.pairs} pairs, question {told['question']}",
            ("", "precision", "recall", "F1", "IoU"),
            [("all pixels together", *scores)],
        )
    )
    heads = ("objects", "true", "found", "precision", "recall", "F1")
    words.print(_rows("Objects", heads, _object_rows(found.objects)))
    words.print(
        f"False alarms: {_figure(found.false_alarms_per_km2, '.1f')} per km², "
        f"{_figure(found.false_alarms_per_megapixel, '.1f')} per million unchanged pixels. "
        f"Expected calibration error {found.calibration['expected_calibration_error']:.3f}."
    )
    if found.restyled is not None:
        one = found.restyled
        words.print(
            f"Restyled copies of {one['images']} images: "
            f"{_figure(one['false_alarms_per_km2'], '.1f')} false alarms per km², "
            f"{_figure(one['false_alarms_per_megapixel'], '.1f')} per million pixels, "
            f"{one['share_above_threshold']:.3%} of the pixels above the threshold."
        )
    if found.robustness is not None:
        heading = f"Pixel F1 of {found.robustness['pairs']} pairs"
        words.print(_rows(heading, ("", "F1", "F1 registered"), _curve_rows(found.robustness)))
    _tell_protocol(words, told)
    for name in told.get("pictures", ()):
        words.print(f"Picture: {name}", markup=False)
    if found.failed:
        words.print(f"{len(found.failed)} pairs could not be evaluated:", style="yellow")
        for failed in found.failed:
            words.print(f"  {failed.pair}: {failed.reason}", style="yellow", markup=False)


def _tell_protocol(words: Console, told: dict[str, Any]) -> None:
    weights, alignment = told["weights"], told["alignment"]
    words.print(
        f"Weights {weights['name']} ({told['network']}, sha256 {weights['sha256'][:12]}…), {told['runtime']} "
        f"{told['precision']}, threshold {told['threshold']:g} from training data."
    )
    if told["gsd_m"] is None:
        words.print(
            "Ground sample distance unknown (--gsd): images compared on their own pixels, nothing dropped for being "
            "small, no figures in m² or km².",
            style="yellow",
        )
    else:
        smallest = ", ".join(f"{kind} {area:g}" for kind, area in told["minimum_area_m2"].items())
        words.print(
            f"{told['gsd_m']:g} m per pixel ({told['gsd_source']}), compared at {told['detection_gsd_m']:g} m, profile "
            f"{told['profile']}; found objects below the minimum mapping unit dropped (m²: {smallest})."
        )
    if alignment["asked"]:
        words.print(
            f"Registered {alignment['registered']} pairs; refused and left as they lie: {len(alignment['refused'])}."
        )
    else:
        words.print("Not registered (--align): compared as they lie.")
    sizes = ", ".join(f"{count} of {size}" for size, count in list(told["sizes"].items())[:4])
    more = len(told["sizes"]) - 4
    words.print(f"Images: {sizes}{f' and {more} more sizes' if more > 0 else ''} px. --json prints the whole protocol.")
    if told["labels_in_doubt"]:
        words.print(
            f"{len(told['labels_in_doubt'])} labels hold values but none above 127; expected 255 (or 1) for changed: "
            f"{', '.join(told['labels_in_doubt'][:5])}",
            style="yellow",
            markup=False,
        )


def evaluate(
    folder: Annotated[Path, typer.Argument(help="Holds A (earlier), B (later) and label (mask), same stems in each.")],
    question: Annotated[
        Question | None, typer.Option(help="What a changed pixel means; default: the manifest's, else building.")
    ] = None,
    gsd: Annotated[
        float | None,
        typer.Option(help="Metres per pixel; brings the pairs to the resolution of a scan, and gives areas."),
    ] = None,
    weights: Annotated[str | None, typer.Option(help="Name of the network's weights.")] = None,
    weights_folder: Annotated[Path | None, typer.Option(help="Folder with weights of your own.")] = None,
    align: Annotated[
        bool, typer.Option("--align/--no-align", help="Register the earlier image to the later one first.")
    ] = False,
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Also: F1 under shift, gamma, blur, scale and swapped dates (slow).")
    ] = False,
    restyled: Annotated[
        bool, typer.Option("--restyled", help="Also: false alarms of every image against a restyled copy.")
    ] = False,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for pictures of the best, typical, worst and most alarming pair.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Evenly chosen pairs at most; for --robustness 20 unless given.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else, on stdout.")] = False,
) -> None:
    """Measure how good a detector is on labelled pairs: A/ B/ label/ with images of any size and format.

    Labels: 255 (or 1) is changed. A manifest.yaml in the folder may give question, gsd_m, weight and terms.
    Scores are taken at the weights' own threshold, over all pixels of the folder together and for objects, with
    false alarms for each km² that did not change. A pair that cannot be read is listed and does not stop the others.

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
        raise OutputError(f"The pictures cannot be written to {pictures}: it is a file; give a folder.")
    list_pairs(folder)  # a wrong folder is told before the weights are loaded
    config = read_config()
    detector = Detector(weights or config.weights, folder=weights_folder or FOLDER)
    with scan_progress() as progress:
        found = evaluate_folder(
            folder,
            detector,
            question=None if question is None else question.value,
            gsd_m=gsd,
            align=align,
            limit=limit,
            robustness=robustness,
            restyled=restyled,
            pictures=pictures,
            config=config,
            progress=progress,
        )
    if json:
        typer.echo(strict_json.dumps(found.as_json(), ensure_ascii=False, allow_nan=False, indent=2))
    else:
        tell_evaluation(found)
