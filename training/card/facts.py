"""Everything a card is made of. Equal facts make equal bytes: no clock, no path of this machine is among them."""

from __future__ import annotations

from dataclasses import dataclass

from model.weights import Weights
from training.card.run_figures import RunFigures
from training.evaluation.evaluate import Evaluation
from training.recipe import Recipe
from training.sources.manifest import Question


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


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold, and the pairs it was chosen on.

    Attributes:
        value: probability.
        source: of the recipe, in words; empty: none asks the question, so the value is 0.5.
        held_back: the pairs were not trained on.
        pairs: how many.
        precision, recall: there, at the threshold, over all pixels.
    """

    value: float
    source: str = ""
    held_back: bool = False
    pairs: int = 0
    precision: float = 0.0
    recall: float = 0.0


@dataclass(frozen=True)
class FolderScores:
    """What was measured on one folder.

    Attributes:
        name: what the card calls it.
        question: what its labels answer.
        found: all its pairs.
        curves: few of its pairs, with robustness and restyled copies; None: not measured.
    """

    name: str
    question: Question
    found: Evaluation
    curves: Evaluation | None = None


@dataclass(frozen=True)
class Picture:
    """A picture for the card.

    Attributes:
        jpeg: the file.
        caption: Markdown, one line.
    """

    jpeg: bytes
    caption: str


@dataclass(frozen=True)
class Facts:
    """What a card says.

    Attributes:
        weights: what the card is of.
        parameters: how many the network learns.
        file_bytes: size of the weights.
        recipe: what they were trained with.
        step: steps done.
        log: of the run, where it kept one.
        thresholds: by output.
        folders: real imagery that was not trained on.
        rendered: rendered scenes that were not trained on.
        picture: the worst of the rendered scenes.
        notes: Markdown that the card ends with.
    """

    weights: Weights
    parameters: int
    file_bytes: int
    recipe: Recipe
    step: int
    log: RunFigures | None
    thresholds: dict[str, ChosenThreshold]
    folders: tuple[FolderScores, ...]
    rendered: tuple[FolderScores, ...]
    picture: Picture | None = None
    notes: str = ""
