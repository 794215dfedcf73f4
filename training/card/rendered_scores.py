"""Metrics on rendered scenes that were not used for training, and a publishable picture of the worst one."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from model.detector import Detector
from model.network_outputs import CHANGE_OUTPUTS
from training.card.facts import FolderScores, Picture
from training.evaluation.evaluate import Progress, evaluate_folder
from training.sources.manifest import Question
from training.synthetic import RenderedPair, SceneSpec, render_scene

SCENES = tuple(SceneSpec(seed=seed, width=700, height=700, gsd_m=0.5) for seed in (101, 102))
"""Their seeds are below those of :mod:`training.sources.rendered_scenes` and differ from the demo's."""

QUESTIONS: tuple[Question, ...] = ("building", "ground")
MAX_WIDTH_PX = 1200
MAX_BYTES = 400_000


def measure_rendered(
    detector: Detector, scenes: Sequence[SceneSpec], report: Progress
) -> tuple[tuple[FolderScores, ...], Picture | None]:
    """Render scenes, evaluate them for each question, and return a picture of the one with the lowest F1.

    Args:
        detector: loaded weights.
        scenes: with the same ground sample distance.
        report: receives the progress.
    """
    assert set(QUESTIONS) == set(CHANGE_OUTPUTS)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        for number, spec in enumerate(scenes, 1):
            _write(render_scene(spec), root)
            report("Rendering scenes", number / len(scenes))
        measured = [
            FolderScores(
                f"rendered scenes {', '.join(str(spec.seed) for spec in scenes)}",
                question,
                evaluate_folder(
                    root / question,
                    detector,
                    question=question,
                    gsd_m=scenes[0].gsd_m,
                    pictures=root / question / "pictures",
                ),
            )
            for question in QUESTIONS
        ]
        return tuple(measured), _worst(measured, root)


def _write(pair: RenderedPair, root: Path) -> None:
    """Write a scene as a labelled pair into the folder of each question."""
    for question in QUESTIONS:
        label = getattr(pair, question) * 255
        for part, image in (("A", pair.before), ("B", pair.after), ("label", label)):
            folder = root / question / part
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"scene_{pair.spec.seed}.png")


def _worst(measured: Sequence[FolderScores], root: Path) -> Picture | None:
    """Return the picture of the scene with the lowest F1; None if no scene contains a change."""
    with_change = [
        (one["f1"], folder, one["pair"])
        for folder in measured
        for one in folder.evaluation.by_pair
        if one["has_change"]
    ]
    if not with_change:
        return None
    f1, folder, name = min(with_change, key=lambda one: one[0])
    # the evaluation wrote a picture of the worst pair of each question
    picture = (root / folder.question / "pictures" / "worst.png").read_bytes()
    caption = (
        f"The worst of the rendered scenes (not a real place): `{name}`, question {folder.question}, pixel F1 "
        f"{f1:.3f}. Earlier date, later date, and the later date in grey with hits in green, misses in red and "
        "false alarms in yellow."
    )
    return Picture(shrink_to_jpeg(picture), caption)


def shrink_to_jpeg(png: bytes, max_width: int = MAX_WIDTH_PX, max_bytes: int = MAX_BYTES) -> bytes:
    """Scale a picture down until it fits; a palette would be smaller but distort the colours of the legend."""
    page = Image.open(io.BytesIO(png)).convert("RGB")
    width = min(max_width, page.width)
    while True:
        height = max(1, round(page.height * width / page.width))
        file = io.BytesIO()
        page.resize((width, height), Image.Resampling.LANCZOS).save(file, "JPEG", quality=88, subsampling=0)
        if len(file.getvalue()) < max_bytes or width < 200:
            return file.getvalue()
        width = int(width * 0.9)
