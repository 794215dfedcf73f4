"""Card section on calibration: error by ground resolution, operating points, cost of the coarse look."""

from __future__ import annotations

import re
from typing import Any

from model.calibration import Calibration
from model.network_outputs import CHANGE_OUTPUTS
from model.weights import Weights
from training.card.markdown import format_number, paragraphs, table

HEADING = "## Calibration"


def calibration_section(calibration: Calibration | None) -> str:
    """Return the section; empty without a calibration."""
    if calibration is None:
        return ""
    record = calibration.record
    heads = (
        "source",
        "question",
        "m per pixel",
        "pairs",
        "changed %",
        "calibration error before",
        "after",
        "fitted without it",
        "F1",
        "best F1",
        "lost by the coarse look %",
    )
    return paragraphs(
        HEADING,
        "A score is the probability of a change, as measured on pairs of the training folders that were kept out of "
        "training, with their share of changed ground; by output and ground sample distance (Platt scaling, "
        "interpolated between the sources). *Fitted without it*: the error on a source when the scaling is fitted on "
        "the others only.",
        table(heads, [_source_row(source) for source in record.get("sources", [])]),
        _operating_points(calibration, record.get("unchanged", {})),
        _coarse_look(calibration),
    )


def _source_row(source: dict[str, Any]) -> tuple[str, ...]:
    name = f"`{source['name']}`" + ("" if source["held_out"] else " (trained on: its split has too few pairs)")
    lost = source["lost_by_coarse_look"]
    return (
        name,
        source["question"],
        "not stated" if source["gsd_m"] is None else f"{source['gsd_m']:g}",
        str(source["pairs"]),
        f"{source['changed_share']:.1%}".rstrip("%"),
        *(format_number(source[key]) for key in ("ece_before", "ece", "ece_left_out", "f1", "best_f1")),
        format_number(None if lost is None else 100 * lost, ".2f"),
    )


def _operating_points(calibration: Calibration, unchanged: dict[str, Any]) -> str:
    rows = [
        (
            output,
            f"{knot.gsd_m:g}",
            f"{knot.slope:.2f}",
            f"{knot.offset:+.2f}",
            f"{knot.inspect:.2f}",
            f"{knot.all:.2f}",
        )
        for output in CHANGE_OUTPUTS
        for knot in calibration.knots[output]
    ]
    area = unchanged.get("area_km2")
    alarms = ""
    if area:
        rates = "; ".join(
            f"{output} {unchanged[output]['per_km2']['inspect']:.2f} (all: {unchanged[output]['per_km2']['all']:.2f})"
            for output in CHANGE_OUTPUTS
        )
        alarms = (
            f"False alarms per km² on {area:.1f} km² of unchanged ground of the training folders, outlines of the "
            f"minimum mapping unit of aerial images and more: {rates}. Part of that ground did change (fire, flood)."
        )
    heads = ("output", "m per pixel", "slope", "offset", "threshold inspect", "all")
    intro = "Scaling of the logit, and thresholds of the calibrated score by operating point:"
    return paragraphs(intro, table(heads, rows), alarms)


def _coarse_look(calibration: Calibration) -> str:
    cut = ", ".join(f"{output} {value:g}" for output, value in calibration.coarse_cut.items())
    return (
        f"Coarse to fine: ground where the look at half the resolution stays at or below {cut} is not looked at again. "
        "The table says which share of the rightly found pixels this loses. `coarse_to_fine: false` in "
        "`profiles.yaml` switches it off."
    )


def update_card(weights: Weights) -> None:
    """Replace or append the section in the card of weights; weights without a card stay without."""
    path = weights.path.with_suffix(".md")
    if not path.exists():
        return
    text, section = path.read_text(encoding="utf-8"), calibration_section(weights.calibration)
    found = re.search(rf"^{re.escape(HEADING)}\n.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        text = f"{text.rstrip()}\n\n{section}\n"
    else:
        text = f"{text[: found.start()]}{section}\n\n{text[found.end() :]}".rstrip() + "\n"
    path.write_text(text, encoding="utf-8")
