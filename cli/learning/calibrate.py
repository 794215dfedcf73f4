"""``tuban calibrate``: fit what the scores of weights mean, their thresholds and the cut of the coarse look."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.language import say
from cli.learning.train import DATA, Data
from cli.progress import scan_progress


def calibrate(
    name: Annotated[str, typer.Argument(help="Name of the weights.")],
    recipe: Annotated[Path, typer.Option(help="Recipe whose validation splits the weights are calibrated on.")] = Path(
        "training/accurate.yaml"
    ),
    data: Data = DATA,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of the weights; default: that of the shipped ones.")
    ] = None,
) -> None:
    """Calibrate weights on pairs that they were not trained on; minutes on two cores.

    Fits, by output and ground resolution, the probability that a score stands for; chooses the thresholds of both
    operating points and the cut below which the coarse look ends the search. Writes NAME.calibration.json beside the
    weights, registers its checksum and updates the section of the model card. tuban export does the same.

    Example: tuban calibrate own --folder weights --recipe configs/training/own.yaml

    Exit codes: 0 calibrated, 2 wrong arguments or recipe, 6 the weights cannot be used, 130 interrupted.
    """
    from inference.settings import read_config
    from model.calibration import OPERATING_POINTS
    from model.detector import Detector
    from model.weights import FOLDER, save_calibration
    from training.calibration.calibrate import calibrate as fit
    from training.card.calibration import update_card
    from training.recipe import drop_missing_sources, read_recipe

    weights_folder = folder or FOLDER
    used_recipe = drop_missing_sources(read_recipe(recipe), data)
    with scan_progress() as progress:
        fitted = fit(Detector(name, folder=weights_folder), used_recipe, data, read_config(), progress)
    weights = save_calibration(name, fitted, weights_folder)
    update_card(weights)
    console = Console(highlight=False, soft_wrap=True)
    for source in fitted.record["sources"]:
        before, after = source["ece_before"], source["ece"]
        text = f"{source['name']}: calibration error {before:.3f} → {after:.3f}, F1 {source['f1']:.3f}"
        values = {"name": source["name"], "before": f"{before:.3f}", "after": f"{after:.3f}"}
        console.print(say(text, "cli.calibration_error", **values, f1=f"{source['f1']:.3f}"))
    for point in OPERATING_POINTS:
        found = str(fitted.thresholds(point, 0.5))
        console.print(
            say(f"Thresholds at 0.5 m, {point}: {found}", "cli.calibration_thresholds", point=point, found=found)
        )
    cut = str(dict(fitted.coarse_cut))
    console.print(say(f"Cut of the coarse look: {cut}", "cli.calibration_cut", cut=cut))
