"""Ablation study: short training runs without one source or technique of a recipe each, scored on val/.

    .venv/bin/python -m benchmarks.ablation --steps 500 --out runs/ablation
    .venv/bin/python -m benchmarks.ablation --steps 500 --out runs/ablation baseline fc-siam-diff

All variants start from ImageNet weights with the same seed; finished ones are not trained again. ``other-seed`` (the
unchanged recipe with another seed) shows the random variation at this length. The published network needs torchgeo and
segmentation-models-pytorch, which Tuban does not depend on: pip install torchgeo (or add their folder to PYTHONPATH).
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from model.inference_wrapper import InferenceWrapper
from model.network import ChangeLogits, ChangeNetwork
from model.network_outputs import CHANGE_OUTPUTS
from model.registry import find_layout
from training.pixel_scores import PixelScores, measure_pairs
from training.recipe import Recipe, read_recipe
from training.run_log import StepRecord
from training.sources.samples import LabelledPairs
from training.train import train

RecipeEdit = Callable[[dict[str, Any]], None]
APPEARANCE_EFFECTS = ("season", "sun", "cloud", "haze", "colour", "sharpness", "noise", "compression")


def _without(*kinds: str) -> RecipeEdit:
    def edit(recipe: dict[str, Any]) -> None:
        recipe["sources"] = [s for s in recipe["sources"] if s["kind"] not in kinds]

    return edit


def _set(**values: Any) -> RecipeEdit:
    def edit(recipe: dict[str, Any]) -> None:
        recipe.update(values)

    return edit


def _common_scale(recipe: dict[str, Any]) -> None:
    for source in recipe["sources"]:
        source.pop("magnify", None)


VARIANTS: dict[str, tuple[str, RecipeEdit]] = {
    "baseline": ("the complete recipe", lambda recipe: None),
    "other-seed": ("the complete recipe, another seed", _set(seed=99)),
    "random-weights": (
        "without ImageNet weights",
        _set(initial_weights="", frozen_stages=0, encoder_rate=1.0),
    ),
    "frozen": ("the two finest stages of the encoder frozen", _set(frozen_stages=2)),
    "no-building-presence": ("without the auxiliary task", _set(building_presence_weight=0.0)),
    "no-gaps": ("without additional weight of gaps between buildings", _set(gap_weight=0.0)),
    "no-single-date": ("without cross-pairs and pasted buildings", _without("crossed", "pasted")),
    "no-relief-displacement": ("without simulated relief displacement", _without("relief_displacement")),
    "no-works": ("without pasted ground works", _without("works")),
    "no-rendered": ("without rendered scenes", _without("rendered")),
    "no-unchanged": ("without unchanged places", _without("unchanged")),
    "one-scale": ("without enlargement of coarse imagery", _common_scale),
    "no-appearance": (
        "without appearance augmentation",
        _set(appearance=dict.fromkeys(APPEARANCE_EFFECTS, 0.0)),
    ),
    "narrow": (
        "the fast network, from random weights",
        _set(network="fast", initial_weights="", frozen_stages=0, encoder_rate=1.0),
    ),
    "fc-siam-diff": (
        "FC-Siam-diff (Daudt et al. 2018; torchgeo's, the same kind of encoder), from random weights",
        _set(initial_weights="", frozen_stages=0, encoder_rate=1.0, building_presence_weight=0.0),
    ),
}


class _IdentityEncoder(nn.Module):
    """Pass the image through: the published network has its own encoder."""

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x]


class PublishedNetwork(ChangeNetwork):
    """FC-Siam-diff from torchgeo behind our interface: two outputs, no direction, sensitive to the order of dates."""

    def __init__(self) -> None:
        super().__init__(find_layout("fast"))  # for its stride; its modules are removed below
        for name in [name for name, _ in self.named_children()]:
            delattr(self, name)
        from torchgeo.models.fcsiam import FCSiamDiff

        self.published = FCSiamDiff(
            encoder_name="timm-tf_efficientnet_lite0",
            encoder_weights=None,
            encoder_depth=4,
            decoder_channels=(96, 64, 32, 16),
            in_channels=3,
            classes=len(CHANGE_OUTPUTS),
        )
        nn.init.constant_(self.published.segmentation_head[0].bias, -2.5)
        self.encoder = _IdentityEncoder()  # type: ignore[assignment]

    def compare(self, before: list[Tensor], after: list[Tensor]) -> ChangeLogits:
        change = self.published(torch.stack([before[0], after[0]], dim=1))
        return ChangeLogits(change, change[:, :1] * 0)


def average_precision(scores: PixelScores) -> float:
    """Return the area under the precision-recall curve, which needs no threshold."""
    recall = np.cumsum(scores.changed[::-1]) / max(1, scores.changed.sum())
    predicted = np.cumsum(scores.changed[::-1] + scores.unchanged[::-1])
    precision = np.cumsum(scores.changed[::-1]) / np.maximum(1, predicted)
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def run(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of: {', '.join(VARIANTS)}; default: all.")] = None,
    steps: Annotated[int, typer.Option(help="Steps of each run.")] = 500,
    batch: Annotated[int, typer.Option(help="Pairs per step.")] = 8,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 0.0012,
    recipe: Annotated[Path, typer.Option(help="Base recipe.")] = Path("training/accurate.yaml"),
    out: Annotated[Path, typer.Option(help="Folder for the runs and ablation.csv.")] = Path("runs/ablation"),
    data: Annotated[Path, typer.Option(envvar="TUBAN_REAL_IMAGERY")] = Path("../shared/imagery"),
) -> None:
    console = Console()
    base = read_recipe(recipe)
    table = Table("variant", "difference", "building F1", "building AP", "ground F1", "ground AP", "pairs/s")
    for name in names or VARIANTS:
        description, edit = VARIANTS[name]
        content = base.model_dump(mode="json") | {"initial_weights": "imagenet", "teacher": "", "steps": steps}
        content |= {"warmup_steps": steps // 10, "validate_every": 0, "save_every": 50}
        content |= {"batch": batch, "learning_rate": rate, "ema": 0.998}
        edit(content)
        varied = Recipe.model_validate(content)
        rates: list[float] = []

        def report(record: StepRecord, rates: list[float] = rates, name: str = name) -> None:
            rates.append(record.rate)
            if record.step % 50 == 0:
                console.print(f"{name} {record.step}/{steps} loss {record.loss:.3f}", highlight=False)

        network = PublishedNetwork() if name == "fc-siam-diff" else None
        trained = train(varied, data, out / name, report=report, network=network)
        cells = []
        for folder, question in (("val/levir", "building"), ("val/dsifn", "ground")):
            scores = measure_pairs(InferenceWrapper(trained), LabelledPairs(data / folder, question))
            cells += [f"{scores.at(0.5)['f1']:.3f}", f"{average_precision(scores):.3f}"]
        speed = f"{np.median(rates):.1f}" if rates else "–"
        table.add_row(name, description, *cells, speed)
        with (out / "ablation.csv").open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([name, steps, *cells, speed])
    console.print(table)


if __name__ == "__main__":
    typer.run(run)
