"""Map of hidden ground of both dates, in cells of 4 × 4 pixels of the grid.

It is measured once for the whole pair, before radiometric normalization and registration, so that blocks do not show
and cloud does not distort what is visible. Images are read in tiles of a fixed lattice.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from inference.pair import Pair
from inference.visibility.components import drop_small, soft_cover, without_bright_objects
from inference.visibility.exposure_and_blur import blurred, overexposed
from model.visibility.classifier import CLASSES, visibility_classifier

CELL_PX = 4
"""Side of a cell in pixels of the grid."""

REASONS = ("cloud", "snow", "overexposure", "blur")
"""What hides ground; cells hold 0 or the position in this tuple plus one."""

COVER = tuple(1 + REASONS.index(reason) for reason in ("cloud", "snow"))
"""Codes of what lies above the ground."""

HIDDEN_BY = (
    *(f"{reason} on the {date} date" for date in ("earlier", "later") for reason in REASONS),
    "displacement on the earlier date",
)
"""Reasons with their dates, as scans report them. The last one is ground along displaced parts of the earlier image,
which registration finds (:mod:`inference.registration.parts`)."""

NOT_REGISTERED_CODE = len(HIDDEN_BY)
"""Position of the last reason plus one."""

TILE, HALO = 768, 48
"""Side of a tile and width of its surroundings, cells."""

MIN_PROBABILITY = 0.6
"""Probability of cloud and snow together from which a cell is hidden."""

MIN_CELLS = 40
"""Smallest hidden area and smallest gap in it, cells; smaller ones are bright roofs and noise."""

EDGE_CELLS = 2
"""Cells added around hidden ground, where cloud thins out and edges of objects look changed."""

Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class HiddenGround:
    """Hidden ground of both dates: rows×columns of cells, 0 where visible, else the reason."""

    before: Codes
    after: Codes

    def window(self, later: bool, rows: slice, cols: slice, shift: NDArray[np.float32] | None = None) -> Codes:
        """Return the codes of one date for a window of grid pixels, H×W.

        Args:
            later: the later date; False: the earlier one.
            rows: rows of the window.
            cols: columns of the window.
            shift: H×W×2 (dx, dy) in pixels: as in :meth:`imagery.Scene.read`, for the registered earlier date.
        """
        codes = self.after if later else self.before
        y, x = np.arange(rows.start, rows.stop)[:, None], np.arange(cols.start, cols.stop)[None]
        if shift is not None:
            y, x = np.rint(y + shift[..., 1]).astype(np.intp), np.rint(x + shift[..., 0]).astype(np.intp)
        row = np.clip(y // CELL_PX, 0, codes.shape[0] - 1)
        column = np.clip(x // CELL_PX, 0, codes.shape[1] - 1)
        return np.asarray(codes[row, column], dtype=np.uint8)

    def both_dates(self, rows: slice, cols: slice, shift: NDArray[np.float32] | None = None) -> Codes:
        """Return the positions in :data:`HIDDEN_BY` plus one for a window of grid pixels, H×W; 0 where visible.

        Where both dates hide the ground, the later one counts: another earlier image would not help there.
        """
        if not self.before.any() and not self.after.any():
            return np.zeros((rows.stop - rows.start, cols.stop - cols.start), np.uint8)
        earlier, later = self.window(False, rows, cols, shift), self.window(True, rows, cols)
        return np.where(later > 0, later + np.uint8(len(REASONS)), earlier).astype(np.uint8)

    def visible(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return where both dates show the ground, on an overview of the grid with ``shape`` pixels."""
        hidden = self.before | self.after
        return np.asarray(cv2.resize(hidden, shape[::-1], interpolation=cv2.INTER_NEAREST) == 0)


