"""``tuban train`` and ``tuban export``: labelled pairs → weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from errors import SettingsError

DATA = Path("../shared/imagery")

Data = Annotated[Path, typer.Option(envvar="TUBAN_REAL_IMAGERY", help="Folder that the recipe's folders lie in.")]


def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe, for example configs/training/fast.yaml.")],
    run: Annotated[Path | None, typer.Option(help="Folder for checkpoint and log; default: runs/NAME.")] = None,
    data: Data = DATA,
) -> None:
    """Train a network, or go on where it was interrupted.

    Ctrl-C or a power cut loses at most the steps since the last checkpoint: call the same command again.
    Then: tuban export RECIPE --name NAME
    """
    from training.recipe import read_recipe
    from training.train import train as train_network

    read = read_recipe(recipe)
    folder = run or Path("runs") / recipe.stem
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        console=Console(stderr=True),
    )
    with bars:
        task = bars.add_task(f"Training {read.network}", total=read.steps, loss=float("nan"))

        def tell(step: int, loss: float, _rate: float) -> None:
            bars.update(task, completed=step, loss=loss)

        train_network(read, data, folder, report=tell)
    typer.echo(f"Trained {read.steps} steps; the checkpoint lies in {folder}.")


def _folders(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        folder, _, question = pair.partition(":")
        if question not in ("building", "ground"):
            raise SettingsError(f"--validate is {pair!r}; expected FOLDER:building or FOLDER:ground.")
        found[folder] = question
    return found


def export(
    recipe: Annotated[Path, typer.Argument(help="The recipe that the run was trained with.")],
    name: Annotated[str, typer.Option(help="What the weights are to be called.")],
    run: Annotated[Path | None, typer.Option(help="Folder of the run; default: runs/RECIPE.")] = None,
    data: Data = DATA,
    validate: Annotated[
        list[str] | None, typer.Option(help="Folder of pairs not trained on, with its question: val/levir:building.")
    ] = None,
    notes: Annotated[Path | None, typer.Option(help="Markdown that the card ends with.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where to write; default: with the weights that ship.")] = None,
) -> None:
    """Turn a training run into weights with checksum, thresholds and card."""
    from model.weights import FOLDER
    from training.export import export_run
    from training.recipe import read_recipe

    weights, scores = export_run(
        read_recipe(recipe),
        run or Path("runs") / recipe.stem,
        data,
        name,
        _folders(validate or []),
        notes.read_text(encoding="utf-8") if notes else "",
        folder or FOLDER,
    )
    typer.echo(f"{weights.path}  sha256 {weights.sha256[:12]}…  thresholds {weights.threshold}")
    for path, (question, counted) in scores.items():
        at = counted.at(weights.threshold[question])
        typer.echo(f"  {path} ({question}, {counted.pairs} pairs): " + ", ".join(f"{k} {v:.3f}" for k, v in at.items()))
