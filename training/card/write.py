"""Writing of ``NAME.md`` and its picture next to the weights."""

from __future__ import annotations

from pathlib import Path

from training.card.calibration import calibration_section
from training.card.facts import CardFacts
from training.card.failures import failures_section
from training.card.left_out import left_out_section
from training.card.markdown import paragraphs
from training.card.provenance import data_section, recipe_section, thresholds_section, weights_section
from training.card.scores import scores_section


def make_card(facts: CardFacts) -> str:
    """Return the complete card as Markdown."""
    card = paragraphs(
        weights_section(facts),
        data_section(facts),
        recipe_section(facts),
        thresholds_section(facts),
        calibration_section(facts.weights.calibration),
        scores_section(facts),
        left_out_section(facts.left_out),
        failures_section(facts, _picture_path(facts).name),
        facts.notes.strip(),
    )
    return card + "\n"


def _picture_path(facts: CardFacts) -> Path:
    """Return the path of the card's picture."""
    return facts.weights.path.with_name(f"{facts.weights.name}_worst.jpg")


def write_card(facts: CardFacts) -> Path:
    """Write the card and its picture, and return the card's path; without a picture an older one is deleted."""
    picture = _picture_path(facts)
    if facts.picture is None:
        picture.unlink(missing_ok=True)
    else:
        picture.write_bytes(facts.picture.jpeg)
    path = facts.weights.path.with_suffix(".md")
    path.write_text(make_card(facts), encoding="utf-8")
    return path
