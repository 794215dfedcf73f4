"""A finished training run → weights that ship: thresholds from training data, scores from validation data, a card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from errors import SettingsError
from model.detector import Detector
from model.network import ChangeNetwork
from model.network_outputs import CHANGE_OUTPUTS
from model.registry import find_layout
from model.weights import FOLDER, Weights, save_weights
from training.evaluation.evaluate import Evaluation, evaluate_folder
from training.manifest import Question
from training.measure import measure_pairs
from training.recipe import PairsRecipe, Recipe

CHANGED_SHARE = 0.05
"""Share of the ground taken to have changed when a threshold is chosen: that of whole images in which people looked
for changes (4.7% of all pixels in LEVIR-CD, Chen and Shi 2020). Of the training pairs up to 39% changed."""


@dataclass(frozen=True)
class ValidationFolder:
    """A folder of pairs that were not trained on.

    Attributes:
        folder: relative to the root of the data.
        question: what its labels answer.
        gsd_m: metres per pixel of its images; None: what its manifest says, else unknown.
    """

    folder: str
    question: Question
    gsd_m: float | None = None


Scores = Sequence[tuple[ValidationFolder, Evaluation]]


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
    """For each output the threshold of the highest F1 on pairs of the *training* folders that were held back.

    Where a recipe holds nothing back, on those it trained on.
    """
    detector = Detector(name, runtime="openvino", folder=folder)
    thresholds = dict.fromkeys(CHANGE_OUTPUTS, 0.5)
    for output in CHANGE_OUTPUTS:
        # the finest imagery that asks the question comes first in a recipe; scans are made at that scale
        sources = [s for s in recipe.sources if isinstance(s, PairsRecipe) and s.question == output]
        if sources:
            scores = measure_pairs(detector, sources[0].pairs(root, held=sources[0].held_back > 0), limit=200)
            thresholds[output] = scores.best_threshold(CHANGED_SHARE)
    return thresholds


def _rows(scores: Scores) -> str:
    lines = []
    for asked, found in scores:
        pixel = " | ".join(f"{found.pixel[name]:.3f}" for name in ("precision", "recall", "f1", "iou"))
        objects = found.objects["iou_0.25"]["f1"]
        per_km2 = "unknown" if found.false_alarms_per_km2 is None else f"{found.false_alarms_per_km2:.1f}"
        lines.append(f"| `{asked.folder}` | {asked.question} | {found.pairs} | {pixel} | {objects:.3f} | {per_km2} |")
    return "\n".join(lines)


def write_card(weights: Weights, recipe: Recipe, step: int, scores: Scores, notes: str) -> Path:
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
Objects are connected components, matched one to one from an IoU of 0.25; a false alarm is a found one without any
changed pixel, for each km² that did not change. `tuban evaluate` says the same of any folder.

| folder | question | pairs | precision | recall | F1 | IoU | object F1 | false alarms per km² |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{_rows(scores)}

{notes}"""
    path = weights.path.with_suffix(".md")
    path.write_text(card.rstrip() + "\n", encoding="utf-8")
    return path


def export_run(
    recipe: Recipe,
    run: Path,
    root: Path,
    name: str,
    validation: Sequence[ValidationFolder],
    notes: str = "",
    folder: Path = FOLDER,
) -> tuple[Weights, Scores]:
    """Export a run as weights ``name`` with their card.

    Args:
        recipe: what the run was trained with.
        run: its folder.
        root: folder that the recipe's folders are relative to.
        name: of the weights.
        validation: folders under ``root`` that were not trained on.
        notes: what the card says beside the figures (Markdown).
        folder: where to write.
    """
    network, step = load_run(run)
    save_weights(network, name, dict.fromkeys(CHANGE_OUTPUTS, 0.5), folder)
    weights = save_weights(network, name, choose_thresholds(recipe, root, name, folder), folder)
    detector = Detector(name, runtime="openvino", folder=folder)
    scores = [
        (asked, evaluate_folder(root / asked.folder, detector, question=asked.question, gsd_m=asked.gsd_m))
        for asked in validation
    ]
    write_card(weights, recipe, step, scores, notes)
    return weights, scores
