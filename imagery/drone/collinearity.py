"""From a photo's pixels to the ground and back: camera centre, pixel and ground point lie on one line.

Collinearity equations as in Kraus, *Photogrammetry* (2007). World axes: easting, northing, elevation. Camera axes: x to
the right, y down, z along the view, so a camera that looks straight down with its upper edge to the north has the axes
east, south, down. Gimbal angles: yaw clockwise from north, pitch −90° straight down, roll about the view.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon

from imagery.drone.lens import Lens
from imagery.drone.terrain import Ground

Float64 = NDArray[np.float64]

_DEM_ITERATIONS = 4  # to intersect a ray with an elevation model
_POINTS_PER_EDGE = 6  # of a photo, for its footprint


@dataclass(frozen=True)
class Pose:
    """Exterior orientation.

    Attributes:
        centre: easting, northing, elevation of the camera, metres.
        rotation: 3×3, from the camera's axes to the world's.
    """

    centre: Float64
    rotation: Float64


def gimbal_rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> Float64:
    """3×3 rotation from the camera's axes to the world's; yaw counts from grid north."""
    yaw, pitch, roll = np.radians([yaw_deg, pitch_deg, roll_deg])
    up, flat = np.sin(pitch), np.cos(pitch)
    # columns: directions of the camera's x, y, z for yaw 0 and roll 0
    level = np.array([[1.0, 0.0, 0.0], [0.0, up, flat], [0.0, -flat, up]])
    about_view = np.array([[np.cos(roll), -np.sin(roll), 0.0], [np.sin(roll), np.cos(roll), 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(yaw_rotation(yaw) @ level @ about_view)


def yaw_rotation(yaw: float) -> Float64:
    """3×3 rotation about the vertical by ``yaw`` radians, clockwise as seen from above."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def intersect_ground(centres: Float64, rays: Float64, ground: Ground) -> Float64:
    """Intersect rays with the ground.

    Args:
        centres: N×3 camera centres.
        rays: N×3 in the world's axes.
        ground: plane or elevation model.

    Returns:
        N×2 easting and northing; NaN for rays that do not point down.
    """
    down = np.where(rays[:, 2] < -0.05, rays[:, 2], np.nan)
    slope = rays[:, :2] / down[:, None]
    if ground.is_plane:
        height = ground.elevation(centres[:, 0], centres[:, 1]) - centres[:, 2]
        points = centres[:, :2] + slope * (height / np.maximum(1 - slope @ ground.slope, 0.05))[:, None]
    else:
        points = centres[:, :2] + slope * (ground.level - centres[:, 2])[:, None]
        for _ in range(_DEM_ITERATIONS):
            height = ground.elevation(points[:, 0], points[:, 1]) - centres[:, 2]
            points = centres[:, :2] + slope * height[:, None]
    return np.asarray(points)


def pixels_to_ground(pose: Pose, lens: Lens, pixels: Float64, ground: Ground) -> Float64:
    """N×2 pixels → N×2 easting and northing; NaN above the horizon."""
    rays = world_rays(lens.directions(pixels), pose)
    return intersect_ground(np.tile(pose.centre, (len(pixels), 1)), rays, ground)


def world_rays(directions: Float64, pose: Pose) -> Float64:
    """N×2 directions of a lens → N×3 rays in the world's axes."""
    return np.column_stack([directions, np.ones(len(directions))]) @ pose.rotation.T


def ground_to_pixels(pose: Pose, lens: Lens, points: Float64) -> Float64:
    """…×3 easting, northing, elevation → …×2 pixels; NaN behind the camera."""
    camera_points = (points - pose.centre) @ pose.rotation
    depth = np.where(camera_points[..., 2] > 1e-6, camera_points[..., 2], np.nan)
    return lens.pixels(camera_points[..., :2] / depth[..., None])


def border_pixels(lens: Lens) -> Float64:
    """N×2 pixels around a photo, clockwise from its upper left corner."""
    w, h, steps = float(lens.width), float(lens.height), np.arange(_POINTS_PER_EDGE) / _POINTS_PER_EDGE
    top, right = np.column_stack([steps * w, 0 * steps]), np.column_stack([0 * steps + w, steps * h])
    bottom, left = np.column_stack([w - steps * w, 0 * steps + h]), np.column_stack([0 * steps, h - steps * h])
    return np.concatenate([top, right, bottom, left])


def ground_footprint(pose: Pose, lens: Lens, ground: Ground) -> Polygon:
    """Ground that a photo shows; easting, northing."""
    return Polygon(pixels_to_ground(pose, lens, border_pixels(lens), ground))


def ground_sample_distance(pose: Pose, lens: Lens, ground: Ground) -> float:
    """Metres on the ground per pixel in the middle of the photo."""
    middle = np.array([[lens.width / 2 - 0.5, lens.height / 2], [lens.width / 2 + 0.5, lens.height / 2]])
    ends = pixels_to_ground(pose, lens, middle, ground)
    return float(np.hypot(*(ends[1] - ends[0])))
