"""Resampling, normalization and registration of an in-memory pair, exactly as in a scan."""

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
from inference.looks import choose_looks
from inference.pair import MAX_UPSAMPLING, Pair, measure_normalization
from inference.pair_reader import PairReader
from inference.registration.measure import Alignment, AlignSettings, measure_alignment
from inference.registration.shift_field import identity_field
from inference.scan_plan import align_settings
from inference.settings import AUTO, ScanConfig, ScanSettings, settings_for
from model.descriptor import shared_descriptor
from model.looks import Looks
from model.weights import Weights


class _InMemoryPyramid(Pyramid):
    """Pyramid of an in-memory image with one level."""

    def __init__(self, image: Patch) -> None:
        """Wrap an image without opening a file."""
        height, width = image.valid.shape
        self._image = image
        self.levels = [Level(None, width, height, 1.0, 1.0)]

    def _raw(self, level: Level, box: Box) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        part = np.s_[box[0] : box[1], box[2] : box[3]]
        return self._image.rgb[part].copy(), self._image.valid[part].copy()


class InMemoryImage:
    """In-memory image, read as :class:`imagery.Scene` reads a file: :class:`inference.raster_source.RasterSource`."""

    def __init__(self, image: Patch, geobox: GeoBox | None = None) -> None:
        """Wrap an image; without a geobox of its own, positions are its pixels."""
        self.geobox = geobox or GeoBox(image.valid.shape, Affine.identity(), None)
        self._pixels = _InMemoryPyramid(image)

    def read(self, geobox: GeoBox, shift: NDArray[np.float32] | None = None) -> Patch:
        """Read pixels and validity on ``geobox``, displaced by ``shift``; see :meth:`imagery.Scene.read`."""
        shape = tuple(geobox.shape)
        source = source_positions(geobox, self.geobox, shift)
        window, inside = window_for(self._pixels, source)
        if window is None:
            return Patch(np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.bool_))
        values, valid = self._pixels.read(window.level, window.box, window.down, window.across)
        rgb, certain = interpolate(values, valid, *window.local_indices(source))
        certain = certain & inside
        rgb[~certain] = 0
        return Patch(rgb, certain)


@dataclass(frozen=True)
class ComparisonSettings:
    """How the pairs of a folder are compared.

    Attributes:
        gsd_m: metres per pixel of the images; None: unknown, they are compared on their own pixels.
        scan: settings that a scan would use; None without ``gsd_m``.
        align: register the earlier image to the later one first.
        refused_missed: report nothing for pairs whose registration is refused, as a scan does; False: compare them as
            they are.
    """

    gsd_m: float | None
    scan: ScanSettings | None
    align: bool = False
    refused_missed: bool = False

    @property
    def resolution_m(self) -> float | None:
        """Metres per pixel at which the network compares; None if unknown."""
        if self.gsd_m is None or self.scan is None:
            return None
        return max(self.scan.profile.resolution_m, self.gsd_m / MAX_UPSAMPLING)

    def looks(self, weights: Weights) -> Looks:
        """Return what the network looks at, as in a scan; its own pixels only if the resolution is unknown."""
        profile = None if self.scan is None else self.scan.profile
        return choose_looks(weights, profile, self.gsd_m, self.resolution_m or 1.0)

    @property
    def reduction(self) -> float:
        """Image pixels per pixel of the network along one axis: above 1 images are reduced, below 1 enlarged."""
        resolution = self.resolution_m
        return 1.0 if resolution is None or self.gsd_m is None else resolution / self.gsd_m


def comparison_settings(
    config: ScanConfig, gsd_m: float | None, align: bool = False, refused_missed: bool = False
) -> ComparisonSettings:
    """Choose profile and resolution as ``tuban scan`` does with ``--profile auto``.

    Raises:
        SettingsError: the images are coarser than every profile.
    """
    scan = None if gsd_m is None else settings_for(config, AUTO, gsd_m)
    return ComparisonSettings(gsd_m, scan, align, refused_missed)


def _align_settings(settings: ComparisonSettings) -> AlignSettings:
    """Return the registration settings of the scan's profile; the defaults if the resolution is unknown."""
    resolution = settings.resolution_m
    if settings.scan is None or resolution is None:
        return AlignSettings()
    return align_settings(settings.scan, resolution)


def _identity_alignment(grid: GeoBox, reason: str | None) -> Alignment:
    """Return an alignment that moves nothing; ``reason`` says why a registration was refused."""
    field = identity_field(int(grid.width), int(grid.height))
    return Alignment(True, reason, None, None, None, 0, 0, 0.0, field)


def open_pair(before: Patch, after: Patch, settings: ComparisonSettings) -> PairReader:
    """Resample a pair onto the detection grid, normalize its colours, and register it if ``settings.align``.

    If the registration is refused, the pair is compared unregistered and the reader's ``alignment.reason`` says why.

    Raises:
        NotComparable: no pixel is valid on both dates.
    """
    reduction = settings.reduction
    height, width = after.valid.shape
    # the same numbers as in inference.pair for images without coordinates
    shape = (max(1, math.floor(height / reduction)), max(1, math.floor(width / reduction)))
    grid = GeoBox(shape, Affine.scale(reduction), None)
    resolution = settings.resolution_m or 1.0
    pair = Pair(InMemoryImage(before), InMemoryImage(after), grid, resolution, resolution**2)
    normalization = measure_normalization(pair)
    alignment = _identity_alignment(grid, None)
    if settings.align:
        measured = measure_alignment(
            pair.before, pair.after, grid, _align_settings(settings), describer=shared_descriptor
        )
        alignment = measured if measured.usable else _identity_alignment(grid, measured.reason)
    return PairReader(pair, normalization, alignment)
