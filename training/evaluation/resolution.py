"""A pair in memory on the grid that a scan would compare it on, read with the scan's own resampling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from imagery import Patch
from imagery.pyramid import Box, Level, Pyramid
from imagery.resample import interpolate, source_positions, window_for
from inference.pair import MAX_UPSAMPLING, Pair, measure_normalization
from inference.pair_reader import PairReader
from inference.registration.measure import Alignment, AlignSettings, measure_alignment
from inference.registration.shift_field import identity_field
from inference.settings import AUTO, ScanConfig, ScanSettings, settings_for


class _HeldPixels(Pyramid):
    """The pyramid of an image that is in memory: one level."""

    def __init__(self, image: Patch) -> None:
        """Hold an image; nothing is opened."""
        height, width = image.valid.shape
        self._image = image
        self.levels = [Level(None, width, height, 1.0, 1.0)]

    def _raw(self, level: Level, box: Box) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        part = np.s_[box[0] : box[1], box[2] : box[3]]
        return self._image.rgb[part].copy(), self._image.valid[part].copy()


class HeldImage:
    """An image in memory, read as :class:`imagery.Scene` reads a file: :class:`inference.raster_source.RasterSource`."""

    def __init__(self, image: Patch) -> None:
        """Hold ``image`` on its own pixels."""
        self.geobox = GeoBox(image.valid.shape, Affine.identity(), None)
        self._pixels = _HeldPixels(image)

    def read(self, geobox: GeoBox, shift: NDArray[np.float32] | None = None) -> Patch:
        """Pixels and validity on ``geobox``, moved by ``shift``; see :meth:`imagery.Scene.read`."""
        shape = tuple(geobox.shape)
        at = source_positions(geobox, self.geobox, shift)
        window, inside = window_for(self._pixels, at)
        if window is None:
            return Patch(np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.bool_))
        values, valid = self._pixels.read(window.level, window.box, window.down, window.across)
        rgb, sure = interpolate(values, valid, *window.local_indices(at))
        sure = sure & inside
        rgb[~sure] = 0
        return Patch(rgb, sure)


@dataclass(frozen=True)
class Look:
    """How the pairs of a folder are looked at.

    Attributes:
        gsd_m: metres per pixel of the images; None: unknown, they are looked at on their own pixels.
        settings: what a scan would work with; None without ``gsd_m``.
        align: register the earlier image to the later one first.
    """

    gsd_m: float | None
    settings: ScanSettings | None
    align: bool = False

    @property
    def resolution_m(self) -> float | None:
        """Metres per pixel at which the network looks."""
        if self.gsd_m is None or self.settings is None:
            return None
        return max(self.settings.profile.resolution_m, self.gsd_m / MAX_UPSAMPLING)

    @property
    def step(self) -> float:
        """Pixels of the images for each pixel that the network sees: above 1 they are reduced, below 1 enlarged."""
        resolution = self.resolution_m
        return 1.0 if resolution is None or self.gsd_m is None else resolution / self.gsd_m


def look_at(config: ScanConfig, gsd_m: float | None, align: bool = False) -> Look:
    """Choose profile and resolution as ``tuban scan`` does with ``--profile auto``.

    Raises:
        SettingsError: the images are coarser than every profile.
    """
    return Look(gsd_m, None if gsd_m is None else settings_for(config, AUTO, gsd_m), align)


def _align_settings(look: Look) -> AlignSettings:
    resolution = look.resolution_m
    if look.settings is None or resolution is None:
        return AlignSettings()
    profile = look.settings.profile
    return AlignSettings(
        search_m=profile.search_m,
        search_px=max(16.0, profile.search_m / resolution),
        max_residual_px=profile.max_residual_px,
    )


def _unmoved(grid: GeoBox, reason: str | None) -> Alignment:
    field = identity_field(int(grid.width), int(grid.height))
    return Alignment(True, reason, None, None, None, 0, 0, 0.0, field)


def open_pair(before: Patch, after: Patch, look: Look) -> PairReader:
    """Lay a pair onto the grid of detection, normalise its colours, and register it if asked for.

    Where the registration is refused, the pair is compared as it lies and the reader's ``alignment.reason`` says why.

    Raises:
        NotComparable: no pixel is valid on both dates.
    """
    step = look.step
    height, width = after.valid.shape
    # the same numbers as inference.pair makes for images without coordinates
    shape = (max(1, math.floor(height / step)), max(1, math.floor(width / step)))
    grid = GeoBox(shape, Affine.scale(step), None)
    resolution = look.resolution_m or 1.0
    pair = Pair(HeldImage(before), HeldImage(after), grid, resolution, resolution**2)
    normalization = measure_normalization(pair)
    alignment = _unmoved(grid, None)
    if look.align:
        measured = measure_alignment(pair.before, pair.after, grid, _align_settings(look))
        alignment = measured if measured.usable else _unmoved(grid, measured.reason)
    return PairReader(pair, normalization, alignment)
