"""Export of a training run: weights, thresholds from training data, scores from validation data, model card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from errors import SettingsError
from inference.settings import read_config
from model.calibration import Calibration
from model.detector import Detector
from model.network import ChangeNetwork
from model.network_outputs import CHANGE_OUTPUTS
from model.registry import find_layout
from model.weights import FOLDER, Weights, find_weights, save_calibration, save_weights
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
    progress: Progress | None = None,
) -> tuple[Weights, CardFacts]:
    """Export a run as weights ``name`` with their model card.

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
        progress: called with the name of the current part and the fraction of it completed, 0…1.

    Returns:
        the weights, and the facts of their card.
    """
    report = progress or (lambda _part, _fraction: None)
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
