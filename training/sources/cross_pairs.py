"""Pairs made of single images: two places shown as two dates, or parts of one place set into another.

They bring in many more places and sensors than labelled pairs do, and their answers are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.sources.samples import UNKNOWN, Image, Sample, Source, Unchanged, listed, read_grey, read_rgb, window


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
            (image, self.folder / "masks" / (image.stem + ".png"), self) for image in listed(self.folder / "images")
        ]


class _Places:
    """Windows of masked images of many folders, brought to one size and about one ground resolution."""

    def __init__(self, folders: Sequence[MaskedFolder], size: int, target_m: tuple[float, float]) -> None:
        """List the images of all ``folders``; a window is ``size``² pixels of ``target_m`` metres, from and to."""
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
        part = window(values.shape, side, rng)
        size = (self.size, self.size)
        shrink = cv2.INTER_AREA if side > self.size else cv2.INTER_LINEAR
        small = cv2.resize(rgb[part], size, interpolation=shrink)
        stands = cv2.resize((values[part] == folder.building).astype(np.float32), size, interpolation=shrink)
        return np.asarray(small, dtype=np.uint8), (stands > 0.5).astype(np.uint8)


class MadeOfPlaces:
    """What pairs made of masked single-date images have in common."""

    def __init__(
        self, folders: Sequence[MaskedFolder], size: int = 320, target_m: tuple[float, float] = (0.25, 1.0)
    ) -> None:
        """List the images of all ``folders``; each is shown at a ground resolution of ``target_m`` metres."""
        self.places = _Places(folders, size, target_m)


class CrossPairs(MadeOfPlaces):
    """Two single-date images with building masks shown as two dates: changed is mask XOR mask (STAR, Zheng 2021)."""

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


class PastedBuildings(MadeOfPlaces):
    """One place against itself with buildings of another place set into the later date.

    Unlike a cross-pair all the rest of the place stays, as it does on real ground. So that a seam alone is not taken
    for a change, pieces without any building (trees, roads, fields) are set in too, and are no change. Learned from
    Zheng et al. 2021 (STAR) and Ghiasi et al. 2021 (copy and paste).
    """

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
        here, there = (window(image.shape[:2], min(height, width), rng) for image in (place.before, donor.after))
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
