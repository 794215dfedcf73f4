"""Pairs that a recipe keeps out of training, by source and ground sample distance, to calibrate weights on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from imagery import Patch
from model.calibration import UNKNOWN_GSD_M
from training.evaluation.pair_decoding import LabelledPair
from training.recipe import Recipe
from training.sources.masked_images import MaskedFolder
from training.sources.samples import UNKNOWN, Image, LabelledPairs, read_grey, read_rgb
from training.sources.source_recipes import CrossPairsRecipe, PairsRecipe, UnchangedPairsRecipe

MAX_PAIRS = 30
"""Largest number of pairs of one source."""

MAX_SIDE = 512
"""Side of the window that is used of larger images."""

FEW_PAIRS = 5
"""A validation split smaller than this says nothing: all pairs of the source are used, and the card says so."""

REDUCIBLE_M = (0.4, 0.7)
"""Sources of this ground sample distance are also reduced to half of it, since there is none of about 1 m."""


@dataclass(frozen=True)
class HeldOutPairs:
    """Pairs of one source.

    Attributes:
        name: for the model card.
        question: output that the labels answer; empty: nothing changed.
        gsd_m: metres per pixel; None: not stated.
        held_out: the weights were not trained on them.
        count: number of pairs.
        read: returns an iterator over the pairs.
    """

    name: str
    question: str
    gsd_m: float | None
    held_out: bool
    count: int
    read: Callable[[], Iterator[LabelledPair]]

    @property
    def nominal_gsd_m(self) -> float:
        """Metres per pixel, or those assumed for images without."""
        return self.gsd_m or UNKNOWN_GSD_M


def held_out_pairs(recipe: Recipe, root: Path) -> list[HeldOutPairs]:
    """List the validation splits of a recipe's sources; labelled pairs, made pairs of buildings, unchanged pairs."""
    found: list[HeldOutPairs] = []
    for source in recipe.sources:
        if isinstance(source, PairsRecipe) and source.calibrate and source.unknown is None and source.validation_split:
            split = source.pairs(root, validation=True)
            held_out = len(split.pairs) >= FEW_PAIRS
            if not held_out:
                split = LabelledPairs(root / source.folder, source.question, source.prefix)
            name = f"{source.folder.as_posix()}{f' {source.prefix}*' if source.prefix else ''}"
            found += _labelled(name, source.question, source.gsd_m, held_out, split)
        elif isinstance(source, CrossPairsRecipe):
            found += [
                _crossed(folder)
                for folder in source.masked(root, validation=True)
                if len(folder.images()) // 2 >= FEW_PAIRS
            ]
        elif isinstance(source, UnchangedPairsRecipe):
            pairs = _evenly(source.pairs(root, validation=False).pairs)
            found.append(_unchanged(source.folder.as_posix(), pairs))
    return found


def _evenly(items: Sequence[tuple[Path, ...]]) -> list[tuple[Path, ...]]:
    if len(items) <= MAX_PAIRS:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, MAX_PAIRS).astype(int)]


def _labelled(
    name: str, question: str, gsd_m: float | None, held_out: bool, split: LabelledPairs
) -> Iterator[HeldOutPairs]:
    files = _evenly(split.pairs)

    def read(reduction: int = 1) -> Iterator[LabelledPair]:
        for before, after, label in files:
            target = split.read_target(label)
            yield _pair(before.stem, read_rgb(before), read_rgb(after), target == 1, target != UNKNOWN, reduction)

    yield HeldOutPairs(name, question, gsd_m, held_out, len(files), read)
    if gsd_m is not None and REDUCIBLE_M[0] <= gsd_m <= REDUCIBLE_M[1]:
        yield HeldOutPairs(f"{name}, reduced", question, 2 * gsd_m, held_out, len(files), lambda: read(2))


def _crossed(folder: MaskedFolder) -> HeldOutPairs:
    """Pair the images of a folder at random: the buildings of either date changed."""
    images = folder.images()
    order = np.random.default_rng(len(images)).permutation(len(images))
    pairs = [(images[a], images[b]) for a, b in zip(order[::2], order[1::2], strict=False)][:MAX_PAIRS]

    def read() -> Iterator[LabelledPair]:
        for first, second in pairs:
            dates = [(read_rgb(path), read_grey(mask) == folder.building) for path, mask, _ in (first, second)]
            height, width = (min(date[1].shape[axis] for date in dates) for axis in (0, 1))
            (before, built_before), (after, built_after) = [
                (rgb[:height, :width], built[:height, :width]) for rgb, built in dates
            ]
            changed = built_before ^ built_after
            yield _pair(first[0].stem, before, after, changed, np.ones_like(changed), 1)

    return HeldOutPairs(f"{folder.folder.name}, cross-pairs", "building", folder.gsd_m, True, len(pairs), read)


def _unchanged(name: str, files: list[tuple[Path, ...]]) -> HeldOutPairs:
    def read() -> Iterator[LabelledPair]:
        for before, after in files:
            rgb = read_rgb(before)
            nothing = np.zeros(rgb.shape[:2], np.bool_)
            yield _pair(before.stem, rgb, read_rgb(after), nothing, ~nothing, 1)

    return HeldOutPairs(name, "", 0.5, False, len(files), read)


def _pair(
    name: str, before: Image, after: Image, changed: NDArray[np.bool_], known: NDArray[np.bool_], reduction: int
) -> LabelledPair:
    part = np.s_[:MAX_SIDE, :MAX_SIDE]
    before, after, changed, known = before[part], after[part], changed[part], known[part]
    if reduction > 1:
        size = changed.shape[1] // reduction, changed.shape[0] // reduction
        before, after = (
            np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8) for image in (before, after)
        )
        shares = [cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) for mask in (changed, known)]
        changed, known = np.asarray(shares[0] > 0.5), np.asarray(shares[1] > 0.99)
    whole = np.ones(changed.shape, np.bool_)
    return LabelledPair(name, Patch(before.copy(), whole), Patch(after.copy(), whole), changed, known)
