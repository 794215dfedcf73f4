"""One training sample, and the sources that samples are drawn from.

Two meanings of "changed" are in the public data and they are different questions: *is there a new building* and
*did this land turn into construction land*. A source says which one its label answers; the other output is not
trained on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from errors import SettingsError

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """A pair with what is known about it.

    Attributes:
        before: H×W×3 RGB.
        after: H×W×3 RGB.
        building: H×W, 1 where a building appeared or disappeared, or None when the source does not ask.
        ground: H×W, 1 where land turned, or None when the source does not ask.
        direction: H×W int8, +1 appeared, −1 disappeared, 0 unknown.
    """

    before: Image
    after: Image
    building: Image | None
    ground: Image | None
    direction: NDArray[np.int8]


class Source(Protocol):
    """Something that samples are drawn from."""

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one sample, chosen by ``rng``."""


def read_rgb(path: Path) -> Image:
    """Read an 8-bit image as H×W×3 RGB."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SettingsError(f"{path} could not be read as an image; the folder is not usable for training.")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_mask(path: Path) -> Image:
    """Read a mask (0 / 255) as H×W with 0 and 1."""
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise SettingsError(f"{path} could not be read as a mask; the folder is not usable for training.")
    return np.asarray(mask > 127).astype(np.uint8)


def _listed(folder: Path, prefix: str = "") -> list[Path]:
    files = sorted(p for p in folder.iterdir() if p.name.startswith(prefix) and not p.name.startswith("."))
    if not files:
        raise SettingsError(f"{folder} holds no file that begins with {prefix!r}; check the recipe's folders.")
    return files


class LabelledPairs:
    """A folder in the layout ``A/ B/ label/`` (earlier, later, 0/255 mask; same stem in each)."""

    def __init__(self, folder: Path, question: str, prefix: str = "", crop: int = 384) -> None:
        """List the pairs.

        Args:
            folder: holds A, B and label.
            question: "building" or "ground": what a 255 in the label answers.
            prefix: only the stems that begin with it.
            crop: larger images give a random window of this many pixels.
        """
        if question not in ("building", "ground"):
            raise SettingsError(f"The question of {folder} is {question!r}; it must be 'building' or 'ground'.")
        self.question = question
        self.crop = crop
        self.pairs = [
            (a, next((folder / "B").glob(a.stem + ".*")), next((folder / "label").glob(a.stem + ".*")))
            for a in _listed(folder / "A", prefix)
        ]

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one pair or a window of it."""
        a, b, label = self.pairs[rng.integers(len(self.pairs))]
        mask = read_mask(label)
        h, w = mask.shape
        y = int(rng.integers(max(1, h - self.crop + 1)))
        x = int(rng.integers(max(1, w - self.crop + 1)))
        window = (slice(y, y + self.crop), slice(x, x + self.crop))
        mask = mask[window]
        # both public sources show growth: where something changed, it appeared
        return Sample(
            before=read_rgb(a)[window],
            after=read_rgb(b)[window],
            building=mask if self.question == "building" else None,
            ground=mask if self.question == "ground" else None,
            direction=mask.astype(np.int8),
        )


class CrossPairs:
    """Two single-date images with building masks shown as two dates: changed is mask XOR mask (STAR, Zheng 2021)."""

    def __init__(self, folders: Sequence[Path], size: int = 256) -> None:
        """List the images of all ``folders`` (``images/`` and ``masks/`` in each)."""
        self.size = size
        self.images = [
            (image, folder / "masks" / (image.stem + ".png"))
            for folder in folders
            for image in _listed(folder / "images")
        ]

    def _one(self, rng: np.random.Generator) -> tuple[Image, Image]:
        image, mask = self.images[rng.integers(len(self.images))]
        rgb, building = read_rgb(image), read_mask(mask)
        h, w = building.shape
        side = min(h, w, int(self.size * rng.uniform(0.8, 1.6)))
        y, x = int(rng.integers(h - side + 1)), int(rng.integers(w - side + 1))
        window = (slice(y, y + side), slice(x, x + side))
        size = (self.size, self.size)
        return (
            cv2.resize(rgb[window], size, interpolation=cv2.INTER_AREA).astype(np.uint8),
            cv2.resize(building[window], size, interpolation=cv2.INTER_NEAREST).astype(np.uint8),
        )

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return two unrelated places as one pair."""
        before, was = self._one(rng)
        after, stands = self._one(rng)
        changed = was ^ stands
        direction = stands.astype(np.int8) - was.astype(np.int8)
        return Sample(before, after, building=changed, ground=None, direction=direction)


class Unchanged:
    """One image as both dates: whatever the augmentation then does to each is no change, for either question."""

    def __init__(self, folders: Sequence[Path], prefix: str = "") -> None:
        """List every image in ``folders``."""
        self.images = [image for folder in folders for image in _listed(folder, prefix)]

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one place against itself."""
        image = read_rgb(self.images[rng.integers(len(self.images))])
        none = np.zeros(image.shape[:2], np.uint8)
        return Sample(image, image.copy(), building=none, ground=none, direction=none.astype(np.int8))
