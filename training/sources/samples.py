"""Training samples, and sources of real images to draw them from.

Public data sets label two different kinds of change: *a building appeared or disappeared* and *land turned into
construction land*. Each source states which question its labels answer; the other output is not trained on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from errors import SettingsError

Image = NDArray[np.uint8]

UNKNOWN = 255
"""Target value of pixels without a label; they are not trained on."""


@dataclass(frozen=True)
class Sample:
    """A pair with its targets. Target pixels are 0, 1 or :data:`UNKNOWN`.

    Attributes:
        before: H×W×3 RGB.
        after: H×W×3 RGB.
        building: H×W, 1 where a building appeared or disappeared; None: not labelled by the source.
        ground: H×W, 1 where land turned into construction land; None: not labelled by the source.
        direction: H×W int8, +1 appeared, −1 disappeared, 0 unknown.
        buildings_before: H×W, 1 where there is a building on the earlier date; None: unknown.
        buildings_after: the same on the later date.
        magnify: smallest and largest scale factor of the augmentation; None: the recipe's.
    """

    before: Image
    after: Image
    building: Image | None
    ground: Image | None
    direction: NDArray[np.int8]
    buildings_before: Image | None = None
    buildings_after: Image | None = None
    magnify: tuple[float, float] | None = None


class Source(Protocol):
    """A source of samples."""

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one random sample; all randomness comes from ``rng``."""


@cache  # decoding is a quarter of the time of a sample; all imagery decoded takes some 2.5 GB
def read_rgb(path: Path) -> Image:
    """Read an 8-bit image as H×W×3 RGB; the array is cached and read-only.

    Raises:
        SettingsError: the file is not a readable image.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SettingsError(f"{path} could not be read as an image; the folder cannot be used for training.")
    rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    rgb.setflags(write=False)
    return rgb


@cache
def read_grey(path: Path) -> Image:
    """Read a single-band image as H×W uint8; the array is cached and read-only.

    Raises:
        SettingsError: the file is not a readable image.
    """
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise SettingsError(f"{path} could not be read as a mask; the folder cannot be used for training.")
    mask.setflags(write=False)
    return np.asarray(mask, dtype=np.uint8)


@cache
def read_mask(path: Path) -> Image:
    """Read a mask of 0 and 255 as H×W of 0 and 1; the array is cached and read-only."""
    mask = np.asarray(read_grey(path) > 127).astype(np.uint8)
    mask.setflags(write=False)
    return mask


def list_files(folder: Path, prefix: str = "") -> list[Path]:
    """List the files of a folder whose names start with ``prefix``, sorted by name, without hidden files.

    Raises:
        SettingsError: there is no such file.
    """
    files = sorted(p for p in folder.iterdir() if p.name.startswith(prefix) and not p.name.startswith("."))
    if not files:
        raise SettingsError(f"{folder} has no file whose name starts with {prefix!r}; check the recipe's folders.")
    return files


def random_window(shape: tuple[int, int], side: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """Return rows and columns of a random square window.

    Args:
        shape: height and width of the image.
        side: height and width of the window; an axis that is shorter is taken completely.
        rng: random generator.
    """
    y, x = (int(rng.integers(max(1, length - side + 1))) for length in shape)
    return slice(y, y + side), slice(x, x + side)


class LabelledPairs:
    """Labelled pairs of a folder with ``A/ B/ label/`` (earlier date, later date, 0/255 mask; same stem in each)."""

    def __init__(
        self,
        folder: Path,
        question: str,
        prefix: str = "",
        crop: int = 384,
        magnify: tuple[float, float] | None = None,
        unknown: int | None = None,
        appears: bool = True,
        validation_split: float = 0.0,
        validation: bool = False,
        balanced: bool = False,
    ) -> None:
        """List the pairs.

        Args:
            folder: parent of A, B and label.
            question: "building" or "ground": the meaning of 255 in the labels.
            prefix: use only stems that start with it.
            crop: height and width in pixels of the random window taken from larger images.
            magnify: smallest and largest scale factor, if the recipe's does not suit this imagery.
            unknown: label value of unlabelled pixels.
            appears: all changes are additions, as in the public data sets, which show growth; False: unknown.
            validation_split: share of the pairs, the last by name, that is excluded from training.
            validation: list the validation split (all pairs, if the split is 0) instead of the training pairs.
            balanced: draw pairs with and without a change equally often, if there are both.

        Raises:
            SettingsError: the question is not valid, or no stem is in all three folders.
        """
        if question not in ("building", "ground"):
            raise SettingsError(f"The question of {folder} is {question!r}; expected 'building' or 'ground'.")
        self.question, self.crop, self.magnify = question, crop, magnify
        self.unknown, self.appears = unknown, appears
        others = {name: {p.stem: p for p in list_files(folder / name, prefix)} for name in ("B", "label")}
        self.pairs = [
            (a, others["B"][a.stem], others["label"][a.stem])
            for a in list_files(folder / "A", prefix)
            if a.stem in others["B"] and a.stem in others["label"]
        ]
        if validation_split:
            training = len(self.pairs) - max(1, round(validation_split * len(self.pairs)))
            self.pairs = self.pairs[training:] if validation else self.pairs[:training]
        if not self.pairs:
            raise SettingsError(f"{folder} has no stem that is in A, in B and in label.")
        self.strata = self._split_by_change() if balanced else [self.pairs]

    def _split_by_change(self) -> list[list[tuple[Path, Path, Path]]]:
        """Split the pairs into those without and those with a change; an empty list is omitted."""
        strata: tuple[list[tuple[Path, Path, Path]], ...] = ([], [])
        for pair in self.pairs:
            strata[bool((self.read_target(pair[2]) == 1).any())].append(pair)
        return [pairs for pairs in strata if pairs]

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one pair, or a random window of it."""
        pairs = self.strata[rng.integers(len(self.strata))] if len(self.strata) > 1 else self.pairs
        a, b, label = pairs[rng.integers(len(pairs))]
        target = self.read_target(label)
        window = random_window(target.shape, self.crop, rng)
        target = target[window]
        building = self.question == "building"
        appeared = (target == 1) & self.appears
        return Sample(
            before=read_rgb(a)[window],
            after=read_rgb(b)[window],
            building=target if building else None,
            ground=None if building else target,
            direction=appeared.astype(np.int8),
            buildings_before=np.where(appeared, 0, UNKNOWN).astype(np.uint8) if building else None,
            buildings_after=np.where(appeared, 1, UNKNOWN).astype(np.uint8) if building else None,
            magnify=self.magnify,
        )

    def read_target(self, label: Path) -> Image:
        """Read a label file as H×W of 0, 1 and UNKNOWN."""
        if self.unknown is None:
            return read_mask(label)
        values = read_grey(label)
        return np.where(values == self.unknown, UNKNOWN, values > 127).astype(np.uint8)


