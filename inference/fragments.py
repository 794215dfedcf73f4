"""Vectorization of a block's probabilities: outlines in grid pixels that can be merged across blocks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes
from shapely.geometry import Polygon, shape

from inference.blocks import MARGIN, Block
from inference.visibility.hidden_ground import HIDDEN_BY
from model.network_outputs import CHANGE_OUTPUTS

Mask = NDArray[np.uint8]

OPENING_PX = {"building": 3, "ground": 5}
"""Side, in pixels, of the structuring element by output. Thinner slivers are misregistered edges, not changes."""

BUILDING_BUFFER_PX = 2
"""Width of the strip around a changed building that is not reported as ground works."""


@dataclass(frozen=True)
class Fragment:
    """The part of a change that lies in one block.

    Attributes:
        output: network output that detected it.
        polygon: outline along pixel edges, (column, row) of the grid.
        pixels: area in grid pixels.
        probability: sum of the output's probability over the pixels.
        direction: sum of the signed output over the pixels.
        on_seam: whether it touches another block, where it may continue.
    """

    output: str
    polygon: Polygon
    pixels: int
    probability: float
    direction: float
    on_seam: bool


@dataclass(frozen=True)
class BlockResult:
    """Result of one block.

    Attributes:
        fragments: parts of changes.
        compared_px: grid pixels that both dates show.
        missing_px: grid pixels that could not be compared, by reason.
    """

    fragments: tuple[Fragment, ...]
    compared_px: int
    missing_px: dict[str, int]


def _open_mask(mask: Mask, side: int) -> Mask:
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((side, side), np.uint8)), dtype=np.uint8)


def change_masks(
    probabilities: NDArray[np.float32], valid: NDArray[np.bool_], threshold: dict[str, float]
) -> dict[str, Mask]:
    """Threshold probabilities and clean the masks by morphological opening.

    A pixel depends on at most :data:`inference.blocks.MARGIN` pixels around it.

    Args:
        probabilities: 3×H×W, building, ground, direction.
        valid: H×W, where both dates show the ground.
        threshold: by output.

    Returns:
        masks of 0 and 1, H×W, by output; ground never overlaps building.
    """
    valid_mask = valid.astype(np.uint8)
    candidates = [probabilities[channel] >= threshold[output] for channel, output in enumerate(CHANGE_OUTPUTS)]
    if not any(candidate.any() for candidate in candidates):
        nothing = np.zeros(valid.shape, np.uint8)
        return dict.fromkeys(CHANGE_OUTPUTS, nothing)
    building = _open_mask(candidates[0].astype(np.uint8) & valid_mask, OPENING_PX["building"])
    near_building = cv2.dilate(building, np.ones((2 * BUILDING_BUFFER_PX + 1,) * 2, np.uint8))
    ground = candidates[1].astype(np.uint8) & valid_mask & (1 - near_building)
    return {"building": building, "ground": _open_mask(np.asarray(ground, dtype=np.uint8), OPENING_PX["ground"])}


def find_fragments(
    probabilities: NDArray[np.float32],
    before_valid: NDArray[np.bool_],
    after_valid: NDArray[np.bool_],
    hidden: NDArray[np.uint8],
    block: Block,
    grid_shape: tuple[int, int],
    threshold: dict[str, float],
    smallest_px: dict[str, float],
) -> BlockResult:
    """Extract the fragments of changes in one block.

    Args:
        probabilities: 3×H×W over the block and :data:`inference.blocks.MARGIN` pixels around it.
        before_valid: H×W, likewise.
        after_valid: H×W, likewise.
        hidden: H×W, likewise; ground that is not shown (:attr:`inference.pair_reader.PairPatch.hidden`).
        block: the block.
        grid_shape: rows and columns of the grid; pixels beyond it are ignored.
        threshold: by output, see :func:`change_masks`.
        smallest_px: minimum area by output, for fragments that touch no other block.
    """
    height = min(block.rows[1], grid_shape[0]) - block.rows[0]
    width = min(block.cols[1], grid_shape[1]) - block.cols[0]
    core = np.s_[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
    masks = change_masks(probabilities, before_valid & after_valid & (hidden == 0), threshold)
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
        "no data on both dates": int(np.count_nonzero(~(before_valid | after_valid))),
        "no data on the earlier date": int(np.count_nonzero(after_valid & ~before_valid)),
        "no data on the later date": int(np.count_nonzero(before_valid & ~after_valid)),
    }
    both, hidden = before_valid & after_valid, hidden[core]
    codes = range(1 + len(HIDDEN_BY)) if hidden.any() else ()
    counts = [int(np.count_nonzero(both & (hidden == code))) for code in codes]
    missing |= {reason: count for reason, count in zip(HIDDEN_BY, counts[1:], strict=False) if count}
    return BlockResult(tuple(fragments), counts[0] if counts else int(np.count_nonzero(both)), missing)


def _outlines(
    mask: Mask,
    probability: NDArray[np.float32],
    direction: NDArray[np.float32],
    block: Block,
    grid_shape: tuple[int, int],
    output: str,
    smallest_px: float,
) -> list[Fragment]:
    if not mask.any():
        return []
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=4, ltype=cv2.CV_32S)
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
    changed = np.flatnonzero(mask)
    flat = labels.ravel()[changed]
    sums = [
        np.bincount(flat, weights=values.ravel()[changed], minlength=count)
        for values in (np.ascontiguousarray(probability), np.ascontiguousarray(direction))
    ]
    to_grid = Affine.translation(block.cols[0], block.rows[0])
    fragments = []
    for label in 1 + np.flatnonzero(keep[1:]):
        box = np.s_[top[label] : bottom[label], left[label] : right[label]]
        part = (labels[box] == label).astype(np.uint8)
        ((outline, _),) = shapes(
            part, mask=part, connectivity=4, transform=to_grid * Affine.translation(left[label], top[label])
        )
        fragments.append(
            Fragment(
                output,
                shape(outline),
                int(area[label]),
                float(sums[0][label]),
                float(sums[1][label]),
                bool(on_seam[label]),
            )
        )
    return fragments
