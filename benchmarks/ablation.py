"""What each source and each trick of a recipe brings: the same short training without it, measured on val/.

    .venv/bin/python -m benchmarks.ablation --steps 500 --out runs/ablation
    .venv/bin/python -m benchmarks.ablation --steps 500 --out runs/ablation whole fc-siam-diff

Every variant begins anew from ImageNet's numbers with the same seed; one that is finished is not trained again. What is
chance at this length is told by ``again``, the recipe as it is with another seed. The published layout needs torchgeo
and segmentation-models-pytorch, which Tuban itself does not: pip install torchgeo (or name their folder in PYTHONPATH).
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

from model.inference_wrapper import DeployedNetwork
from model.network import ChangeLogits, ChangeNetwork
from model.network_outputs import CHANGE_OUTPUTS
from model.registry import find_layout
from training.pixel_scores import PixelScores, measure_pairs
from training.recipe import Recipe, read_recipe
from training.sources.samples import LabelledPairs
from training.train import Progress, train

Change = Callable[[dict[str, Any]], None]
CALM = ("season", "sun", "cloud", "haze", "colour", "sharpness", "noise", "compression")


def _without(*kinds: str) -> Change:
    def change(recipe: dict[str, Any]) -> None:
        recipe["sources"] = [s for s in recipe["sources"] if s["kind"] not in kinds]

    return change


def _set(**values: Any) -> Change:
    def change(recipe: dict[str, Any]) -> None:
        recipe.update(values)

    return change


def _own_scale(recipe: dict[str, Any]) -> None:
    for source in recipe["sources"]:
        source.pop("magnify", None)


VARIANTS: dict[str, tuple[str, Change]] = {
    "whole": ("the recipe as it is", lambda recipe: None),
    "again": ("the recipe as it is, another seed", _set(seed=99)),
    "random-begin": (
        "without ImageNet's numbers",
        _set(begin_with="", frozen_stages=0, encoder_rate=1.0),
    ),
    "held": ("the two finest stages of the encoder stay as they began", _set(frozen_stages=2)),
    "no-standing": ("without the auxiliary task", _set(standing_weight=0.0)),
    "no-gaps": ("gaps between buildings count like the rest", _set(gap_weight=0.0)),
    "no-single-date": ("without cross-pairs and pasted buildings", _without("crossed", "pasted")),
    "no-leaning": ("without towers that lean another way on each date", _without("leaning")),
    "no-works": ("without works set into other places", _without("works")),
    "no-rendered": ("without rendered scenes", _without("rendered")),
    "no-unchanged": ("without unchanged places", _without("unchanged")),
    "one-scale": ("coarse imagery not enlarged", _own_scale),
    "plain-look": ("dates differ as they do, nothing restyled", _set(appearance=dict.fromkeys(CALM, 0.0))),
    "narrow": (
        "the fast layout, from random numbers",
        _set(network="fast", begin_with="", frozen_stages=0, encoder_rate=1.0),
    ),
    "fc-siam-diff": (
        "FC-Siam-diff (Daudt et al. 2018; torchgeo's, the same kind of encoder), from random numbers",
        _set(begin_with="", frozen_stages=0, encoder_rate=1.0, standing_weight=0.0),
    ),
}


class _Whole(nn.Module):
    """Hands both dates on as they are: the published network has its own encoder."""

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x]


class PublishedNetwork(ChangeNetwork):
    """FC-Siam-diff from torchgeo in the place of ours: two outputs, no direction, both dates in their order."""

    def __init__(self) -> None:
        super().__init__(find_layout("fast"))  # for its stride; its modules are taken out again
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
        self.encoder = _Whole()  # type: ignore[assignment]

    def compare(self, before: list[Tensor], after: list[Tensor]) -> ChangeLogits:
        change = self.published(torch.stack([before[0], after[0]], dim=1))
        return ChangeLogits(change, change[:, :1] * 0)


def average_precision(scores: PixelScores) -> float:
    """Area under precision over recall: a figure without a threshold."""
    hit = np.cumsum(scores.changed[::-1]) / max(1, scores.changed.sum())
    every = np.cumsum(scores.changed[::-1] + scores.unchanged[::-1])
    precision = np.cumsum(scores.changed[::-1]) / np.maximum(1, every)
    return float((np.diff(hit, prepend=0.0) * precision).sum())


def run(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of: {', '.join(VARIANTS)}; default: all.")] = None,
    steps: Annotated[int, typer.Option(help="Steps of each training.")] = 500,
    batch: Annotated[int, typer.Option(help="Pairs in each step.")] = 8,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 0.0012,
    recipe: Annotated[Path, typer.Option(help="The recipe that is varied.")] = Path("training/accurate.yaml"),
    out: Annotated[Path, typer.Option(help="Folder for the runs and ablation.csv.")] = Path("runs/ablation"),
    data: Annotated[Path, typer.Option(envvar="TUBAN_REAL_IMAGERY")] = Path("../shared/imagery"),
) -> None:
    words = Console()
    base = read_recipe(recipe)
    table = Table("variant", "what differs", "building F1", "building AP", "ground F1", "ground AP", "pairs/s")
    for name in names or VARIANTS:
        what, change = VARIANTS[name]
        content = base.model_dump(mode="json") | {"begin_with": "imagenet", "teacher": "", "steps": steps}
        content |= {"warmup_steps": steps // 10, "validate_every": 0, "save_every": 50}
        content |= {"batch": batch, "learning_rate": rate, "ema": 0.998}
        change(content)
        varied = Recipe.model_validate(content)
        rates: list[float] = []

        def tell(told: Progress, rates: list[float] = rates, name: str = name) -> None:
            rates.append(told.rate)
            if told.step % 50 == 0:
                words.print(f"{name} {told.step}/{steps} loss {told.loss:.3f}", highlight=False)

        network = PublishedNetwork() if name == "fc-siam-diff" else None
        trained = train(varied, data, out / name, report=tell, network=network)
        cells = []
        for folder, question in (("val/levir", "building"), ("val/dsifn", "ground")):
            scores = measure_pairs(DeployedNetwork(trained), LabelledPairs(data / folder, question))
            cells += [f"{scores.at(0.5)['f1']:.3f}", f"{average_precision(scores):.3f}"]
        speed = f"{np.median(rates):.1f}" if rates else "–"
        table.add_row(name, what, *cells, speed)
        with (out / "ablation.csv").open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([name, steps, *cells, speed])
    words.print(table)


if __name__ == "__main__":
    typer.run(run)
