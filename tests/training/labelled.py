"""Folders of labelled pairs with known truth, and a detector that says exactly where two dates differ."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.inference.scenes import DifferenceDetector, textured

Box = tuple[int, int, int, int]
"""Rows from, to, columns from, to."""


@dataclass
class StarkDetector(DifferenceDetector):
    """Says 0.9 for *building* where the dates differ by much and 0.1 elsewhere, pixel by pixel."""

    def predict(self, before: NDArray, after: NDArray) -> NDArray:
        differs = np.abs(after.astype(int) - before.astype(int)).mean(axis=2) > 40
        said = np.where(differs, 0.9, 0.1)
        return np.stack([said, np.full(said.shape, 0.1), np.zeros(said.shape)]).astype(np.float32)


def identity_table(*_: object) -> NDArray[np.uint8]:
    """Stands for :func:`model.radiometric_normalization.normalization_table` where colours are to stay."""
    return np.arange(256).astype(np.uint8)[:, None, None].repeat(3, axis=2)


def box_mask(shape: tuple[int, int], *boxes: Box) -> NDArray[np.bool_]:
    mask = np.zeros(shape, bool)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


def write_picture(path: Path, image: NDArray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1]))
    return path


def write_pair(
    folder: Path,
    name: str,
    shape: tuple[int, int] = (128, 128),
    truth: tuple[Box, ...] = (),
    visible: tuple[Box, ...] | None = None,
    suffix: str = ".png",
) -> None:
    """A pair whose label holds ``truth`` and whose later image shows ``visible`` (the same by default) in white."""
    blocks = np.random.default_rng(len(name)).uniform(-45, 45, (shape[0] // 6 + 1, shape[1] // 6 + 1))
    rough = blocks.repeat(6, axis=0).repeat(6, axis=1)[: shape[0], : shape[1], None]
    before = (90 + 0.5 * (textured(*shape, seed=len(name)).astype(float) - 110) + rough).astype(np.uint8)
    after = before.copy()
    after[box_mask(shape, *(truth if visible is None else visible))] = 250
    write_picture(folder / "A" / f"{name}{suffix}", before)
    write_picture(folder / "B" / f"{name}{suffix}", after)
    write_picture(folder / "label" / f"{name}.png", box_mask(shape, *truth).astype(np.uint8) * 255)
