"""One training sample, and the sources that samples are drawn from.

Two meanings of "changed" are in the public data and they are different questions: *is there a new building* and
*did this land turn into construction land*. A source says which one its label answers; the other output is not
trained on it.
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
"""In an answer: nobody said whether this pixel changed (or is a building); it is not trained on."""


@dataclass(frozen=True)
class Sample:
    """A pair with what is known about it. Answers are 0, 1 or :data:`UNKNOWN`.

    Attributes:
        before: H×W×3 RGB.
        after: H×W×3 RGB.
        building: H×W, 1 where a building appeared or disappeared, or None when the source does not ask.
        ground: H×W, 1 where land turned, or None when the source does not ask.
        direction: H×W int8, +1 appeared, −1 disappeared, 0 unknown.
        stood: H×W, 1 where a building stands on the earlier date, or None when nothing is known.
        stands: the same on the later date.
        magnify: smallest and largest factor by which the pair may be enlarged; None: the recipe's.
    """

    before: Image
    after: Image
    building: Image | None
    ground: Image | None
    direction: NDArray[np.int8]
    stood: Image | None = None
    stands: Image | None = None
    magnify: tuple[float, float] | None = None


class Source(Protocol):
    """Something that samples are drawn from."""

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one sample, chosen by ``rng``."""


@cache  # decoding costs a quarter of a sample; all of the imagery decoded is some 2.5 GB
def read_rgb(path: Path) -> Image:
    """Read an 8-bit image as H×W×3 RGB."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SettingsError(f"{path} could not be read as an image; the folder is not usable for training.")
    rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    rgb.setflags(write=False)
    return rgb


@cache
def read_grey(path: Path) -> Image:
    """Read a mask as H×W of the values that are in it."""
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise SettingsError(f"{path} could not be read as a mask; the folder is not usable for training.")
    mask.setflags(write=False)
    return np.asarray(mask, dtype=np.uint8)


@cache
def read_mask(path: Path) -> Image:
    """Read a mask (0 / 255) as H×W with 0 and 1."""
    mask = np.asarray(read_grey(path) > 127).astype(np.uint8)
    mask.setflags(write=False)
    return mask


def listed(folder: Path, prefix: str = "") -> list[Path]:
    """Files of a folder in the order of their names, hidden ones left out.

    Raises:
        SettingsError: there is none.
    """
    files = sorted(p for p in folder.iterdir() if p.name.startswith(prefix) and not p.name.startswith("."))
    if not files:
        raise SettingsError(f"{folder} holds no file that begins with {prefix!r}; check the recipe's folders.")
    return files


def window(shape: tuple[int, int], side: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a random square of ``side`` pixels; all of them where the image is smaller."""
    y, x = (int(rng.integers(max(1, length - side + 1))) for length in shape)
    return slice(y, y + side), slice(x, x + side)


class LabelledPairs:
    """A folder in the layout ``A/ B/ label/`` (earlier, later, 0/255 mask; same stem in each)."""

    def __init__(
        self,
        folder: Path,
        question: str,
        prefix: str = "",
        crop: int = 384,
        magnify: tuple[float, float] | None = None,
        unknown: int | None = None,
        appears: bool = True,
        held_back: float = 0.0,
        held: bool = False,
        balanced: bool = False,
    ) -> None:
        """List the pairs.

        Args:
            folder: holds A, B and label.
            question: "building" or "ground": what a 255 in the label answers.
            prefix: only the stems that begin with it.
            crop: larger images give a random window of this many pixels.
            magnify: smallest and largest factor of enlargement, when the recipe's does not fit this imagery.
            unknown: value of the label where nobody said whether it changed.
            appears: what changed appeared, as in the public sources, which show growth; False: nobody said.
            held_back: share of the pairs, the last in the order of their names, that is kept from training.
            held: list those that are held back (all, where none are) instead of the others.
            balanced: pairs with a change and pairs without any are drawn equally often, where there are both.

        Raises:
            SettingsError: no such question, or no stem is in all three folders.
        """
        if question not in ("building", "ground"):
            raise SettingsError(f"The question of {folder} is {question!r}; it must be 'building' or 'ground'.")
        self.question, self.crop, self.magnify = question, crop, magnify
        self.unknown, self.appears = unknown, appears
        others = {name: {p.stem: p for p in listed(folder / name, prefix)} for name in ("B", "label")}
        self.pairs = [
            (a, others["B"][a.stem], others["label"][a.stem])
            for a in listed(folder / "A", prefix)
            if a.stem in others["B"] and a.stem in others["label"]
        ]
        if held_back:
            kept = len(self.pairs) - max(1, round(held_back * len(self.pairs)))
            self.pairs = self.pairs[kept:] if held else self.pairs[:kept]
        if not self.pairs:
            raise SettingsError(f"{folder} holds no stem that is in A, in B and in label.")
        self.sorts = self._by_change() if balanced else [self.pairs]

    def _by_change(self) -> list[list[tuple[Path, Path, Path]]]:
        """The pairs whose label holds a change, and those whose does not; one list where all are of one sort."""
        sorts: tuple[list[tuple[Path, Path, Path]], ...] = ([], [])
        for pair in self.pairs:
            sorts[bool((self.answer(pair[2]) == 1).any())].append(pair)
        return [sort for sort in sorts if sort]

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one pair or a window of it."""
        pairs = self.sorts[rng.integers(len(self.sorts))] if len(self.sorts) > 1 else self.pairs
        a, b, label = pairs[rng.integers(len(pairs))]
        answer = self.answer(label)
        part = window(answer.shape, self.crop, rng)
        answer = answer[part]
        building = self.question == "building"
        appeared = (answer == 1) & self.appears
        return Sample(
            before=read_rgb(a)[part],
            after=read_rgb(b)[part],
            building=answer if building else None,
            ground=None if building else answer,
            direction=appeared.astype(np.int8),
            stood=np.where(appeared, 0, UNKNOWN).astype(np.uint8) if building else None,
            stands=np.where(appeared, 1, UNKNOWN).astype(np.uint8) if building else None,
            magnify=self.magnify,
        )

    def answer(self, label: Path) -> Image:
        """Read a label as H×W of 0, 1 and UNKNOWN."""
        if self.unknown is None:
            return read_mask(label)
        values = read_grey(label)
        return np.where(values == self.unknown, UNKNOWN, values > 127).astype(np.uint8)


class Unchanged:
    """One image as both dates: whatever the augmentation then does to each is no change, for either question."""

    def __init__(self, folders: Sequence[Path], prefix: str = "") -> None:
        """List every image in ``folders``."""
        self.folders = [listed(folder, prefix) for folder in folders]

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one place against itself."""
        images = self.folders[rng.integers(len(self.folders))]
        image = read_rgb(images[rng.integers(len(images))])
        none = np.zeros(image.shape[:2], np.uint8)
        return Sample(image, image.copy(), building=none, ground=none, direction=none.astype(np.int8))
