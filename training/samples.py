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


def _listed(folder: Path, prefix: str = "") -> list[Path]:
    files = sorted(p for p in folder.iterdir() if p.name.startswith(prefix) and not p.name.startswith("."))
    if not files:
        raise SettingsError(f"{folder} holds no file that begins with {prefix!r}; check the recipe's folders.")
    return files


def _window(shape: tuple[int, int], side: int, rng: np.random.Generator) -> tuple[slice, slice]:
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
        others = {name: {p.stem: p for p in _listed(folder / name, prefix)} for name in ("B", "label")}
        self.pairs = [
            (a, others["B"][a.stem], others["label"][a.stem])
            for a in _listed(folder / "A", prefix)
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
        window = _window(answer.shape, self.crop, rng)
        answer = answer[window]
        building = self.question == "building"
        appeared = (answer == 1) & self.appears
        return Sample(
            before=read_rgb(a)[window],
            after=read_rgb(b)[window],
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


@dataclass(frozen=True)
class MaskedFolder:
    """Single-date images with masks: ``images/`` and ``masks/`` with the same stems.

    Attributes:
        folder: holds both.
        gsd_m: metres per pixel, so that places from several folders can be shown at one scale.
        building: value of the mask that is a building.
    """

    folder: Path
    gsd_m: float
    building: int = 255

    def images(self) -> list[tuple[Path, Path, MaskedFolder]]:
        """(image, mask, this folder) of each."""
        return [
            (image, self.folder / "masks" / (image.stem + ".png"), self) for image in _listed(self.folder / "images")
        ]


class _Places:
    """Windows of masked images of many folders, brought to one size and about one ground resolution."""

    def __init__(self, folders: Sequence[MaskedFolder], size: int, target_m: tuple[float, float]) -> None:
        self.size, self.target_m = size, target_m
        self.by_folder = [folder.images() for folder in folders]
        # a folder counts by the root of its images: a suburb with many does not drown ten cities with one each
        share = np.sqrt([len(images) for images in self.by_folder])
        self.edges = np.cumsum(share / share.sum())

    def draw(self, rng: np.random.Generator) -> tuple[Image, Image]:
        """One place: RGB and 0/1 building mask, both ``size``²."""
        which = min(int(np.searchsorted(self.edges, rng.random())), len(self.by_folder) - 1)
        images = self.by_folder[which]
        image, mask, folder = images[rng.integers(len(images))]
        rgb, values = read_rgb(image), read_grey(mask)
        target = float(np.exp(rng.uniform(*np.log(self.target_m))))
        side = min(*values.shape, max(32, round(self.size * target / folder.gsd_m)))
        window = _window(values.shape, side, rng)
        size = (self.size, self.size)
        shrink = cv2.INTER_AREA if side > self.size else cv2.INTER_LINEAR
        small = cv2.resize(rgb[window], size, interpolation=shrink)
        stands = cv2.resize((values[window] == folder.building).astype(np.float32), size, interpolation=shrink)
        return np.asarray(small, dtype=np.uint8), (stands > 0.5).astype(np.uint8)


class CrossPairs:
    """Two single-date images with building masks shown as two dates: changed is mask XOR mask (STAR, Zheng 2021)."""

    def __init__(
        self, folders: Sequence[MaskedFolder], size: int = 320, target_m: tuple[float, float] = (0.25, 1.0)
    ) -> None:
        """List the images of all ``folders``; each is shown at a ground resolution of ``target_m`` metres."""
        self.places = _Places(folders, size, target_m)

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return two unrelated places as one pair."""
        before, stood = self.places.draw(rng)
        after, stands = self.places.draw(rng)
        return Sample(
            before,
            after,
            building=stood ^ stands,
            ground=None,
            direction=stands.astype(np.int8) - stood.astype(np.int8),
            stood=stood,
            stands=stands,
            magnify=(0.8, 1.25),
        )


class PastedBuildings:
    """One place against itself with buildings of another place set into the later date.

    Unlike a cross-pair all the rest of the place stays, as it does on real ground. So that a seam alone is not taken
    for a change, pieces without any building (trees, roads, fields) are set in too, and are no change. Learned from
    Zheng et al. 2021 (STAR) and Ghiasi et al. 2021 (copy and paste).
    """

    def __init__(
        self, folders: Sequence[MaskedFolder], size: int = 320, target_m: tuple[float, float] = (0.25, 1.0)
    ) -> None:
        """List the images of all ``folders``; see :class:`CrossPairs`."""
        self.places = _Places(folders, size, target_m)

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one place with buildings added to, or taken from, its later date."""
        image, stood = self.places.draw(rng)
        donor, donated = self.places.draw(rng)
        turns = int(rng.integers(4))
        donor, donated = np.rot90(donor, turns), np.rot90(donated, turns)
        # a building brings a rim of its own surroundings and shadow with it
        rim = cv2.dilate(donated, np.ones((2 * int(rng.integers(1, 5)) + 1,) * 2, np.uint8))
        chosen = _some_pieces(rim, rng, 0.6)
        decoy = _blobs(donated.shape, rng) & (rim == 0) if rng.random() < 0.5 else np.zeros_like(donated)
        soft = cv2.GaussianBlur(((chosen | decoy) > 0).astype(np.float32), (0, 0), rng.uniform(0.7, 2.0))[..., None]
        after = (image * (1 - soft) + donor * soft).astype(np.uint8)
        stands = np.where(chosen > 0, donated, stood)
        stands = np.where(decoy > 0, 0, stands).astype(np.uint8)
        # roof on roof is no new building, whatever it looks like
        changed = np.where((stood > 0) & (chosen > 0), UNKNOWN, stood ^ stands).astype(np.uint8)
        return Sample(
            image,
            after,
            building=changed,
            ground=None,
            direction=np.where(changed == 1, stands.astype(np.int8) - stood.astype(np.int8), 0).astype(np.int8),
            stood=stood,
            stands=stands,
            magnify=(0.8, 1.25),
        )


class PastedWorks:
    """One place against itself with ground works of another place set into the later date: pits, piles, cleared land.

    The donors' works come with the rim of their own surroundings that their labels include. Their light is brought
    part of the way to the place's, so that a strange colour alone does not give them away.
    """

    def __init__(self, places: Unchanged, donors: Source) -> None:
        """Set works of ``donors``, whose samples must answer the question of the ground, into ``places``."""
        self.places, self.donors = places, donors

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one place with works on its later date; what is built there is known only where the donor says it."""
        place, donor = self.places.draw(rng), self.donors.draw(rng)
        assert donor.ground is not None
        height, width = (min(a, b) for a, b in zip(place.before.shape[:2], donor.after.shape[:2], strict=True))
        here, there = (_window(image.shape[:2], min(height, width), rng) for image in (place.before, donor.after))
        before, light = place.before[here], donor.after[there].astype(np.float32)
        towards = before.mean((0, 1)) - light.mean((0, 1))
        light = np.clip(light + rng.uniform(0, 1) * towards, 0, 255)
        chosen = _some_pieces((donor.ground[there] == 1).astype(np.uint8), rng, 0.7)
        soft = cv2.GaussianBlur(chosen.astype(np.float32), (0, 0), rng.uniform(0.7, 2.0))[..., None]
        built = np.full_like(chosen, UNKNOWN) if donor.building is None else donor.building[there]
        return Sample(
            before,
            (before * (1 - soft) + light * soft).astype(np.uint8),
            building=np.where(chosen > 0, built, 0).astype(np.uint8),
            ground=chosen,
            direction=np.where(chosen > 0, donor.direction[there], 0).astype(np.int8),
        )


def _some_pieces(mask: Image, rng: np.random.Generator, share: float) -> Image:
    """Each connected piece of a 0/1 mask kept with probability ``share``."""
    count, pieces = cv2.connectedComponents(mask)
    kept = rng.random(count) < share
    kept[0] = False
    return np.asarray(kept[pieces], dtype=np.uint8)


def _blobs(shape: tuple[int, ...], rng: np.random.Generator) -> Image:
    """A few ellipses, 0/1."""
    out = np.zeros(shape[:2], np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        centre = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        axes = (int(rng.integers(6, 40)), int(rng.integers(6, 40)))
        cv2.ellipse(out, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return out


class Unchanged:
    """One image as both dates: whatever the augmentation then does to each is no change, for either question."""

    def __init__(self, folders: Sequence[Path], prefix: str = "") -> None:
        """List every image in ``folders``."""
        self.folders = [_listed(folder, prefix) for folder in folders]

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one place against itself."""
        images = self.folders[rng.integers(len(self.folders))]
        image = read_rgb(images[rng.integers(len(images))])
        none = np.zeros(image.shape[:2], np.uint8)
        return Sample(image, image.copy(), building=none, ground=none, direction=none.astype(np.int8))
