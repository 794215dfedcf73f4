"""Facts → ``NAME.md`` and its picture, beside the weights."""

from __future__ import annotations

from pathlib import Path

from training.card.facts import Facts
from training.card.failures import failures
from training.card.markdown import paragraphs
from training.card.origin import data, thresholds, training, what_it_is
from training.card.scores import scores


def make_card(facts: Facts) -> str:
    """The whole card."""
    card = paragraphs(
        what_it_is(facts),
        data(facts),
        training(facts),
        thresholds(facts),
        scores(facts),
        failures(facts, _picture_path(facts).name),
        facts.notes.strip(),
    )
    return card + "\n"


def _picture_path(facts: Facts) -> Path:
    return facts.weights.path.with_name(f"{facts.weights.name}_worst.jpg")


def write_card(facts: Facts) -> Path:
    """Write the card and its picture; returns the card's path. A picture of an older card does not stay."""
    picture = _picture_path(facts)
    if facts.picture is None:
        picture.unlink(missing_ok=True)
    else:
        picture.write_bytes(facts.picture.jpeg)
    path = facts.weights.path.with_suffix(".md")
    path.write_text(make_card(facts), encoding="utf-8")
    return path