def nothing_hidden(grid_shape: tuple[int, int]) -> HiddenGround:
    """Return a map without hidden ground."""
    cells = np.zeros(tuple(-(-side // CELL_PX) for side in grid_shape), np.uint8)
    return HiddenGround(cells, cells)


def measure_hidden_ground(pair: Pair) -> HiddenGround:
    """Find the ground that either date of a pair does not show.

    Raises:
        ImageError: pixels cannot be read.
        WeightsError: the weights of the classifier are missing or damaged.
    """
    shape = tuple(-(-int(side) // CELL_PX) for side in pair.grid.shape)
    grid = GeoBox(shape, pair.grid.affine * Affine.scale(CELL_PX), pair.grid.crs)
    codes = [np.zeros(shape, np.uint8) for _ in range(2)]
    grey = [np.zeros(shape, np.uint8) for _ in range(2)]
    shown = [np.zeros(shape, np.uint8) for _ in range(2)]
    for top in range(0, shape[0], TILE):
        for left in range(0, shape[1], TILE):
            core = np.s_[top : min(top + TILE, shape[0]), left : min(left + TILE, shape[1])]
            window = np.s_[
                max(0, top - HALO) : min(top + TILE + HALO, shape[0]),
                max(0, left - HALO) : min(left + TILE + HALO, shape[1]),
            ]
            within = np.s_[
                top - window[0].start : core[0].stop - window[0].start,
                left - window[1].start : core[1].stop - window[1].start,
            ]
            patches = [source.read(grid[window]) for source in (pair.before, pair.after)]
            found = hidden_cells((patches[0].rgb, patches[1].rgb), (patches[0].valid, patches[1].valid))
            for number, patch in enumerate(patches):
                codes[number][core] = found[number][within]
                grey[number][core] = patch.rgb[within].sum(axis=2, dtype=np.uint16) // 3
                shown[number][core] = patch.valid[within]
    cell_m2 = pair.pixel_area_m2 * CELL_PX**2
    cleaned = [_clean(*date, cell_m2) for date in zip(codes, grey, shown, strict=True)]
    return HiddenGround(cleaned[0], cleaned[1])


def hidden_cells(
    images: tuple[NDArray[np.uint8], NDArray[np.uint8]], valid: tuple[NDArray[np.bool_], NDArray[np.bool_]]
) -> tuple[Codes, Codes]:
    """Return the codes of both dates for reduced images, before small areas are removed.

    Args:
        images: both dates at :data:`CELL_PX` grid pixels per pixel, H×W×3 uint8 RGB, not normalized.
        valid: H×W each, pixels with data.
    """
    if not (valid[0] & valid[1]).any():
        return np.zeros(valid[0].shape, np.uint8), np.zeros(valid[0].shape, np.uint8)
    covers = [_cover(probability) for probability in visibility_classifier().predict(images, valid)]
    out = []
    for image, mask, cover in zip(images, valid, covers, strict=True):
        codes = np.where(blurred(image, mask & (cover == 0)), 1 + REASONS.index("blur"), 0).astype(np.uint8)
        codes[overexposed(image)] = 1 + REASONS.index("overexposure")
        codes = np.where(cover > 0, cover, codes)
        codes[~mask] = 0
        out.append(codes)
    return out[0], out[1]


def _cover(probability: NDArray[np.float32]) -> Codes:
    """Return the codes of cloud and snow for H×W×3 probabilities in the order of ``CLASSES``."""
    smooth = cv2.blur(probability, (3, 3))
    clear, cloud, snow = (smooth[..., CLASSES.index(name)] for name in ("clear", "cloud", "snow"))
    kind = np.where(snow > cloud, 1 + REASONS.index("snow"), 1 + REASONS.index("cloud"))
    return np.where(1 - clear >= MIN_PROBABILITY, kind, 0).astype(np.uint8)


def _clean(codes: Codes, grey: Codes, shown: Codes, cell_m2: float) -> Codes:
    """Remove small areas and bright objects, close small gaps, and add :data:`EDGE_CELLS` at the edge."""
    hidden = (codes > 0).astype(np.uint8)
    if not hidden.any():
        return codes
    hidden = drop_small(hidden, MIN_CELLS)
    cover = np.isin(codes, COVER).astype(np.uint8)
    soft = soft_cover(drop_small(cover, MIN_CELLS), grey, shown, cell_m2)
    hidden = soft | without_bright_objects(hidden & (1 - cover), grey, cell_m2)
    hidden = 1 - drop_small(1 - hidden, MIN_CELLS)
    hidden = cv2.dilate(hidden, np.ones((2 * EDGE_CELLS + 1,) * 2, np.uint8))
    # one reason for each area: the most frequent one of its cells
    count, labels = cv2.connectedComponents(hidden, connectivity=4)
    votes = np.zeros((count, 1 + len(REASONS)), np.int64)
    np.add.at(votes, (labels.ravel(), codes.ravel()), 1)
    reasons = 1 + votes[:, 1:].argmax(axis=1)
    reasons[0] = 0
    return np.asarray(reasons[labels], dtype=np.uint8)
