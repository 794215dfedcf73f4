"""Pairs of real farmland: painted fields that farming changes are no change, painted construction sites are one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from training.sources.farmland.construction_sites import build_site
from training.sources.farmland.field_states import cover_with_greenhouses, paint_field
from training.sources.farmland.open_ground import OpenGround, OpenGroundFolder
from training.sources.farmland.painting import Floats, log_uniform, match_light, smooth_noise
from training.sources.samples import UNKNOWN, Image, Sample

SIZE_PX = 352
MIN_PLOT_PX = 200
"""Smallest area of a painted plot in pixels."""

MAX_PLOTS = 12
SITE_SHARE = 0.5
"""Share of samples with a construction site."""

GREENHOUSE_SHARE = 0.08
"""Share of plots with greenhouses or shade nets."""

DONOR_SHARE = 0.25
"""Share of painted fields that show the real texture of another field."""

SNOW_SHARE = 0.05


def _single_plots(shape: tuple[int, int], rng: np.random.Generator) -> Iterator[Image]:
    """Draw quadrangles of random sizes, H×W of 0 and 1 each."""
    for _ in range(int(rng.integers(1, 6))):
        centre = (float(rng.uniform(0, shape[1])), float(rng.uniform(0, shape[0])))
        length = log_uniform(rng, 30, 170)
        corners = cv2.boxPoints((centre, (length, length * rng.uniform(0.3, 1)), float(rng.uniform(0, 180))))
        corners = corners + rng.normal(0, 0.05 * length, corners.shape)
        mask = np.zeros(shape, np.uint8)
        cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1)
        yield mask


def _strips(shape: tuple[int, int], rng: np.random.Generator) -> Iterator[Image]:
    """Divide the ground into parallel strips and choose some of them, H×W of 0 and 1 each."""
    angle = rng.uniform(0, np.pi)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    width = log_uniform(rng, 22, 110)
    length = width * rng.uniform(1, 5)
    across = np.floor((x * np.cos(angle) + y * np.sin(angle)) / width + rng.random()).astype(np.int32)
    along = np.floor((y * np.cos(angle) - x * np.sin(angle)) / length + rng.random()).astype(np.int32)
    numbers = (across - across.min()) * (int(np.ptp(along)) + 1) + along - along.min()
    plots = np.unique(numbers)
    for number in rng.permutation(plots)[: int(rng.integers(2, MAX_PLOTS + 1))]:
        yield (numbers == number).astype(np.uint8)


class _Painter:
    """Paints plots into the two dates of one place."""

    def __init__(self, place: Image, ground: OpenGround, rng: np.random.Generator) -> None:
        self.images = [place.astype(np.float32), place.astype(np.float32)]
        self.mean = place.mean((0, 1)).astype(np.float32)
        self.ground, self.rng = ground, rng
        # one light for all plots of a place
        self.light_seed = int(rng.integers(2**31))

    def _light(self, colours: Floats) -> Floats:
        return match_light(colours, self.mean, np.random.default_rng(self.light_seed))

    def _donor(self, shape: tuple[int, int], bare: bool) -> Floats | None:
        """Return real ground of another place, of the given size; None if there is not enough of it."""
        rgb, open_ground, bare_ground = self.ground.draw(self.rng)
        share = cv2.boxFilter((bare_ground if bare else open_ground).astype(np.float32), -1, shape[::-1])
        y, x = np.unravel_index(int(np.argmax(share + 0.02 * self.rng.random(share.shape))), share.shape)
        y0 = int(np.clip(y - shape[0] // 2, 0, max(0, rgb.shape[0] - shape[0])))
        x0 = int(np.clip(x - shape[1] // 2, 0, max(0, rgb.shape[1] - shape[1])))
        donor = rgb[y0 : y0 + shape[0], x0 : x0 + shape[1]]
        if share[y, x] < 0.85 or donor.shape[:2] != shape:
            return None
        # its colour is moved part of the way to that of the place
        return np.asarray(donor + self.rng.uniform(0, 1) * (self.mean - donor.mean((0, 1))), dtype=np.float32)

    def _blend(self, date: int, window: tuple[slice, slice], mask: Image, painted: Floats) -> None:
        alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), self.rng.uniform(0.6, 1.6))[..., None]
        image = self.images[date][window]
        self.images[date][window] = image + (painted - image) * alpha

    def paint_field(self, date: int, window: tuple[slice, slice], mask: Image) -> None:
        """Paint a field in a random state, or with the texture of a real field of another place."""
        ground = self.images[date][window]
        donor = self._donor(mask.shape, bare=False) if self.rng.random() < DONOR_SHARE else None
        self._blend(date, window, mask, self._light(paint_field(ground, self.rng)) if donor is None else donor)

    def paint_greenhouses(self, date: int, window: tuple[slice, slice], mask: Image) -> None:
        """Paint greenhouses or shade nets."""
        painted = cover_with_greenhouses(self.images[date][window], self.rng)
        self._blend(date, window, mask, self._light(painted))

    def paint_site(self, date: int, window: tuple[slice, slice], mask: Image) -> Image:
        """Paint a construction site; return the mask of its huts."""
        surface = self._donor(mask.shape, bare=True) if self.rng.random() < 0.4 else None
        site, huts = build_site(self.images[date][window], surface, self.rng)
        self._blend(date, window, mask, self._light(site) if surface is None else site)
        return np.asarray(huts & mask, dtype=np.uint8)

    def snow(self, date: int) -> None:
        """Let snow lie on a part of one date."""
        image = self.images[date]
        lying = smooth_noise(image.shape[:2], log_uniform(self.rng, 15, 150), self.rng) + self.rng.uniform(-0.7, 2)
        cover = (1 / (1 + np.exp(-5 * lying)) * self.rng.uniform(0.6, 0.97))[..., None]
        fine = image - cv2.blur(image, (31, 31))
        white = np.float32(self.rng.uniform(200, 245)) + fine * self.rng.uniform(0.1, 0.6)
        self.images[date] = np.asarray(image + (white - image) * cover, dtype=np.float32)


class FarmlandPairs:
    """One place on both dates, with fields painted on its open ground.

    Fields that are ploughed, mulched, cropped, harvested, burnt or flooded on one date or differently on both are
    unchanged for both questions. Greenhouses and shade nets are no buildings; whether they are construction land is
    left unknown. Construction sites are changes of the ground. Rows, film and greenhouses: see
    :mod:`training.sources.farmland.field_states`; sites: :mod:`training.sources.farmland.construction_sites`.
    """

    def __init__(self, folders: Sequence[OpenGroundFolder], size: int = SIZE_PX) -> None:
        """List the images of ``folders``; windows have ``size``² pixels, or less in smaller images."""
        self.ground = OpenGround(folders, size)

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one place whose fields differ between the dates, in half of the samples with a construction site."""
        place, open_ground, _ = self.ground.draw(rng)
        shape = place.shape[:2]
        painter = _Painter(place, self.ground, rng)
        building, changed = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        free = open_ground.copy()
        site_wanted = rng.random() < SITE_SHARE
        plots = _strips(shape, rng) if rng.random() < 0.5 else _single_plots(shape, rng)
        for plot in plots:
            mask = plot & free
            if mask.sum() < max(MIN_PLOT_PX, 0.5 * plot.sum()):
                continue
            free &= 1 - mask
            x, y, width, height = cv2.boundingRect(mask)
            window = np.s_[y : y + height, x : x + width]
            mask = mask[window]
            if site_wanted:
                site_wanted = False
                if rng.random() < 0.5:
                    painter.paint_field(0, window, mask)
                huts = painter.paint_site(1, window, mask)
                changed[window] |= mask
                building[window] = np.where(huts > 0, UNKNOWN, building[window])
            elif rng.random() < GREENHOUSE_SHARE:
                painter.paint_greenhouses(1, window, mask)
                changed[window] = np.where(mask > 0, UNKNOWN, changed[window])
            else:
                painter.paint_field(1, window, mask)
                if rng.random() < 0.35:
                    painter.paint_field(0, window, mask)
        if rng.random() < SNOW_SHARE:
            painter.snow(int(rng.integers(2)))
        before, after = (np.clip(np.rint(image), 0, 255).astype(np.uint8) for image in painter.images)
        return Sample(
            before,
            after,
            building=building,
            ground=changed,
            direction=(changed == 1).astype(np.int8),
        )