class Unchanged:
    """One image as both dates: a negative sample for both questions, which only the augmentation varies."""

    def __init__(self, folders: Sequence[Path], prefix: str = "") -> None:
        """List the images of ``folders``."""
        self.folders = [list_files(folder, prefix) for folder in folders]

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one image as both dates."""
        images = self.folders[rng.integers(len(self.folders))]
        image = read_rgb(images[rng.integers(len(images))])
        unchanged = np.zeros(image.shape[:2], np.uint8)
        return Sample(image, image.copy(), building=unchanged, ground=unchanged, direction=unchanged.astype(np.int8))


class UnchangedPairs:
    """Real pairs in which no building changed, with another season, light and view; the ground is not labelled."""

    def __init__(self, folder: Path, crop: int = 384, validation: bool = False) -> None:
        """List the pairs of ``folder/A`` and ``folder/B``.

        Args:
            folder: parent of A (earlier dates) and B (later dates), with the same stems.
            crop: height and width in pixels of the random window taken from larger images.
            validation: list every second pair by name, beginning with the first; False: the others.

        Raises:
            SettingsError: a folder has no file.
        """
        later = {path.stem: path for path in list_files(folder / "B")}
        pairs = [(a, later[a.stem]) for a in list_files(folder / "A") if a.stem in later]
        self.pairs = pairs[0 if validation else 1 :: 2]
        self.crop = crop

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return a random window of one pair."""
        a, b = self.pairs[rng.integers(len(self.pairs))]
        before, after = read_rgb(a), read_rgb(b)
        window = random_window((before.shape[0], before.shape[1]), self.crop, rng)
        unchanged = np.zeros(before[window].shape[:2], np.uint8)
        return Sample(before[window], after[window], unchanged, None, unchanged.astype(np.int8))
