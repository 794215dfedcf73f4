"""A finished training run → weights that ship: thresholds from training data, scores from validation data, a card."""

from __future__ import annotations

from pathlib import Path

import torch

from errors import SettingsError
from model.detector import Detector
from model.network import ChangeNetwork
from model.network_outputs import CHANGE_OUTPUTS
from model.registry import find_layout
from model.weights import FOLDER, Weights, save_weights
from training.measure import PixelScores, measure_folder
from training.recipe import PairsRecipe, Recipe

THRESHOLD_PAIRS = 200
"""Training pairs looked at for a threshold: more do not move it."""


def load_run(run: Path) -> tuple[ChangeNetwork, int]:
    """The averaged network of a run's last checkpoint, and the step it was made at."""
    checkpoint = run / "checkpoint.pt"
    if not checkpoint.exists():
        raise SettingsError(f"{run} holds no checkpoint.pt; give the folder of a training run.")
    state = torch.load(checkpoint, weights_only=True)
    network = ChangeNetwork(find_layout(state["network_name"]))
    network.load_state_dict(state["average"])
    return network.eval(), int(state["step"])


def choose_thresholds(recipe: Recipe, root: Path, name: str, folder: Path) -> dict[str, float]:
    """For each output the threshold of the highest F1 on the *training* pairs that ask its question."""
    detector = Detector(name, runtime="openvino", folder=folder)
    thresholds = dict.fromkeys(CHANGE_OUTPUTS, 0.5)
    for output in CHANGE_OUTPUTS:
        # the finest imagery that asks the question comes first in a recipe; scans are made at that scale
        sources = [s for s in recipe.sources if isinstance(s, PairsRecipe) and s.question == output]
        if sources:
            first = sources[0]
            scores = measure_folder(detector, root / first.folder, output, first.prefix, THRESHOLD_PAIRS)
            thresholds[output] = scores.best_threshold()
    return thresholds


def _rows(scores: dict[str, tuple[str, PixelScores]], thresholds: dict[str, float]) -> str:
    lines = []
    for folder, (question, counted) in scores.items():
        at = counted.at(thresholds[question])
        lines.append(
            f"| `{folder}` | {question} | {counted.pairs} | {at['precision']:.3f} | {at['recall']:.3f} | "
            f"{at['f1']:.3f} | {at['iou']:.3f} |"
        )
    return "\n".join(lines)


def write_card(
    weights: Weights, recipe: Recipe, step: int, scores: dict[str, tuple[str, PixelScores]], notes: str
) -> Path:
    """Write ``NAME.md`` beside the weights."""
    sources = "\n".join(
        f"| {', '.join(f'`{folder}`' for folder in s.all_folders)} | {s.kind} | {s.question} | {s.weight:g} |"
        for s in recipe.sources
    )
    layout = weights.layout
    card = f"""# Weights `{weights.name}`

Network `{layout.name}`: widths {layout.widths}, depths {layout.depths}, sha256 `{weights.sha256}`.

**Purpose.** Leads for an inspector: suspected new buildings and ground works between two dates, to be checked on the
ground. Not evidence, and no statement about legality.

**Licence of the result.** Trained on research data whose owners allow non-commercial or academic use only (LEVIR-CD,
DSIFN, OSCD and small student sets; the terms are listed with the data). The code is Apache-2.0, these numbers carry
that research provenance. A bureau trains its own with `tuban train` on its own reviewed images.

## Training

{step} steps of {recipe.batch} samples of {recipe.augment.size}² pixels, seed {recipe.seed}, AdamW, rate
{recipe.learning_rate} falling by half a cosine, average of the weights with decay {recipe.ema}.

| source | kind | question | weight |
| --- | --- | --- | --- |
{sources}

Thresholds, from training pairs only: {", ".join(f"{k} {v:.3f}" for k, v in weights.threshold.items())}.

## Scores

Pixels of all images of a folder counted together; whole images, no test-time augmentation, no threshold chosen here.

| folder | question | pairs | precision | recall | F1 | IoU |
| --- | --- | --- | --- | --- | --- | --- |
{_rows(scores, weights.threshold)}

{notes}"""
    path = weights.path.with_suffix(".md")
    path.write_text(card.rstrip() + "\n", encoding="utf-8")
    return path


def export_run(
    recipe: Recipe,
    run: Path,
    root: Path,
    name: str,
    validation: dict[str, str],
    notes: str = "",
    folder: Path = FOLDER,
) -> tuple[Weights, dict[str, tuple[str, PixelScores]]]:
    """Export a run as weights ``name`` with their card.

    Args:
        recipe: what the run was trained with.
        run: its folder.
        root: folder that the recipe's folders are relative to.
        name: of the weights.
        validation: folders under ``root`` that were not trained on → the question that their labels answer.
        notes: what the card says beside the figures (Markdown).
        folder: where to write.
    """
    network, step = load_run(run)
    save_weights(network, name, dict.fromkeys(CHANGE_OUTPUTS, 0.5), folder)
    weights = save_weights(network, name, choose_thresholds(recipe, root, name, folder), folder)
    detector = Detector(name, runtime="openvino", folder=folder)
    scores = {
        path: (question, measure_folder(detector, root / path, question)) for path, question in validation.items()
    }
    write_card(weights, recipe, step, scores, notes)
    return weights, scores
