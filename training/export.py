"""Export of a training run: weights, thresholds from training data, scores from validation data, model card."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from errors import SettingsError
from inference.settings import read_config
from model.calibration import Calibration
from model.detector import Detector
from model.network import ChangeNetwork
from model.network_outputs import CHANGE_OUTPUTS
from model.registry import find_layout
from model.weights import FOLDER, Weights, adopt_weights, find_weights, is_taken, save_calibration, save_weights
from training.calibration.calibrate import calibrate
from training.card.facts import CardFacts, ChosenThreshold, FolderScores, ValidationFolder
from training.card.provenance import source_name
from training.card.rendered_scores import SCENES, measure_rendered
from training.card.run_figures import read_run_figures
from training.card.write import write_card
from training.evaluation.evaluate import Progress, evaluate_folder
from training.pixel_scores import measure_pairs
from training.recipe import Recipe
from training.sources.source_recipes import PairsRecipe
from training.synthetic import SceneSpec

THRESHOLD_PAIRS = 200
"""Maximum number of pairs that a threshold is chosen on."""

WORSE_BY = 0.005
"""A pixel F1 that is lower by more than this is worse; less is rounding in bf16."""

CURVE_PAIRS = 8
"""Maximum number of pairs per folder for robustness and restyled copies; each is compared some thirty times."""


def load_run(run: Path, weight_interpolation: float = 0.0) -> tuple[ChangeNetwork, int]:
    """Load the averaged network of a run's last checkpoint.

    Args:
        run: folder of the run.
        weight_interpolation: weight of the initial weights in the linear interpolation with the trained ones, 0…1.

    Returns:
        the network in evaluation mode, and the step of the checkpoint.

    Raises:
        SettingsError: there is no checkpoint, or it does not hold the initial weights that interpolation needs.
    """
    checkpoint = run / "checkpoint.pt"
    if not checkpoint.exists():
        raise SettingsError(f"{run} has no checkpoint.pt; expected the folder of a training run.")
    state = torch.load(checkpoint, weights_only=True)
    network = ChangeNetwork(find_layout(state["network_name"]))
    weights = state["average"]
    if weight_interpolation:
        initial = state.get("begun")
        if not initial:
            raise SettingsError(
                f"{run} was trained without weight_interpolation, so its checkpoint lacks the initial weights. "
                "Train it again with weight_interpolation set."
            )
        weights = {
            name: torch.lerp(trained.float(), initial[name].float(), weight_interpolation)
            for name, trained in weights.items()
        }
    network.load_state_dict(weights)
    return network.eval(), int(state["step"])


def choose_thresholds(recipe: Recipe, root: Path, detector: Detector, report: Progress) -> dict[str, ChosenThreshold]:
    """Choose the threshold of each output (:meth:`PixelScores.best_threshold`) on the validation split.

    The split belongs to the *training* folders. If a recipe has none, thresholds are chosen on the pairs trained on.
    """
    # outputs without data keep their threshold
    chosen = {output: ChosenThreshold(value) for output, value in detector.weights.threshold.items()}
    for output in CHANGE_OUTPUTS:
        # a recipe lists the finest imagery of a question first, and scans use that resolution
        pairs = [s for s in recipe.sources if isinstance(s, PairsRecipe) and s.question == output]
        # reviewed alerts are labelled only where the network raised an alert: they are biased for a threshold
        sources = [s for s in pairs if s.unknown is None]
        if sources:
            held_out = sources[0].validation_split > 0
            labelled = sources[0].pairs(root, validation=held_out)
            scores = measure_pairs(detector, labelled, THRESHOLD_PAIRS, _report_part(report, f"Threshold of {output}"))
            value = scores.best_threshold()
            best = scores.at(value)
            chosen[output] = ChosenThreshold(
                value, source_name(sources[0]), held_out, scores.pairs, best["precision"], best["recall"]
            )
    return chosen


def _calibration(
    recipe: Recipe, root: Path, detector: Detector, initial: Weights | None, report: Progress
) -> Calibration | None:
    """Calibrate weights on the recipe's validation splits; without these they keep that of the initial weights."""
    split = {s.question for s in recipe.sources if isinstance(s, PairsRecipe) and s.validation_split}
    if split >= set(CHANGE_OUTPUTS):
        return calibrate(detector, recipe, root, read_config(), report)
    return None if initial is None else initial.calibration


def _report_part(report: Progress, part: str) -> Callable[[float], None]:
    return lambda fraction: report(part, fraction)


