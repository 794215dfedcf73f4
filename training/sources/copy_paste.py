"""Copy-paste pairs: buildings or ground works of one place pasted into the later date of another."""

from __future__ import annotations

import cv2
import numpy as np

from training.sources.masked_images import MaskedImageSource
from training.sources.samples import UNKNOWN, Image, Sample, Source, Unchanged, random_window


class PastedBuildings(MaskedImageSource):
    """One place on both dates, with buildings of another place pasted into the later one.

    Unlike in a cross-pair, the rest of the place stays the same, as on real ground. Patches without any building
    (trees, roads, fields) are pasted too and labelled unchanged, so that the network does not learn the seams. Follows
    Zheng et al. 2021 (STAR) and Ghiasi et al. 2021 (Simple Copy-Paste).
    """

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one place with buildings added to, or removed from, its later date."""
        image, buildings_before = self.windows.draw(rng)
        donor, donor_buildings = self.windows.draw(rng)
        quarter_turns = int(rng.integers(4))
        donor, donor_buildings = np.rot90(donor, quarter_turns), np.rot90(donor_buildings, quarter_turns)
        # buildings are pasted with a margin of their surroundings and shadow
        margin = cv2.dilate(donor_buildings, np.ones((2 * int(rng.integers(1, 5)) + 1,) * 2, np.uint8))
        pasted = _random_components(margin, rng, 0.6)
        decoy = _random_ellipses(margin.shape, rng) & (margin == 0) if rng.random() < 0.5 else np.zeros_like(margin)
        alpha = cv2.GaussianBlur(((pasted | decoy) > 0).astype(np.float32), (0, 0), rng.uniform(0.7, 2.0))[..., None]
        after = (image * (1 - alpha) + donor * alpha).astype(np.uint8)
        buildings_after = np.where(pasted > 0, donor_buildings, buildings_before)
        buildings_after = np.where(decoy > 0, 0, buildings_after).astype(np.uint8)
        # a roof pasted onto a roof is not a new building
        ambiguous = (buildings_before > 0) & (pasted > 0)
        changed = np.where(ambiguous, UNKNOWN, buildings_before ^ buildings_after).astype(np.uint8)
        difference = buildings_after.astype(np.int8) - buildings_before.astype(np.int8)
        return Sample(
            image,
            after,
            building=changed,
            ground=None,
            direction=np.where(changed == 1, difference, 0).astype(np.int8),
            buildings_before=buildings_before,
            buildings_after=buildings_after,
            magnify=(0.8, 1.25),
        )


class PastedEarthworks:
    """One place on both dates, with ground works of another place pasted into the later one: pits, piles, cleared land.

    The works keep the margin of surroundings that their labels include. Their mean colour is moved part of the way to
    that of the place, so that the network cannot find them by an unusual colour alone.
    """

    def __init__(self, places: Unchanged, donors: Source) -> None:
        """Paste works of ``donors``, whose samples must have ``ground`` labels, into ``places``."""
        self.places, self.donors = places, donors

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one place with works on its later date; buildings there are known only as far as the donor's label."""
        place, donor = self.places.draw(rng), self.donors.draw(rng)
        assert donor.ground is not None
        height, width = (min(a, b) for a, b in zip(place.before.shape[:2], donor.after.shape[:2], strict=True))
        place_window, donor_window = (
            random_window(image.shape[:2], min(height, width), rng) for image in (place.before, donor.after)
        )
        before, works = place.before[place_window], donor.after[donor_window].astype(np.float32)
        colour_difference = before.mean((0, 1)) - works.mean((0, 1))
        works = np.clip(works + rng.uniform(0, 1) * colour_difference, 0, 255)
        pasted = _random_components((donor.ground[donor_window] == 1).astype(np.uint8), rng, 0.7)
        alpha = cv2.GaussianBlur(pasted.astype(np.float32), (0, 0), rng.uniform(0.7, 2.0))[..., None]
        building = np.full_like(pasted, UNKNOWN) if donor.building is None else donor.building[donor_window]
        return Sample(
            before,
            (before * (1 - alpha) + works * alpha).astype(np.uint8),
            building=np.where(pasted > 0, building, 0).astype(np.uint8),
            ground=pasted,
            direction=np.where(pasted > 0, donor.direction[donor_window], 0).astype(np.int8),
        )


def _random_components(mask: Image, rng: np.random.Generator, probability: float) -> Image:
    """Keep each connected component of a 0/1 mask with the given probability."""
    count, labels = cv2.connectedComponents(mask)
    kept = rng.random(count) < probability
    kept[0] = False
    return np.asarray(kept[labels], dtype=np.uint8)


def _random_ellipses(shape: tuple[int, ...], rng: np.random.Generator) -> Image:
    """Draw one to three ellipses, 0/1."""
    out = np.zeros(shape[:2], np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        centre = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        axes = (int(rng.integers(6, 40)), int(rng.integers(6, 40)))
        cv2.ellipse(out, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return out
