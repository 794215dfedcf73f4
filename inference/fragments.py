"""Probabilities of one block → outlines in grid pixels, with what is needed to join them across blocks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes
from shapely.geometry import Polygon, shape

from inference.blocks import MARGIN, Block
from model.network_outputs import CHANGE_OUTPUTS

Mask = NDArray[np.uint8]

CLEAN = {"building": 3, "ground": 5}
"""Side in pixels of the square that must fit into a change: thinner slivers are edges that moved, not works."""

KEEP_FROM_BUILDING = 2
"""Pixels around a new building that belong to it and are not ground works of their own."""


@dataclass(frozen=True)
class Fragment:
    """The part of a change that lies in one block.

    Attributes:
        output: which of the network's outputs saw it.
        polygon: outline along pixel edges, (column, row) of the grid.
        pixels: its area in grid pixels.
        probability: sum of the output's probability over its pixels.
        direction: sum of the signed output over its pixels.
        on_seam: whether it touches another block and may go on there.
    """

    output: str
    polygon: Polygon
    pixels: int
    probability: float
    direction: float
    on_seam: bool


@dataclass(frozen=True)
class BlockFindings:
    """What one block has to say.

    Attributes:
        fragments: parts of changes.
        compared_px: grid pixels that both dates show.
        missing_px: grid pixels that could not be compared, by reason.
    """

    fragments: tuple[Fragment, ...]
    compared_px: int
    missing_px: dict[str, int]


def _opened(mask: Mask, side: int) -> Mask:
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((side, side), np.uint8)), dtype=np.uint8)


def change_masks(
    probabilities: NDArray[np.float32], valid: NDArray[np.bool_], threshold: dict[str, float]
) -> dict[str, Mask]:
    """Decide for each pixel, and clean the edges.

    A result depends on no more than :data:`inference.blocks.MARGIN` pixels around it.

    Args:
        probabilities: 3×H×W, building, ground, direction.
        valid: H×W, where both dates show ground.
        threshold: by output.

    Returns:
        for each output H×W of 0 and 1; ground never overlaps building.
    """
    seen = valid.astype(np.uint8)
    building = _opened((probabilities[0] >= threshold["building"]).astype(np.uint8) & seen, CLEAN["building"])
    around = cv2.dilate(building, np.ones((2 * KEEP_FROM_BUILDING + 1,) * 2, np.uint8))
    turned = (probabilities[1] >= threshold["ground"]).astype(np.uint8) & seen & (1 - around)
    return {"building": building, "ground": _opened(np.asarray(turned, dtype=np.uint8), CLEAN["ground"])}


def find_fragments(
    probabilities: NDArray[np.float32],
    before_valid: NDArray[np.bool_],
    after_valid: NDArray[np.bool_],
    block: Block,
    grid_shape: tuple[int, int],
    threshold: dict[str, float],
    smallest_px: dict[str, float],
) -> BlockFindings:
    """Turn one block's probabilities into fragments.

    Args:
        probabilities: 3×H×W over the block's whole window, halo included.
        before_valid: H×W over the window.
        after_valid: H×W over the window.
        block: which block it is.
        grid_shape: rows and columns of the grid; what sticks out is not looked at.
        threshold: by output, see :func:`change_masks`.
        smallest_px: by output; a fragment that cannot go on in another block is dropped below it.
    """
    cut = block.halo - MARGIN
    inner = np.s_[cut : before_valid.shape[0] - cut, cut : before_valid.shape[1] - cut]
    probabilities = probabilities[(slice(None), *inner)]
    before_valid, after_valid = before_valid[inner], after_valid[inner]
    height = min(block.rows[1], grid_shape[0]) - block.rows[0]
    width = min(block.cols[1], grid_shape[1]) - block.cols[0]
    core = np.s_[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
    masks = change_masks(probabilities, before_valid & after_valid, threshold)
    fragments: list[Fragment] = []
    for channel, output in enumerate(CHANGE_OUTPUTS):
        fragments += _outlines(
            np.ascontiguousarray(masks[output][core]),
            probabilities[channel][core],
            probabilities[2][core],
            block,
            grid_shape,
            output,
            smallest_px[output],
        )
    before_valid, after_valid = before_valid[core], after_valid[core]
    missing = {
        "no data on both dates": int((~before_valid & ~after_valid).sum()),
        "no data on the earlier date": int((~before_valid & after_valid).sum()),
        "no data on the later date": int((before_valid & ~after_valid).sum()),
    }
    return BlockFindings(tuple(fragments), int((before_valid & after_valid).sum()), missing)


def _outlines(
    mask: Mask,
    probability: NDArray[np.float32],
    direction: NDArray[np.float32],
    block: Block,
    grid_shape: tuple[int, int],
    output: str,
    smallest_px: float,
) -> list[Fragment]:
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=4, ltype=cv2.CV_32S)
    if count <= 1:
        return []
    height, width = mask.shape
    left, top = boxes[:, cv2.CC_STAT_LEFT], boxes[:, cv2.CC_STAT_TOP]
    right, bottom = left + boxes[:, cv2.CC_STAT_WIDTH], top + boxes[:, cv2.CC_STAT_HEIGHT]
    on_seam = (
        ((left == 0) & (block.cols[0] > 0))
        | ((top == 0) & (block.rows[0] > 0))
        | ((right == width) & (block.cols[1] < grid_shape[1]))
        | ((bottom == height) & (block.rows[1] < grid_shape[0]))
    )
    area = boxes[:, cv2.CC_STAT_AREA]
    keep = on_seam | (area >= smallest_px)
    keep[0] = False
    flat = labels.ravel()
    sums = [np.bincount(flat, weights=values.ravel(), minlength=count) for values in (probability, direction)]
    place = Affine.translation(block.cols[0], block.rows[0])
    return [
        Fragment(
            output,
            shape(outline),
            int(area[label]),
            float(sums[0][label]),
            float(sums[1][label]),
            bool(on_seam[label]),
        )
        for outline, label in (
            (geometry, int(value))
            for geometry, value in shapes(labels, mask=keep[labels], connectivity=4, transform=place)
        )
    ]
