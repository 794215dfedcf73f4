"""Content of a model card. Equal facts give equal bytes: they include no time and no absolute path."""

from __future__ import annotations

from dataclasses import dataclass

from model.weights import Weights
from training.card.run_figures import RunFigures
from training.evaluation.evaluate import Evaluation
from training.recipe import Recipe
from training.sources.manifest import Question


@dataclass(frozen=True)
class ValidationFolder:
    """A folder of pairs that were not used for training.

    Attributes:
        folder: relative to the root of the data.
        question: that its labels answer.
        gsd_m: metres per pixel of its images; None: from its manifest, else unknown.
    """

    folder: str
    question: Question
    gsd_m: float | None = None


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold and the pairs that it was chosen on.

    Attributes:
        value: probability.
        source: of the pairs in the recipe, as text; empty: no source answers the question, the value is a default.
        held_out: the pairs were not used for training.
        pairs: number of pairs.
        precision, recall: on these pairs at the threshold, over all pixels.
    """

    value: float
    source: str = ""
    held_out: bool = False
    pairs: int = 0
    precision: float = 0.0
    recall: float = 0.0


@dataclass(frozen=True)
class FolderScores:
    """Metrics of one folder.

    Attributes:
        name: in the card.
        question: that its labels answer.
        evaluation: of all pairs.
        curves: evaluation of a few pairs with robustness and restyled copies; None: not measured.
    """

    name: str
    question: Question
    evaluation: Evaluation
    curves: Evaluation | None = None


@dataclass(frozen=True)
class LeftOutSource:
    """A source measured by a network that was not trained on it.

    Attributes:
        name: of the source.
        question: that its labels answer.
        without: evaluation of a network trained on all other sources.
        trained: evaluation of the network of the card on the same pairs; None: not measured.
    """

    name: str
    question: Question
    without: Evaluation
    trained: Evaluation | None = None


@dataclass(frozen=True)
class Picture:
    """A picture for the card.

    Attributes:
        jpeg: content of the file.
        caption: Markdown, one line.
    """

    jpeg: bytes
    caption: str


@dataclass(frozen=True)
class CardFacts:
    """Content of a card.

    Attributes:
        weights: that the card describes.
        parameters: number of trainable parameters.
        file_bytes: size of the weights file.
        recipe: of the training.
        step: number of completed steps.
        log: summary of the run's log, if any.
        thresholds: by output.
        folders: metrics on real imagery that was not used for training.
        rendered: metrics on rendered scenes that were not used for training.
        picture: worst of the rendered scenes.
        notes: Markdown appended to the card.
        left_out: sources measured by networks that were not trained on them.
        initial: metrics of the weights that the training started from, on the same folders and scenes.
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
    initial: tuple[FolderScores, ...] = ()
    left_out: tuple[LeftOutSource, ...] = ()
