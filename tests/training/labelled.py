"""Folders of labelled pairs with known truth, and a detector that reports exactly where two dates differ."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.inference.scenes import DifferenceDetector, textured

Box = tuple[int, int, int, int]
"""First row, end row, first column, end column (ends exclusive)."""


@dataclass
class StarkDetector(DifferenceDetector):
    """Predict 0.9 for *building* where the dates differ strongly and 0.1 elsewhere, pixel by pixel."""

    def predict(self, before: NDArray, after: NDArray) -> NDArray:
        differs = np.abs(after.astype(int) - before.astype(int)).mean(axis=2) > 40
        building = np.where(differs, 0.9, 0.1)
        return np.stack([building, np.full(building.shape, 0.1), np.zeros(building.shape)]).astype(np.float32)


def identity_table(*_: object) -> NDArray[np.uint8]:
    """Replace :func:`model.radiometric_normalization.normalization_table` by one that keeps all colours."""
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
    """Write a pair whose label has ``truth`` and whose later image shows ``visible`` (default: truth) in white."""
    blocks = np.random.default_rng(len(name)).uniform(-45, 45, (shape[0] // 6 + 1, shape[1] // 6 + 1))
    texture = blocks.repeat(6, axis=0).repeat(6, axis=1)[: shape[0], : shape[1], None]
    before = (90 + 0.5 * (textured(*shape, seed=len(name)).astype(float) - 110) + texture).astype(np.uint8)
    after = before.copy()
    after[box_mask(shape, *(truth if visible is None else visible))] = 250
    write_picture(folder / "A" / f"{name}{suffix}", before)
    write_picture(folder / "B" / f"{name}{suffix}", after)
    write_picture(folder / "label" / f"{name}.png", box_mask(shape, *truth).astype(np.uint8) * 255)
