"""Card section on sources that a network was not trained on (leave one source out)."""

from __future__ import annotations

from collections.abc import Sequence

from training.card.facts import LeftOutSource
from training.card.markdown import format_number, paragraphs, table

SCORES = ("precision", "recall", "f1")


def left_out_section(sources: Sequence[LeftOutSource]) -> str:
    """Return the table of a source's scores with and without it in training; empty without sources."""
    rows = [
        (
            f"`{one.name}`",
            one.question,
            f"{one.without.pairs}",
            *(format_number(one.without.pixel[key]) for key in SCORES),
            format_number(None if one.trained is None else one.trained.pixel["f1"]),
        )
        for one in sources
    ]
    if not rows:
        return ""
    heads = ("source left out", "question", "pairs", "precision", "recall", "F1", "F1 when trained on it")
    intro = (
        "Each row is a network trained on all sources but one, measured on that one: what to expect of a place and a "
        "sensor that the network has never seen."
    )
    return paragraphs("## Sources left out", intro, table(heads, rows))
