"""A finished training run → weights that ship: thresholds from training data, scores from validation data, a card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from errors import SettingsError
from model.detector import Detector
from model.network import ChangeNetwork
from model.network_outputs import CHANGE_OUTPUTS
from model.registry import find_layout
from model.weights import FOLDER, Weights, find_weights, save_weights
from training.card.facts import ChosenThreshold, Facts, FolderScores, ValidationFolder
from training.card.origin import source_name
from training.card.rendered import SCENES, measure_rendered
from training.card.run_figures import read_run_figures
from training.card.write import write_card
from training.evaluation.evaluate import Progress, evaluate_folder
from training.pixel_scores import measure_pairs
from training.recipe import Recipe
from training.sources.source_recipes import PairsRecipe
from training.synthetic import SceneSpec

THRESHOLD_PAIRS = 200
"""Pairs that a threshold is chosen on, at most."""

CURVE_PAIRS = 8
"""Pairs of each folder, at most, for robustness and restyled copies: each is compared some thirty times."""


def load_run(run: Path, begin_share: float = 0.0) -> tuple[ChangeNetwork, int]:
    """The averaged network of a run's last checkpoint, with its share of the beginning, and the step it was made at."""
    checkpoint = run / "checkpoint.pt"
    if not checkpoint.exists():
        raise SettingsError(f"{run} holds no checkpoint.pt; give the folder of a training run.")
    state = torch.load(checkpoint, weights_only=True)
    network = ChangeNetwork(find_layout(state["network_name"]))
    shown = state["average"]
    if begin_share:
        begun = state.get("begun")
        if not begun:
            raise SettingsError(
                f"{run} was trained without begin_share, so what it began with is not kept; train it anew with it."
            )
        shown = {name: torch.lerp(now.float(), begun[name].float(), begin_share) for name, now in shown.items()}
    network.load_state_dict(shown)
    return network.eval(), int(state["step"])


def choose_thresholds(recipe: Recipe, root: Path, detector: Detector, tell: Progress) -> dict[str, ChosenThreshold]:
    """For each output the threshold (:meth:`PixelScores.best_threshold`) on pairs held back from *training* folders.

    Where a recipe holds nothing back, on those it trained on.
    """
    # what there is no data for stays as it was
    chosen = {output: ChosenThreshold(value) for output, value in detector.weights.threshold.items()}
    for output in CHANGE_OUTPUTS:
        # the finest imagery that asks the question comes first in a recipe; scans are made at that scale
        pairs = [s for s in recipe.sources if isinstance(s, PairsRecipe) and s.question == output]
        # reviewed alerts answer only where the network already said something: no threshold follows from them
        sources = [s for s in pairs if s.unknown is None]
        if sources:
            held = sources[0].held_back > 0
            counted = measure_pairs(
                detector, sources[0].pairs(root, held=held), THRESHOLD_PAIRS, _named(tell, f"Threshold of {output}")
            )
            value = counted.best_threshold()
            there = counted.at(value)
            chosen[output] = ChosenThreshold(
                value, source_name(sources[0]), held, counted.pairs, there["precision"], there["recall"]
            )
    return chosen


def _named(tell: Progress, part: str) -> Callable[[float], None]:
    return lambda done: tell(part, done)


def measure_folder(
    root: Path, asked: ValidationFolder, detector: Detector, robustness: bool, tell: Progress
) -> FolderScores:
    """Evaluate all pairs of a folder, and a few of them under all variations if ``robustness``."""

    def told(part: str, done: float) -> None:
        tell(f"{part} {asked.folder}", done)

    folder, question, gsd_m = root / asked.folder, asked.question, asked.gsd_m
    found = evaluate_folder(folder, detector, question=question, gsd_m=gsd_m, progress=told)
    curves = None
    if robustness:
        curves = evaluate_folder(
            folder,
            detector,
            question=question,
            gsd_m=gsd_m,
            limit=CURVE_PAIRS,
            robustness=True,
            restyled=True,
            progress=lambda part, done: told(part, done) if part != "Evaluating" else None,
        )
    return FolderScores(f"`{asked.folder}`", question, found, curves)


def export_run(
    recipe: Recipe,
    run: Path,
    root: Path,
    name: str,
    validation: Sequence[ValidationFolder],
    notes: str = "",
    folder: Path = FOLDER,
    *,
    robustness: bool = True,
    scenes: Sequence[SceneSpec] = SCENES,
    progress: Progress | None = None,
) -> tuple[Weights, Facts]:
    """Export a run as weights ``name`` with their card.

    Args:
        recipe: what the run was trained with.
        run: its folder.
        root: folder that the recipe's folders are relative to.
        name: of the weights.
        validation: folders under ``root`` that were not trained on.
        notes: what the card ends with beside what it says of itself (Markdown).
        folder: where to write.
        robustness: measure curves, swapped dates and restyled copies too, which takes minutes.
        scenes: rendered for the card; not trained on.
        progress: told what is being done and how far it is.

    Returns:
        the weights, and what their card says.
    """
    tell = progress or (lambda _part, _done: None)
    network, step = load_run(run, recipe.begin_share)
    begun_with = recipe.begin_with not in ("", "imagenet") and find_weights(recipe.begin_with)
    save_weights(network, name, begun_with.threshold if begun_with else dict.fromkeys(CHANGE_OUTPUTS, 0.5), folder)
    thresholds = choose_thresholds(recipe, root, Detector(name, runtime="openvino", folder=folder), tell)
    weights = save_weights(network, name, {output: one.value for output, one in thresholds.items()}, folder)
    detector = Detector(name, runtime="openvino", folder=folder)
    folders = tuple(measure_folder(root, asked, detector, robustness, tell) for asked in validation)
    rendered, picture = measure_rendered(detector, scenes, tell)
    facts = Facts(
        weights=weights,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        file_bytes=weights.path.stat().st_size,
        recipe=recipe,
        step=step,
        log=read_run_figures(run, recipe.batch, step),
        thresholds=thresholds,
        folders=folders,
        rendered=rendered,
        picture=picture,
        notes=notes,
    )
    write_card(facts)
    return weights, facts
