"""``tuban train`` and ``tuban export``: train a network on labelled pairs, and export its weights."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.language import say
from cli.progress import scan_progress
from errors import SettingsError
from training.sources.manifest import Question

if TYPE_CHECKING:
    from training.card.facts import ValidationFolder

DATA = Path("../shared/imagery")

Data = Annotated[
    Path, typer.Option(envvar="TUBAN_REAL_IMAGERY", help="Folder that contains the data folders of the recipe.")
]


def train(
    recipe: Annotated[Path, typer.Argument(help="Recipe, for example configs/training/fast.yaml.")],
    run: Annotated[Path | None, typer.Option(help="Folder for checkpoints and logs; default: runs/NAME.")] = None,
    data: Data = DATA,
    reviews: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of your own reviewed alerts, mixed into the recipe's data; may be repeated."),
    ] = None,
    share: Annotated[float, typer.Option(help="Share of samples taken from --reviews.", min=0.01, max=0.9)] = 0.3,
    workers: Annotated[
        int | None, typer.Option(help="Number of processes that prepare samples; default: by the device.")
    ] = None,
) -> None:
    """Train a network, or resume an interrupted training run.

    After Ctrl-C or a power cut, run the same command again: at most the steps since the last checkpoint are repeated.
    The run folder contains checkpoint.pt, log.csv, validation.csv, curves.png and a TensorBoard file
    (tensorboard --logdir runs). A GPU is used if there is one.

    Example, with your own reviews: tuban train configs/training/own.yaml --reviews reviewed/2026-11

    Next step: tuban export RECIPE --name NAME

    Exit codes: 0 trained, 2 wrong arguments or recipe, 130 interrupted.
    """
    from training.recipe import RECIPE_FILE, add_reviews, drop_missing_sources, read_recipe, write_recipe
    from training.run_log import StepRecord
    from training.train import choose_device
    from training.train import train as train_network

    full_recipe = read_recipe(recipe)
    used_recipe = drop_missing_sources(full_recipe, data)
    console = Console(stderr=True)
    missing = len(full_recipe.sources) - len(used_recipe.sources)
    if missing:
        total = len(full_recipe.sources)
        text = f"Training without {missing} of the {total} sources of the recipe: not under {data}."
        words = say(text, "cli.train_missing", missing=missing, total=total, data=str(data))
        console.print(words, markup=False, soft_wrap=True)
    if reviews:
        used_recipe = add_reviews(used_recipe, reviews, share)
    folder = run or Path("runs") / recipe.stem
    folder.mkdir(parents=True, exist_ok=True)
    write_recipe(used_recipe, folder / RECIPE_FILE)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.3f}  {task.fields[rate]:.1f} pairs/s  waited {task.fields[waited]:.0%}"),
        console=console,
        disable=not console.is_terminal,
    )
    device = choose_device()
    blank: dict[str, Any] = {"loss": float("nan"), "rate": 0.0, "waited": 0.0}
    with bars:
        label = f"Training {used_recipe.network} on {device.type}"
        label = say(label, "cli.train_bar", network=used_recipe.network, device=device.type)
        task = bars.add_task(label, total=used_recipe.steps, **blank)
        smooth: dict[str, Any] = {}

        def report(record: StepRecord) -> None:
            for name, value in (("loss", record.loss), ("rate", record.rate), ("waited", record.waited)):
                smooth[name] = value if name not in smooth else 0.95 * smooth[name] + 0.05 * value
            bars.update(task, completed=record.step, **smooth)
            if record.validation:
                scores = "  ".join(f"{name} F1 {f1:.3f}" for name, f1 in record.validation.items())
                text = say(f"step {record.step}: {scores}", "cli.train_step", step=record.step, scores=scores)
                console.print(text, markup=False, highlight=False)

        loaders = workers or _default_loaders(device.type)
        train_network(used_recipe, data, folder, device=device, workers=loaders, report=report)
    text = f"Trained {used_recipe.steps} steps. The checkpoint and curves.png are in {folder}."
    typer.echo(say(text, "cli.trained", steps=used_recipe.steps, folder=str(folder)))


def _default_loaders(device: str) -> int:
    """Return the number of loader processes: one keeps a CPU busy, a GPU needs almost all cores."""
    return 1 if device == "cpu" else max(2, (os.cpu_count() or 4) - 2)


def _parse_validation(options: list[str]) -> list[ValidationFolder]:
    """Parse the values of --validate.

    Raises:
        SettingsError: a value is not FOLDER:QUESTION or FOLDER:QUESTION:METRES_PER_PIXEL.
    """
    from training.card.facts import ValidationFolder

    folders = []
    for text in options:
        folder, question, gsd = [*text.split(":"), "", ""][:3]
        if (
            not folder
            or question not in get_args(Question)
            or text.count(":") > 2
            or not _is_positive_number(gsd or "1")
        ):
            raise SettingsError(
                f"--validate is {text!r}; expected FOLDER:QUESTION or FOLDER:QUESTION:METRES_PER_PIXEL, the question "
                f"one of {', '.join(get_args(Question))}: val/levir:building:0.5."
            )
        folders.append(ValidationFolder(folder, cast(Question, question), float(gsd) if gsd else None))
    return folders


def _is_positive_number(text: str) -> bool:
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False


def export(
    recipe: Annotated[Path, typer.Argument(help="Recipe that the run was trained with.")],
    name: Annotated[str, typer.Option(help="Name of the weights.")],
    run: Annotated[Path | None, typer.Option(help="Folder of the training run; default: runs/RECIPE.")] = None,
    data: Data = DATA,
    validate: Annotated[
        list[str] | None,
        typer.Option(
            help="Folder of held-out pairs, question and metres per pixel: val/levir:building:0.5. May be repeated."
        ),
    ] = None,
    notes: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Markdown file appended to the model card.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Output folder; default: the folder of the shipped weights.")
    ] = None,
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness/--no-robustness",
            help="Also measure shift, gamma, blur, scale, swapped dates and restyled copies (minutes).",
        ),
    ] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace weights of the same name.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Export weights that are worse than those the run started from.")
    ] = False,
) -> None:
    """Export a training run as weights with checksum, thresholds and model card.

    The weights are compared with those that the run started from, on the same images; worse ones are not exported
    without --force. The model card NAME.md is generated: data and their terms, recipe, scores on each --validate
    folder and known failures; NAME_worst.png shows the worst failure on a rendered scene. Additions come from --notes.

    Example: tuban export configs/training/own.yaml --name own --folder weights

    Next step: tuban weights add weights/own.safetensors

    Exit codes: 0 exported, 2 wrong arguments, weights of that name exist, or the run made the weights worse.
    """
    from model.weights import FOLDER
    from training.export import export_run
    from training.recipe import RECIPE_FILE, read_recipe

    run_folder = run or Path("runs") / recipe.stem
    used_recipe = run_folder / RECIPE_FILE  # includes the reviews, excludes missing sources
    with scan_progress() as progress:
        weights, facts = export_run(
            read_recipe(used_recipe.absolute() if used_recipe.exists() else recipe),
            run_folder,
            data,
            name,
            _parse_validation(validate or []),
            notes.read_text(encoding="utf-8") if notes else "",
            folder or FOLDER,
            robustness=robustness,
            overwrite=overwrite,
            allow_worse=force,
            progress=progress,
        )
    values = {"path": str(weights.path), "sha256": weights.sha256[:12], "thresholds": str(weights.threshold)}
    text = f"{weights.path}  sha256 {weights.sha256[:12]}…  thresholds {weights.threshold}"
    typer.echo(say(text, "cli.export_weights", **values))
    for scored in (*facts.folders, *facts.rendered):
        pixel = ", ".join(f"{name} {value:.3f}" for name, value in scored.evaluation.pixel.items())
        pairs = scored.evaluation.pairs
        text = f"{scored.name} ({scored.question}, {pairs} pairs): {pixel}"
        values = {"name": scored.name, "question": scored.question, "pixel": pixel}
        typer.echo("  " + say(text, "cli.export_scores", pairs=pairs, **values))
        for before in facts.initial:
            if (before.name, before.question) == (scored.name, scored.question):
                f1 = f"{before.evaluation.pixel['f1']:.3f}"
                typer.echo("    " + say(f"before the training: f1 {f1}", "cli.export_before", f1=f1))
    card = str(weights.path.with_suffix(".md"))
    typer.echo(say(f"Model card: {card}", "cli.export_card", card=card))