def measure_folder(
    root: Path, validation: ValidationFolder, detector: Detector, robustness: bool, report: Progress
) -> FolderScores:
    """Evaluate all pairs of a folder, and if ``robustness`` a few of them under all variations."""

    def report_folder(part: str, fraction: float) -> None:
        report(f"{part} {validation.folder}", fraction)

    folder, question, gsd_m = root / validation.folder, validation.question, validation.gsd_m
    scores = evaluate_folder(folder, detector, question=question, gsd_m=gsd_m, progress=report_folder)
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
            progress=lambda part, fraction: report_folder(part, fraction) if part != "Evaluating" else None,
        )
    return FolderScores(f"`{validation.folder}`", question, scores, curves)


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
    overwrite: bool = False,
    allow_worse: bool = False,
    progress: Progress | None = None,
) -> tuple[Weights, CardFacts]:
    """Export a run as weights ``name`` with their model card, if they are not worse than those it started from.

    Args:
        recipe: recipe that the run was trained with.
        run: folder of the run.
        root: folder that the recipe's folders are relative to.
        name: name of the weights.
        validation: folders under ``root`` that were not trained on.
        notes: Markdown appended to the generated card.
        folder: output folder.
        robustness: also measure robustness curves, swapped dates and restyled copies, which takes minutes.
        scenes: scenes rendered for the card; never trained on.
        overwrite: replace weights of the same name.
        allow_worse: export weights that are worse than the initial ones of the same network.
        progress: called with the name of the current part and the fraction of it completed, 0…1.

    Returns:
        the weights, and the facts of their card.

    Raises:
        SettingsError: weights of that name exist, or the run made them worse; nothing was written.
    """
    report = progress or (lambda _part, _fraction: None)
    if not overwrite and is_taken(name, folder):
        raise SettingsError(
            f"The weights {name!r} exist already in {folder}; choose another --name, or --overwrite them."
        )
    with tempfile.TemporaryDirectory(prefix="tuban-export-") as scratch:
        weights, facts = _export(
            recipe,
            run,
            root,
            name,
            validation,
            notes,
            Path(scratch),
            robustness=robustness,
            scenes=scenes,
            report=report,
        )
        before = _initial_scores(recipe, root, validation, scenes, report)
        worse = _worse_than(before, (*facts.folders, *facts.rendered))
        if worse and not allow_worse:
            raise SettingsError(
                f"The run made {recipe.initial_weights!r}, from which it started, worse: {'; '.join(worse)}. Nothing "
                "was exported. Train with other reviews or fewer steps, or export it all the same with --force."
            )
        weights = adopt_weights(name, Path(scratch), folder)
    return weights, replace(facts, weights=weights, initial=before)


def _initial_scores(
    recipe: Recipe,
    root: Path,
    validation: Sequence[ValidationFolder],
    scenes: Sequence[SceneSpec],
    report: Progress,
) -> tuple[FolderScores, ...]:
    """Evaluate the initial weights as the exported ones; nothing if they are of another network, or there are none."""
    if recipe.initial_weights in ("", "imagenet") or find_weights(recipe.initial_weights).layout.name != recipe.network:
        return ()
    detector = Detector(recipe.initial_weights, runtime="openvino")
    folders = tuple(measure_folder(root, requested, detector, False, report) for requested in validation)
    return (*folders, *measure_rendered(detector, scenes, report)[0])


def _worse_than(before: Sequence[FolderScores], after: Sequence[FolderScores]) -> list[str]:
    """Name the folders and questions whose pixel F1 is lower than before."""
    scores = {(one.name, one.question): one.evaluation.pixel["f1"] for one in after}
    pairs = [(one, scores[one.name, one.question]) for one in before]
    return [
        f"F1 {f1:.3f} instead of {one.evaluation.pixel['f1']:.3f} on {one.name} ({one.question})"
        for one, f1 in pairs
        if f1 < one.evaluation.pixel["f1"] - WORSE_BY
    ]


def _export(
    recipe: Recipe,
    run: Path,
    root: Path,
    name: str,
    validation: Sequence[ValidationFolder],
    notes: str,
    folder: Path,
    *,
    robustness: bool,
    scenes: Sequence[SceneSpec],
    report: Progress,
) -> tuple[Weights, CardFacts]:
    network, step = load_run(run, recipe.weight_interpolation)
    initial = recipe.initial_weights not in ("", "imagenet") and find_weights(recipe.initial_weights)
    save_weights(network, name, initial.threshold if initial else dict.fromkeys(CHANGE_OUTPUTS, 0.5), folder)
    thresholds = choose_thresholds(recipe, root, Detector(name, runtime="openvino", folder=folder), report)
    weights = save_weights(network, name, {output: chosen.value for output, chosen in thresholds.items()}, folder)
    fitted = _calibration(recipe, root, Detector(name, runtime="openvino", folder=folder), initial or None, report)
    if fitted is not None:
        weights = save_calibration(name, fitted, folder)
    detector = Detector(name, runtime="openvino", folder=folder)
    folders = tuple(measure_folder(root, requested, detector, robustness, report) for requested in validation)
    rendered, picture = measure_rendered(detector, scenes, report)
    facts = CardFacts(
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
