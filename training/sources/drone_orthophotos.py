"""Pairs of simulated drone orthophotos whose roofs lean: relief displacement of low houses, cut at mosaic seams.

An ordinary orthophoto is rectified with a terrain model, so a roof lies beside its footprint, away from the camera
station of the photo that it was taken from. The next flight has other stations and other seams: every house seems to
have moved by metres, or is cut where two photos meet. Towers seen from a satellite, with long walls and shadows, are
:mod:`training.sources.relief_displacement`. Some houses stand on one date only; these are the changes to find.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.sources.masked_images import MaskedFolder, MaskedImageSource
from training.sources.relief_displacement import sweep, translate
from training.sources.samples import UNKNOWN, Image, Sample

MAX_DISPLACEMENT_PX = 20.0
"""Largest displacement of a roof of relative height 1: three metres at 0.15 m."""

HEIGHTS = (0.5, 0.75, 1.0, 1.4)
"""Heights of houses, relative to the usual one."""

MIN_BUILT_SHARE = 0.03
NEW_SHARE = 0.2
"""Share of houses that stand on one date only, in the samples that have such houses."""


def fill_ground(place: Image, mask: Image) -> Image:
    """Return an H×W×3 image in which the ground around replaces the masked pixels, with its texture."""
    hidden = cv2.dilate(mask, np.ones((7, 7), np.uint8))
    quarter = tuple(side // 4 for side in mask.shape[::-1])
    pixels = cv2.resize(np.where(hidden[..., None] > 0, 0, place), quarter, interpolation=cv2.INTER_AREA)
    weight = cv2.resize((hidden == 0).astype(np.float32), quarter, interpolation=cv2.INTER_AREA)
    filled = np.full((*weight.shape, 3), place.mean(), np.float32)
    for side in (63, 23, 9, 3):  # the nearest ground that there is
        share = cv2.blur(weight, (side, side))[..., None]
        around = cv2.blur(pixels.astype(np.float32), (side, side)) / np.maximum(share, 1e-3)
        filled += (around - filled) * np.clip(share * 6 - 0.3, 0, 1)
    filled = cv2.resize(filled, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
    # the texture of the ground a third of the image away
    fine = (place.astype(np.float32) - cv2.blur(place, (11, 11))) * (hidden == 0)[..., None]
    filled += np.roll(fine, (place.shape[0] // 3, place.shape[1] // 3), (0, 1))
    alpha = cv2.GaussianBlur(cv2.dilate(mask, np.ones((5, 5), np.uint8)).astype(np.float32), (0, 0), 0.8)[..., None]
    return np.asarray(np.clip(place * (1 - alpha) + filled * alpha, 0, 255), dtype=np.uint8)


def _mosaic(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.intp]:
    """Divide an image among one to four photos by the nearest of their stations, with irregular seams: H×W numbers."""
    stations = rng.uniform(-0.5, 1.5, (int(rng.integers(1, 5)), 2)) * shape
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    knots = rng.normal(0, 12, (2, 12, 12)).astype(np.float32)
    bend_y, bend_x = (cv2.resize(knot, shape[::-1], interpolation=cv2.INTER_CUBIC) for knot in knots)
    y, x = y + bend_y, x + bend_x
    return np.asarray(np.argmin([(y - row) ** 2 + (x - column) ** 2 for row, column in stations], axis=0))


@dataclass(frozen=True)
class _Flight:
    """Stations, seams and light of one flight.

    Attributes:
        photos: H×W, number of the photo that each pixel of the mosaic is taken from.
        displacements: of a roof of relative height 1 in each photo, (x, y) in pixels.
        gains: brightness of each photo.
        wall_level: brightness of walls, relative to the mean of the place; 0: walls are not seen.
    """

    photos: NDArray[np.intp]
    displacements: list[NDArray[np.float64]]
    gains: list[float]
    wall_level: float

    def houses(self, masks: Sequence[tuple[float, Image]]) -> Image:
        """Return where the mosaic shows houses of the given (height, footprints): 1 on roofs, UNKNOWN on walls."""
        out = np.zeros(self.photos.shape, np.uint8)
        for photo, displacement in enumerate(self.displacements):
            seen = np.zeros_like(out)
            for height, mask in masks:
                if self.wall_level:
                    seen[sweep(mask, displacement * height) > 0] = UNKNOWN
                seen[translate(mask, displacement * height) > 0] = 1
            np.copyto(out, seen, where=self.photos == photo)
        return out

    def image(self, place: Image, ground: Image, masks: Sequence[tuple[float, Image]]) -> Image:
        """Render the mosaic, H×W×3, of a place with the given houses on the ground without any."""
        out = ground.copy()
        walls = np.broadcast_to(place.mean((0, 1)) * self.wall_level, place.shape).astype(np.uint8)
        for photo, (displacement, gain) in enumerate(zip(self.displacements, self.gains, strict=True)):
            view = ground.copy()
            for height, mask in masks:
                offset = displacement * height
                if self.wall_level:
                    cv2.copyTo(cv2.addWeighted(view, 0.3, walls, 0.7, 0), sweep(mask, offset), view)
                cv2.copyTo(translate(place, offset), translate(mask, offset), view)
            cv2.copyTo(cv2.convertScaleAbs(view, alpha=gain), (self.photos == photo).astype(np.uint8), out)
        return out


def _random_flight(shape: tuple[int, int], rng: np.random.Generator) -> _Flight:
    photos = _mosaic(shape, rng)
    count = int(photos.max()) + 1
    bearings = rng.uniform(0, 2 * np.pi, count)
    lengths = rng.uniform(0, 1, count) * MAX_DISPLACEMENT_PX
    return _Flight(
        photos,
        [np.array([np.cos(b), np.sin(b)]) * length for b, length in zip(bearings, lengths, strict=True)],
        [float(gain) for gain in rng.normal(1, 0.03, count)],
        rng.uniform(0.45, 0.9) if rng.random() < 0.5 else 0.0,
    )


class DroneOrthophotoPairs(MaskedImageSource):
    """One place in two orthophotos whose roofs lean differently, with houses that stand on one date only or without."""

    def __init__(
        self, folders: Sequence[MaskedFolder], size: int = 320, target_m: tuple[float, float] = (0.1, 0.35)
    ) -> None:
        """List the images of ``folders``; windows are ``size``² pixels of ``target_m`` metres (smallest, largest)."""
        super().__init__(folders, size, target_m)

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one place in two orthophotos; ``building`` is UNKNOWN on walls of changed houses."""
        for _ in range(6):
            place, mask = self.windows.draw(rng)
            if mask.mean() >= MIN_BUILT_SHARE:
                break
        count, labels = cv2.connectedComponents(mask)
        heights = rng.integers(len(HEIGHTS), size=count)
        # 0: stands on both dates, 1: on the earlier only, 2: on the later only
        stands = np.where(rng.random(count) < (NEW_SHARE if rng.random() < 0.5 else 0), rng.integers(1, 3, count), 0)
        ground = fill_ground(place, mask)
        dates, changes, roofs = [], [], []
        for other in (2, 1):
            flight = _random_flight(mask.shape, rng)
            present = (mask > 0) & (stands[labels] != other)
            masks = [(height, (present & (heights[labels] == i)).astype(np.uint8)) for i, height in enumerate(HEIGHTS)]
            masks = [(height, part) for height, part in masks if part.any()]
            houses = flight.houses(masks)
            changed = np.zeros_like(houses)
            if stands.any():
                changed = flight.houses(
                    [(height, part & (stands[labels] != 0).astype(np.uint8)) for height, part in masks]
                )
            dates.append(flight.image(place, ground, masks))
            roofs.append(houses)
            changes.append(np.where(houses == 1, changed, np.where(changed > 0, UNKNOWN, 0)).astype(np.uint8))
        gone, new = changes
        building = np.where((gone == 1) | (new == 1), 1, np.maximum(gone, new)).astype(np.uint8)
        before, after = dates
        return Sample(
            before,
            after,
            building=building,
            # a place where a house was built or removed may count as ground works
            ground=np.where(building > 0, UNKNOWN, 0).astype(np.uint8),
            direction=((new == 1).astype(np.int8) - (gone == 1).astype(np.int8)),
            buildings_before=roofs[0],
            buildings_after=roofs[1],
            magnify=(0.8, 1.25),
        )
