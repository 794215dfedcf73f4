"""Matching of windows between two dates on the structure of their gradients.

What stays between two dates is where edges lie and which way they run, not how bright the ground is. So a pixel is
described by its gradient, divided by the mean gradient around it, once as it is and once with the angle doubled:
the second does not change where the contrast is inverted (a field that was darker than its road and is brighter now).
The idea follows orientation correlation (Fitch et al. 2002) and CFOG (Ye et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

EDGE_PX = 4
"""Pixels beside the end of an image or of its valid area whose description is not to be trusted."""

FLOOR = 1.0
"""Gradient in grey levels per pixel under which a structure counts as noise."""

NEIGHBOURHOOD_PX = 63
"""Side of the box over which gradients are brought to a common strength."""

DOUBLED = 1.22
"""Weight of the doubled angle. With more than 1, ground whose contrast turned round still agrees a little instead of
cancelling out; on real pairs the share of right windows is highest near it (1.5 in the product of two)."""

TEXTURE = 0.02
"""Mean energy of the description under which a window counts as featureless."""

OWN_CLEAR = 4.0
SHARED_CLEAR = 3.5
"""How many standard deviations the best match stands above all others. Unrelated aerial images of one region stay below
3.5 in 95 of 100 windows (measured on LEVIR-CD validation images set against each other)."""


def describe(rgb: NDArray[np.uint8], valid: NDArray[np.bool_]) -> Float32:
    """Description of an image (H, W, 3) with its valid mask (H, W): (H, W, 4) float32, zero where not valid."""
    grey = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.0)
    gx = cv2.Scharr(grey, cv2.CV_32F, 1, 0, scale=1.0 / 32.0)
    gy = cv2.Scharr(grey, cv2.CV_32F, 0, 1, scale=1.0 / 32.0)
    if not valid.all():
        side = 2 * EDGE_PX + 1
        inside = cv2.erode(valid.astype(np.uint8), np.ones((side, side), np.uint8), borderValue=1).astype(np.float32)
        gx *= inside
        gy *= inside
    strength = cv2.magnitude(gx, gy)
    total = strength + cv2.blur(strength, (NEIGHBOURHOOD_PX, NEIGHBOURHOOD_PX)) + FLOOR
    sx, sy = gx / total, gy / total
    strength += 1e-6
    doubled = DOUBLED / strength
    dx = (gx * sx - gy * sy) * doubled
    dy = 2.0 * gx * sy * doubled
    return np.asarray(cv2.merge([sx, sy, dx, dy]), np.float32)


def box_energy(description: Float32, side: int) -> Float32:
    """Summed square of a description (H, W, C) in each side × side box, at the box's first pixel: (H, W)."""
    squared = np.einsum("ijc,ijc->ij", description, description)
    out: Any = cv2.boxFilter(
        squared, cv2.CV_32F, (side, side), anchor=(0, 0), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    return np.asarray(out, np.float32)


def surface(search: Float32, template: Float32, search_energy: Float32) -> Float32:
    """Similarity of a template at each offset inside a larger search area, mean removed: (2r+1, 2r+1).

    ``search`` is r pixels wider on each side than ``template``; ``search_energy`` (2r+1, 2r+1) is its
    :func:`box_energy` at each offset. Offset (0, 0) is the middle. Offsets at which the search area is mostly empty
    (not valid) are damped, not raised, by the normalisation.
    """
    raw: Any = cv2.matchTemplate(search, template, cv2.TM_CCORR)
    own = float(np.einsum("ijc,ijc->", template, template))
    out = np.asarray(raw, np.float32) / np.sqrt(own * (np.maximum(search_energy, 0.0) + 0.05 * own) + 1e-9)
    return np.asarray(out - out.mean(), np.float32)


def energy(description: Float32) -> float:
    """Mean squared length of the (signed) description, 0 (featureless) to 1."""
    return float((description[..., 0] ** 2 + description[..., 1] ** 2).mean())


@dataclass(frozen=True)
class Matches:
    """What the windows of one lattice say. All arrays are (rows, columns[, 2]).

    Attributes:
        offset: (dx, dy) of the best match, sub-pixel, in pixels of the level.
        weight: trust: 0 no match, 1/3 a match together with its neighbours only, 1 a match by itself.
    """

    offset: Float64
    weight: Float64


def _vertex(before: Float64, middle: Float64, after: Float64) -> Float64:
    """Offset of a parabola's vertex through three neighbouring values, at most half a step."""
    bend = before + after - 2.0 * middle
    step = np.where(bend < -1e-9, (before - after) / np.where(bend < -1e-9, 2.0 * bend, 1.0), 0.0)
    return np.asarray(np.clip(step, -0.5, 0.5))


def peaks(surfaces: Float32) -> tuple[Float64, Float64]:
    """Best offset (…, 2) as (dx, dy) and its clearness (…) of similarity surfaces (…, 2r+1, 2r+1).

    Clearness is the height of the peak in standard deviations of the surface, 0 where the peak lies on the rim: the
    true match may then lie outside.
    """
    side = surfaces.shape[-1]
    alert = surfaces.shape[:-2]
    flat = surfaces.reshape(-1, side, side).astype(np.float64)
    best = flat.reshape(len(flat), -1).argmax(axis=1)
    py, px = best // side, best % side
    inside = (py > 0) & (py < side - 1) & (px > 0) & (px < side - 1)
    cy, cx, n = np.clip(py, 1, side - 2), np.clip(px, 1, side - 2), np.arange(len(flat))
    centre = flat[n, cy, cx]
    sx = _vertex(flat[n, cy, cx - 1], centre, flat[n, cy, cx + 1])
    sy = _vertex(flat[n, cy - 1, cx], centre, flat[n, cy + 1, cx])
    spread = flat.std(axis=(1, 2)) + 1e-9
    clear = np.where(inside & (centre > 1e-4), centre / spread, 0.0)
    offset = np.stack([cx + sx - side // 2, cy + sy - side // 2], axis=1)
    return offset.reshape(*alert, 2), clear.reshape(alert)


def share(surfaces: Float32, use: NDArray[np.bool_]) -> Float32:
    """Each window's surface with those of its neighbours in the lattice added at half and quarter weight.

    A lone window over a wood or a field is often undecided where its neighbourhood is not.
    """
    own = np.where(use[..., None, None], surfaces, np.float32(0.0))
    out = own.copy()
    for axis in (0, 1):
        one = np.roll(own, 1, axis)
        two = np.roll(own, -1, axis)
        first: list[Any] = [slice(None)] * 4
        last: list[Any] = [slice(None)] * 4
        first[axis], last[axis] = 0, -1
        one[tuple(first)] = 0.0
        two[tuple(last)] = 0.0
        out += np.float32(0.5) * (one + two)
    return np.asarray(out)


def decide(surfaces: Float32, use: NDArray[np.bool_]) -> Matches:
    """Offsets and trust of a lattice of windows from its similarity surfaces (rows, columns, 2r+1, 2r+1).

    A window that is clear by itself counts fully, one that is clear only together with its neighbours a third.
    """
    own, own_clear = peaks(surfaces)
    shared, shared_clear = peaks(share(surfaces, use))
    alone = use & (own_clear >= OWN_CLEAR)
    together = use & ~alone & (shared_clear >= SHARED_CLEAR)
    weight = np.where(alone, 1.0, np.where(together, 1.0 / 3.0, 0.0))
    return Matches(np.where(alone[..., None], own, shared), weight)
