"""Watermarks, stamps and annotations burned into images: text, seals, scale bars and grids that are on no ground."""

from __future__ import annotations

import cv2
import numpy as np

from training.sources.samples import Image

_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_COMPLEX)
_COLOURS = np.array([(255, 255, 255), (255, 255, 255), (0, 0, 0), (220, 30, 30), (250, 220, 60), (60, 160, 250)])
_LETTERS = "ABCDEFGHKLMNPRSTUVXYZ0123456789.:-°©/ "


def _draw_text(layer: Image, origin: tuple[int, int], height: int, rng: np.random.Generator) -> None:
    """Write Latin letters, or characters of random strokes that stand for Chinese ones."""
    length = int(rng.integers(3, 18))
    thickness = max(1, round(height * rng.uniform(0.05, 0.16)))
    if rng.random() < 0.5:
        text = "".join(rng.choice(list(_LETTERS), length))
        cv2.putText(layer, text, origin, _FONTS[rng.integers(len(_FONTS))], height / 22, 255, thickness, cv2.LINE_AA)
        return
    for number in range(length):
        corner = np.array([origin[0] + number * 1.1 * height, origin[1] - height])
        for _ in range(int(rng.integers(4, 10))):
            start, along = rng.integers(0, 5, 2) / 4, rng.integers(3)
            end = start + ((0.7, 0), (0, 0.7), (0.5, 0.5))[along]
            points = [tuple(int(v) for v in corner + np.clip(point, 0, 1) * height) for point in (start, end)]
            cv2.line(layer, points[0], points[1], 255, thickness, cv2.LINE_AA)


def _draw_repeated_text(layer: Image, rng: np.random.Generator) -> None:
    """Write one text again and again across the whole image, usually slanted."""
    side = layer.shape[0]
    tile = np.zeros((side * 2, side * 2), np.uint8)
    height, seed = int(rng.integers(9, 32)), int(rng.integers(2**31))
    step = (int(rng.uniform(3, 8) * height), int(rng.uniform(6, 16) * height))
    for row, top in enumerate(range(height, side * 2, step[0])):
        for left in range(-(row % 2) * step[1] // 2, side * 2, step[1]):
            _draw_text(tile, (left, top), height, np.random.default_rng(seed))
    turn = cv2.getRotationMatrix2D((side, side), float(rng.choice((0.0, 30.0, 45.0, -30.0, rng.uniform(-60, 60)))), 1)
    start = int(rng.integers(side // 3, side // 2 + 1))
    layer[:] = cv2.warpAffine(tile, turn, (side * 2, side * 2))[start : start + side, start : start + layer.shape[1]]


def _draw_seal(layer: Image, rng: np.random.Generator) -> None:
    """Draw a round or square seal with characters."""
    side = layer.shape[0]
    radius = int(rng.uniform(0.05, 0.2) * side)
    centre = tuple(int(v) for v in rng.uniform(0, side, 2))
    if rng.random() < 0.6:
        cv2.circle(layer, centre, radius, 255, max(1, radius // 12), cv2.LINE_AA)
    else:
        corners = [tuple(c + sign * radius for c in centre) for sign in (-1, 1)]
        cv2.rectangle(layer, corners[0], corners[1], 255, max(1, radius // 10))
    for line in (-0.1, 0.5):
        origin = (int(centre[0] - 0.7 * radius), int(centre[1] + line * radius))
        _draw_text(layer, origin, max(6, radius // 3), rng)


def _draw_annotation(layer: Image, rng: np.random.Generator) -> None:
    """Draw lines of text near an edge, a scale bar, a frame or a grid of coordinates."""
    side = layer.shape[0]
    for _ in range(int(rng.integers(1, 4))):
        top = int(rng.uniform(0.02, 0.15) * side)
        row = top if rng.random() < 0.5 else side - top
        _draw_text(layer, (int(rng.uniform(0, 0.6) * side), row), int(rng.integers(8, 24)), rng)
    if rng.random() < 0.4:
        start = (int(rng.uniform(0, 0.7) * side), int(rng.uniform(0.8, 0.98) * side))
        end = (start[0] + int(rng.uniform(0.1, 0.3) * side), start[1] + int(rng.integers(2, 7)))
        cv2.rectangle(layer, start, end, 255, -1)
    if rng.random() < 0.3:
        spacing = int(rng.uniform(0.2, 0.6) * side)
        for position in range(int(rng.integers(spacing)), side, spacing):
            cv2.line(layer, (0, position), (side, position), 255, 1)
            cv2.line(layer, (position, 0), (position, side), 255, 1)


def add_watermark(image: Image, rng: np.random.Generator) -> Image:
    """Return an H×W×3 RGB image with a watermark, a seal or annotations of any opacity."""
    layer = np.zeros(image.shape[:2], np.uint8)
    (_draw_repeated_text, _draw_seal, _draw_annotation)[rng.integers(3)](layer, rng)
    opacity = (layer.astype(np.float32) / 255 * rng.uniform(0.2, 1.0))[..., None]
    colour = _COLOURS[rng.integers(len(_COLOURS))].astype(np.float32)
    out = image + (colour - image) * opacity
    if rng.random() < 0.3:  # outlined, so that it can be read on any ground
        halo = np.clip(cv2.GaussianBlur(layer, (0, 0), 1.5)[..., None] / 128 - layer[..., None] / 255, 0, 1) * 0.6
        out = out + ((255 - colour) - out) * halo
    return np.asarray(np.clip(out, 0, 255), dtype=np.uint8)
