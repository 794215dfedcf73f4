"""Comparison of two sets of weights on the same images: held-back reviews of the service and rendered pairs.

Rendered pairs (:mod:`training.synthetic`) are generated from fixed seeds that training does not use, so nothing but the
program is needed. They measure what the network still knows in general; reviews measure what it learned of the region.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from model.network_outputs import CHANGE_OUTPUTS
from service.weights.review_pairs import write_held_back_pairs
from store.objects.object_store import ObjectStore
from store.review.reviewed_scans import ReviewedScan
from training.synthetic import SceneSpec

if TYPE_CHECKING:
    from model.detector import Detector
    from training.sources.manifest import Question

SCENES = tuple(SceneSpec(seed=seed, width=512, height=512, gsd_m=0.5) for seed in (103, 104, 105))
"""Their seeds are below those of training and differ from those of model cards and of the demo."""

TOLERANCE = 0.005
"""A lower F1 than before by more than this is worse; less is rounding in bf16."""

FOUND_SHARE = 0.3
"""Share of a reviewed outline above the threshold from which the detector would report it."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class ReviewScores:
    """Held-back reviews, and how many of them each set judges as the reviewers did.

    Attributes:
        confirmed: number of confirmed alerts.
        rejected: number of rejected alerts.
        old: alerts on which the weights in use agree with the reviewers.
        new: the same for the other weights.
    """

    confirmed: int = 0
    rejected: int = 0
    old: int = 0
    new: int = 0

    @property
    def alerts(self) -> int:
        """Number of alerts."""
        return self.confirmed + self.rejected


@dataclass(frozen=True)
class Comparison:
    """Scores of two sets of weights.

    Attributes:
        old: name of the weights in use.
        new: name of the other ones.
        rendered: pixel F1 on the rendered pairs, by output: (old, new).
        reviews: on the held-back reviews.
    """

    old: str
    new: str
    rendered: dict[str, tuple[float, float]] = field(default_factory=dict)
    reviews: ReviewScores = field(default_factory=ReviewScores)

    @property
    def worse(self) -> list[str]:
        """Sentences about what the new weights do worse; empty: nothing."""
        found = [
            f"{output} on rendered pairs: F1 {new:.3f} instead of {old:.3f}"
            for output, (old, new) in self.rendered.items()
            if new < old - TOLERANCE
        ]
        if self.reviews.new < self.reviews.old:
            scores = self.reviews
            found.append(
                f"held-back reviews: {scores.new} of {scores.alerts} judged as by the reviewers instead of {scores.old}"
            )
        return found

    def as_json(self) -> dict[str, Any]:
        """Return plain data, as stored with the use of weights."""
        return {**asdict(self), "worse": self.worse}


def compare_weights(
    old: Detector,
    new: Detector,
    objects: ObjectStore,
    scans: Sequence[ReviewedScan],
    *,
    scenes: Sequence[SceneSpec] = SCENES,
    progress: Progress = lambda _part, _fraction: None,
) -> Comparison:
    """Score both detectors on the same held-back reviews and rendered pairs.

    Args:
        old: detector with the weights in use.
        new: detector with the other weights.
        objects: with the images of the scans.
        scans: scans with reviewed alerts, of which one in five is held back.
        scenes: scenes to render.
        progress: called with the name of the current part and the fraction of it completed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _render(scenes, folder / "rendered", progress)
        rendered: dict[str, tuple[float, float]] = {}
        for output in CHANGE_OUTPUTS:
            scores = [_pixel_f1(folder / "rendered" / output, output, each, scenes) for each in (old, new)]
            rendered[output] = (scores[0], scores[1])
            progress("Comparing on rendered pairs", len(rendered) / len(CHANGE_OUTPUTS))
        pairs = write_held_back_pairs(
            objects, scans, folder / "reviews", lambda done: progress("Cutting out held-back reviews", done)
        )
        return Comparison(old.weights.name, new.weights.name, rendered, _review_scores(pairs, old, new, progress))


def _render(scenes: Sequence[SceneSpec], folder: Path, progress: Progress) -> None:
    from training.synthetic import render_scene

    for done, spec in enumerate(scenes, 1):
        pair = render_scene(spec)
        for output in CHANGE_OUTPUTS:
            for part, image in (("A", pair.before), ("B", pair.after), ("label", getattr(pair, output) * 255)):
                (folder / output / part).mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(folder / output / part / f"{spec.seed}.png")
        progress("Rendering pairs", done / len(scenes))


def _pixel_f1(folder: Path, output: str, detector: Detector, scenes: Sequence[SceneSpec]) -> float:
    question: Question = "building" if output == "building" else "ground"
    from training.evaluation.evaluate import evaluate_folder

    evaluation = evaluate_folder(folder, detector, question=question, gsd_m=scenes[0].gsd_m)
    return round(float(evaluation.pixel["f1"]), 4)


def _review_scores(folders: Sequence[Path], old: Detector, new: Detector, progress: Progress) -> ReviewScores:
    """Judge each alert once: by its own question if it was confirmed, by both if it was rejected."""
    from training.reviews.labelled_pairs import CONFIRMED, REJECTED, review_folders

    confirmed = rejected = 0
    agreed = [0, 0]
    for done, folder in enumerate(folders, 1):
        raised: dict[str, list[bool]] = {}  # by alert: whether each detector would report it
        truth: dict[str, bool] = {}
        for path, question, _ in review_folders(folder):
            for label_file in sorted((path / "label").glob("*.png")):
                before, after, label = (
                    np.asarray(Image.open(path / part / label_file.name)) for part in ("A", "B", "label")
                )
                alert = label_file.stem
                truth[alert] = bool((label == CONFIRMED).any())
                outline = label == (CONFIRMED if truth[alert] else REJECTED)
                found = [_reports(each, before, after, outline, question) for each in (old, new)]
                raised[alert] = [a or b for a, b in zip(raised.get(alert, [False, False]), found, strict=True)]
        confirmed += sum(truth.values())
        rejected += len(truth) - sum(truth.values())
        for which in (0, 1):
            agreed[which] += sum(raised[alert][which] == truth[alert] for alert in truth)
        progress("Comparing on held-back reviews", done / len(folders))
    return ReviewScores(confirmed, rejected, agreed[0], agreed[1])


def _reports(detector: Detector, before: Any, after: Any, outline: Any, question: Question) -> bool:
    """Return whether the detector marks enough of an outline (H×W bool) as changed; images are H×W×3."""
    from training.pixel_scores import predict_image

    probability = predict_image(detector, before, after)[CHANGE_OUTPUTS.index(question)]
    marked = probability[outline] >= detector.weights.threshold[question]
    return bool(marked.mean() >= FOUND_SHARE)
