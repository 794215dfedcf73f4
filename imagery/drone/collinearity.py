"""From a photo's pixels to the ground and back: the camera's centre, the pixel and the ground point lie on one line.

Collinearity equations as in Kraus, *Photogrammetry* (2007). World: easting, northing, elevation. Camera: x to the
right, y down, z along the view, so that a camera that looks straight down with its upper edge to the north has the
axes east, south, down. Gimbal angles: yaw clockwise from north, pitch −90° straight down, roll about the view.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon

from imagery.drone.lens import Lens
from imagery.drone.terrain import Ground

Float64 = NDArray[np.float64]

_STEPS = 4  # of the iteration that finds where a ray meets an elevation model
_BORDER = 6  # points along each edge of a photo for its footprint


@dataclass(frozen=True)
class Pose:
    """Outer orientation.

    Attributes:
        centre: easting, northing, elevation of the camera, metres.
        rotation: 3×3, from the camera's axes to the world's.
    """

    centre: Float64
    rotation: Float64


def gimbal_rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> Float64:
    """3×3 rotation from the camera's axes to the world's; the yaw from the grid's north."""
    yaw, pitch, roll = np.radians([yaw_deg, pitch_deg, roll_deg])
    up, flat = np.sin(pitch), np.cos(pitch)
    # columns: where the camera's x, y, z point, for yaw 0 and roll 0
    level = np.array([[1.0, 0.0, 0.0], [0.0, up, flat], [0.0, -flat, up]])
    about_view = np.array([[np.cos(roll), -np.sin(roll), 0.0], [np.sin(roll), np.cos(roll), 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(turned(yaw) @ level @ about_view)


def turned(yaw: float) -> Float64:
    """3×3 rotation about the vertical, clockwise as seen from above, radians."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def meet_ground(centres: Float64, rays: Float64, ground: Ground) -> Float64:
    """Where rays meet the ground.

    Args:
        centres: N×3 camera centres.
        rays: N×3 in the world's axes.
        ground: plane or elevation model.

    Returns:
        N×2 easting and northing; NaN for rays that do not go down.
    """
    down = np.where(rays[:, 2] < -0.05, rays[:, 2], np.nan)
    slope = rays[:, :2] / down[:, None]
    if ground.plane:
        height = ground.elevation(centres[:, 0], centres[:, 1]) - centres[:, 2]
        met = centres[:, :2] + slope * (height / np.maximum(1 - slope @ ground.rise, 0.05))[:, None]
    else:
        met = centres[:, :2] + slope * (ground.level - centres[:, 2])[:, None]
        for _ in range(_STEPS):
            height = ground.elevation(met[:, 0], met[:, 1]) - centres[:, 2]
            met = centres[:, :2] + slope * height[:, None]
    return np.asarray(met)


def to_ground(pose: Pose, lens: Lens, pixels: Float64, ground: Ground) -> Float64:
    """N×2 pixels → N×2 easting and northing; NaN above the horizon."""
    return meet_ground(np.tile(pose.centre, (len(pixels), 1)), rays_of(lens.directions(pixels), pose), ground)


def rays_of(directions: Float64, pose: Pose) -> Float64:
    """N×2 directions of a lens → N×3 rays in the world's axes."""
    return np.column_stack([directions, np.ones(len(directions))]) @ pose.rotation.T


def to_pixels(pose: Pose, lens: Lens, places: Float64) -> Float64:
    """…×3 easting, northing, elevation → …×2 pixels; NaN behind the camera."""
    seen = (places - pose.centre) @ pose.rotation
    depth = np.where(seen[..., 2] > 1e-6, seen[..., 2], np.nan)
    return lens.pixels(seen[..., :2] / depth[..., None])


def border(lens: Lens) -> Float64:
    """N×2 pixels around a photo, clockwise from its upper left corner."""
    w, h, steps = float(lens.width), float(lens.height), np.arange(_BORDER) / _BORDER
    top, right = np.column_stack([steps * w, 0 * steps]), np.column_stack([0 * steps + w, steps * h])
    bottom, left = np.column_stack([w - steps * w, 0 * steps + h]), np.column_stack([0 * steps, h - steps * h])
    return np.concatenate([top, right, bottom, left])


def footprint(pose: Pose, lens: Lens, ground: Ground) -> Polygon:
    """The ground that a photo shows; easting, northing."""
    return Polygon(to_ground(pose, lens, border(lens), ground))


def ground_sample_distance(pose: Pose, lens: Lens, ground: Ground) -> float:
    """Metres on the ground per pixel in the middle of the photo."""
    middle = np.array([[lens.width / 2 - 0.5, lens.height / 2], [lens.width / 2 + 0.5, lens.height / 2]])
    ends = to_ground(pose, lens, middle, ground)
    return float(np.hypot(*(ends[1] - ends[0])))
