"""``tuban train`` and ``tuban export``: labelled pairs → weights."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.detection.progress import scan_progress
from errors import SettingsError
from training.sources.manifest import Question

if TYPE_CHECKING:
    from training.card.facts import ValidationFolder

DATA = Path("../shared/imagery")

Data = Annotated[Path, typer.Option(envvar="TUBAN_REAL_IMAGERY", help="Folder that the recipe's folders lie in.")]


def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe, for example configs/training/fast.yaml.")],
    run: Annotated[Path | None, typer.Option(help="Folder for checkpoint and log; default: runs/NAME.")] = None,
    data: Data = DATA,
    reviews: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of your own reviewed alerts, mixed into the recipe's data; may be given again."),
    ] = None,
    share: Annotated[float, typer.Option(help="Share of the samples from --reviews.", min=0.01, max=0.9)] = 0.3,
    workers: Annotated[int | None, typer.Option(help="Processes that prepare samples.")] = None,
) -> None:
    """Train a network, or go on where it was interrupted.

    Ctrl-C or a power cut loses at most the steps since the last checkpoint: call the same command again.
    In the run's folder: checkpoint.pt, log.csv, validation.csv, curves.png, and a file for TensorBoard
    (tensorboard --logdir runs). A GPU is used where there is one.

    Your own reviews: tuban train configs/training/own.yaml --reviews reviewed/2026-11

    Then: tuban export RECIPE --name NAME
    """
    from training.recipe import RECIPE_FILE, add_reviews, drop_missing_sources, read_recipe, write_recipe
    from training.run_log import StepRecord
    from training.train import choose_device
    from training.train import train as train_network

    asked = read_recipe(recipe)
    read = drop_missing_sources(asked, data)
    words = Console(stderr=True)
    absent = len(asked.sources) - len(read.sources)
    if absent:
        told = f"Training without {absent} of the {len(asked.sources)} sources of the recipe: not under {data}."
        words.print(told, markup=False, soft_wrap=True)
    if reviews:
        read = add_reviews(read, reviews, share)
    folder = run or Path("runs") / recipe.stem
    folder.mkdir(parents=True, exist_ok=True)
    write_recipe(read, folder / RECIPE_FILE)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.3f}  {task.fields[rate]:.1f} pairs/s  waited {task.fields[waited]:.0%}"),
        console=words,
    )
    device = choose_device()
    blank: dict[str, Any] = {"loss": float("nan"), "rate": 0.0, "waited": 0.0}
    with bars:
        task = bars.add_task(f"Training {read.network} on {device.type}", total=read.steps, **blank)
        smooth: dict[str, Any] = {}

        def tell(told: StepRecord) -> None:
            for name, value in (("loss", told.loss), ("rate", told.rate), ("waited", told.waited)):
                smooth[name] = value if name not in smooth else 0.95 * smooth[name] + 0.05 * value
            bars.update(task, completed=told.step, **smooth)
            if told.validation:
                scores = "  ".join(f"{name} F1 {f1:.3f}" for name, f1 in told.validation.items())
                words.print(f"step {told.step}: {scores}", markup=False, highlight=False)

        train_network(read, data, folder, device=device, workers=workers or _loaders(device.type), report=tell)
    typer.echo(f"Trained {read.steps} steps; the checkpoint and curves.png lie in {folder}.")


def _loaders(device: str) -> int:
    """One process prepares more than a processor can learn from; a GPU takes what all cores can give."""
    return 1 if device == "cpu" else max(2, (os.cpu_count() or 4) - 2)


def _validation(asked: list[str]) -> list[ValidationFolder]:
    from training.card.facts import ValidationFolder

    found = []
    for text in asked:
        folder, question, gsd = [*text.split(":"), "", ""][:3]
        if not folder or question not in get_args(Question) or text.count(":") > 2 or not _is_length(gsd or "1"):
            raise SettingsError(
                f"--validate is {text!r}; expected FOLDER:QUESTION or FOLDER:QUESTION:METRES_PER_PIXEL, the question "
                f"one of {', '.join(get_args(Question))}: val/levir:building:0.5."
            )
        found.append(ValidationFolder(folder, cast(Question, question), float(gsd) if gsd else None))
    return found


def _is_length(text: str) -> bool:
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False


def export(
    recipe: Annotated[Path, typer.Argument(help="The recipe that the run was trained with.")],
    name: Annotated[str, typer.Option(help="What the weights are to be called.")],
    run: Annotated[Path | None, typer.Option(help="Folder of the run; default: runs/RECIPE.")] = None,
    data: Data = DATA,
    validate: Annotated[
        list[str] | None,
        typer.Option(help="Folder of pairs not trained on, its question and metres per pixel: val/levir:building:0.5."),
    ] = None,
    notes: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Markdown file that the card ends with.")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Where to write; default: with the weights that ship.")] = None,
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness/--no-robustness",
            help="On a few pairs too: F1 under shift, gamma, blur, scale, swapped dates; restyled copies (minutes).",
        ),
    ] = True,
) -> None:
    """Turn a training run into weights with checksum, thresholds and card.

    The card, NAME.md, says what the weights come from and on what terms, how good they are on each --validate folder
    and where they fail; NAME_worst.png beside it shows a failure on a rendered scene. Nothing in it is by hand.
    """
    from model.weights import FOLDER
    from training.export import export_run
    from training.recipe import RECIPE_FILE, read_recipe

    folder_of_run = run or Path("runs") / recipe.stem
    kept = folder_of_run / RECIPE_FILE  # with the reviews, and without what was not there
    with scan_progress() as progress:
        weights, facts = export_run(
            read_recipe(kept.absolute() if kept.exists() else recipe),
            folder_of_run,
            data,
            name,
            _validation(validate or []),
            notes.read_text(encoding="utf-8") if notes else "",
            folder or FOLDER,
            robustness=robustness,
            progress=progress,
        )
    typer.echo(f"{weights.path}  sha256 {weights.sha256[:12]}…  thresholds {weights.threshold}")
    for one in (*facts.folders, *facts.rendered):
        pixel = ", ".join(f"{name} {value:.3f}" for name, value in one.found.pixel.items())
        typer.echo(f"  {one.name} ({one.question}, {one.found.pairs} pairs): {pixel}")
    typer.echo(f"Card: {weights.path.with_suffix('.md')}")
