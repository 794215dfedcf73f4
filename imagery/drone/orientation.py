"""Orient the photos of one flight: initial poses by the sensors, tie points, reference image, bundle adjustment."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon

from errors import Reason
from imagery.drone.bundle_adjustment import AdjustedBundle, Observations, adjust_bundle
from imagery.drone.collinearity import Pose, ground_footprint, ground_sample_distance
from imagery.drone.initial_poses import camera_positions, estimate_initial_poses, ground_predictor, neighbour_pairs
from imagery.drone.oriented_flight import OrientedFlight, OrientedPhoto, TiedTo, footprint_in_degrees
from imagery.drone.photo import Photo
from imagery.drone.photo_pixels import Progress
from imagery.drone.reference_matching import RegisterPhoto, match_reference, select_anchors
from imagery.drone.sensor_check import check_sensors
from imagery.drone.settings import DroneSettings, drone_settings
from imagery.drone.terrain import Ground, LocalFrame, read_elevation_model
from imagery.drone.tie_points import LONG_SIDE, TiePoints, find_tie_points
from imagery.scene import Scene

Float64 = NDArray[np.float64]

_TIE_SIGMA_PX = 1.5  # standard deviation of a tie point, in pixels of the image that features are detected in
_SEARCH_SIGMAS = 3.0  # standard deviations of position within which the reference is searched
_TYPICAL_HEIGHT_M = 150.0
_ERROR_95 = 1.75  # 95 % of the errors are below this multiple of their standard deviation in two dimensions
_RESIDUAL_95 = 2.5  # the same for the median residual, measured: see the README


def orient_flight(
    photos: Sequence[Photo],
    settings: DroneSettings,
    workdir: Path,
    *,
    reference: Scene | None = None,
    elevation: Path | None = None,
    register: RegisterPhoto | None = None,
    progress: Progress = lambda part, done: None,
) -> OrientedFlight:
    """Orient the photos of a flight.

    Args:
        photos: of one flight.
        settings: of ``configs/drone.yaml``.
        workdir: a folder for temporary files.
        reference: an earlier image of the area; None: photos are oriented relative to each other only.
        elevation: elevation model (GeoTIFF); None: a plane, level at the first photo, whose slope is estimated.
        register: registration as used for scans, see :data:`imagery.drone.reference_matching.RegisterPhoto`.
        progress: called with the step and its progress.

    Raises:
        ImageError: the elevation model cannot be used, or a photo cannot be decoded.
    """
    first = photos[0]
    frame = LocalFrame.at(first.longitude, first.latitude)
    positions = camera_positions(photos, frame)
    with tempfile.TemporaryDirectory(dir=workdir, prefix="check-") as folder:
        checked = check_sensors(photos, positions, settings, Path(folder))
    photos = checked.photos
    with tempfile.TemporaryDirectory(dir=workdir, prefix="flight-") as folder:
        ground = _ground(photos, positions, elevation, frame, Path(folder))
        pairs = neighbour_pairs(photos, positions, settings.neighbours)
        predict = ground_predictor(photos, estimate_initial_poses(photos, positions, [], frame, ground), ground)
        if checked.refusal:
            return OrientedFlight(frame, ground, [], [(photo, checked.refusal) for photo in photos], [])
        tie_points = list(find_tie_points(photos, pairs, predict, Path(folder), progress))
    initial = estimate_initial_poses(photos, positions, tie_points, frame, ground)
    failed = [(photos[index], reason) for index, reason in initial.failed.items()]
    if not initial.indices:
        return OrientedFlight(frame, ground, [], failed, [])
    with_pose = [photos[index] for index in initial.indices]
    flight = _Flight(with_pose, initial.poses, initial.sigmas, frame, ground, settings)
    observations = flight.observe(_reindexed(tie_points, initial.indices))
    adjusted = flight.adjust(observations)
    remarks = []
    if reference is not None:
        adjusted, observations, remark = _tie_to_reference(
            flight, adjusted, observations, reference, register, progress
        )
        remarks.append(remark)
    return OrientedFlight(frame, adjusted.ground, flight.oriented(adjusted, observations), failed, remarks)


def sensor_footprint(photo: Photo) -> tuple[Polygon, float]:
    """Footprint of a photo by its sensors alone, on the plane of the take-off point.

    Returns:
        its ground (longitude, latitude; a circle where heading or height are missing), and the standard deviation of
        its position in metres.
    """
    frame, ground = LocalFrame.at(photo.longitude, photo.latitude), Ground(0.0)
    positions = camera_positions([photo], frame)
    initial = estimate_initial_poses([photo], positions, [], frame, ground)
    if not initial.indices:
        circle = shapely.Point(positions[0]).buffer(_TYPICAL_HEIGHT_M / 2)
        in_degrees = shapely.transform(circle, lambda xy: np.column_stack(frame.to_degrees.transform(*xy.T)))
        return in_degrees, _TYPICAL_HEIGHT_M
    flight = _Flight([photo], initial.poses, initial.sigmas, frame, ground, drone_settings())
    oriented = flight.oriented(flight.adjust(Observations.empty()), Observations.empty())[0]
    return footprint_in_degrees(oriented, frame), oriented.error_m


def _ground(
    photos: Sequence[Photo], positions: Float64, elevation: Path | None, frame: LocalFrame, folder: Path
) -> Ground:
    if elevation is None:
        return Ground(0.0)
    reach = 2.0 * max(photo.height_m or _TYPICAL_HEIGHT_M for photo in photos)
    west, south = positions.min(axis=0) - reach
    east, north = positions.max(axis=0) + reach
    return read_elevation_model(elevation, frame, (float(west), float(south), float(east), float(north)), folder)


def _reindexed(tie_points: Sequence[TiePoints], indices: Sequence[int]) -> list[TiePoints]:
    """Tie points between the photos of ``indices``, counted by their position in it."""
    new = {index: row for row, index in enumerate(indices)}
    return [
        replace(tie, first=new[tie.first], second=new[tie.second])
        for tie in tie_points
        if tie.first in new and tie.second in new
    ]


def _tie_to_reference(
    flight: _Flight,
    adjusted: AdjustedBundle,
    observations: Observations,
    reference: Scene,
    register: RegisterPhoto | None,
    progress: Progress,
) -> tuple[AdjustedBundle, Observations, str]:
    """Match photos with the reference image twice: from the sensors' poses, then from the poses that this gave.

    Returns:
        the adjusted bundle, its observations and a remark for people.
    """
    centres = np.array([pose.centre[:2] for pose in adjusted.poses])
    anchors = select_anchors(centres, flight.settings.anchors)
    search = _SEARCH_SIGMAS * float(flight.sigmas[:, 0].max())
    rough_matches = Observations.empty()
    for attempt in range(2):
        matches = match_reference(
            flight.with_focal_scale(adjusted.focal_scale), adjusted.poses, anchors, reference, flight.frame,
            adjusted.ground, search if attempt == 0 else search / 3, register, attempt == 0, progress,
        )  # fmt: skip
        matches = flight.in_initial_lens(matches, adjusted.focal_scale)
        if attempt == 0:
            rough_matches = matches
        elif not len(matches.first) or register is None:
            matches = rough_matches
        if not len(matches.first):
            return adjusted, observations, "nothing in common with the reference image was found"
        combined = Observations.concatenate([observations, matches])
        adjusted = flight.adjust(combined)
    count = len(set(matches.first.tolist()))
    return adjusted, combined, f"{count} of {len(anchors)} photos compared were found in the reference image"


class _Flight:
    """Photos of a flight that have an initial pose."""

    def __init__(
        self,
        photos: list[Photo],
        poses: list[Pose],
        sigmas: Float64,
        frame: LocalFrame,
        ground: Ground,
        settings: DroneSettings,
    ) -> None:
        self.photos, self.poses, self.sigmas = photos, poses, sigmas
        self.frame, self.ground, self.settings = frame, ground, settings
        self.gsd = np.array(
            [ground_sample_distance(pose, photo.lens, ground) for photo, pose in zip(photos, poses, strict=True)]
        )

    def adjust(self, observations: Observations) -> AdjustedBundle:
        focal_sigma, slope_sigma = self.photos[0].lens.focal_noise, self.settings.ground_rise
        return adjust_bundle(self.poses, self.sigmas, focal_sigma, observations, self.ground, slope_sigma)

    def with_focal_scale(self, scale: float) -> list[Photo]:
        """The photos with the adjusted focal length."""
        return [replace(photo, lens=replace(photo.lens, focal_px=photo.lens.focal_px * scale)) for photo in self.photos]

    def in_initial_lens(self, observations: Observations, scale: float) -> Observations:
        """Convert directions of the adjusted focal length to those of the initial one."""
        return replace(observations, first_directions=observations.first_directions * scale)

    def observe(self, tie_points: Sequence[TiePoints]) -> Observations:
        """Tie points as observations for the bundle adjustment."""
        parts = []
        for tie in tie_points:
            count = len(tie.first_pixels)
            long_side = max(self.photos[tie.first].lens.width, self.photos[tie.first].lens.height)
            pixel_m = max(self.gsd[tie.first], self.gsd[tie.second]) * max(1.0, long_side / LONG_SIDE)
            parts.append(
                Observations(
                    np.full(count, tie.first, np.int64),
                    np.full(count, tie.second, np.int64),
                    self.photos[tie.first].lens.directions(tie.first_pixels),
                    self.photos[tie.second].lens.directions(tie.second_pixels),
                    np.full((count, 2), np.nan),
                    np.full(count, _TIE_SIGMA_PX * pixel_m),
                )
            )
        return Observations.concatenate(parts)

    def oriented(self, adjusted: AdjustedBundle, observations: Observations) -> list[OrientedPhoto]:
        """Determine for each photo what it is tied to, how accurate it is and whether the mosaic can use it."""
        tied_to = _tied_to(len(self.photos), observations)
        is_reference = observations.second < 0
        absolute = float(np.median(adjusted.residuals_m[is_reference])) if is_reference.any() else 0.0
        contradiction = self._contradiction(adjusted, observations)
        oriented = []
        for index, photo in enumerate(self.with_focal_scale(adjusted.focal_scale)):
            pose = adjusted.poses[index]
            own = (observations.first == index) | (observations.second == index)
            residual = float(np.median(adjusted.residuals_m[own])) if own.any() else None
            sensor_residual = float(np.median(adjusted.initial_residuals_m[own])) if own.any() else None
            error = _ERROR_95 * self._sensor_error_m(index)
            if tied_to[index] == "reference":
                error = _RESIDUAL_95 * float(np.hypot(residual or 0.0, absolute))
            elif tied_to[index] == "neighbours":
                error = _ERROR_95 * contradiction * float(np.hypot(self._block_error_m(index), residual or 0.0))
            footprint = ground_footprint(pose, photo.lens, adjusted.ground)
            exclusion = self._exclusion(tied_to[index], error)
            if not exclusion and not (footprint.is_valid and np.isfinite(footprint.bounds).all()):
                words = "its footprint on the ground is not valid: was it taken at a strong tilt?"
                exclusion, footprint = Reason(words, "photo.no_outline"), Polygon()
            gsd_m = ground_sample_distance(pose, photo.lens, adjusted.ground)
            oriented.append(
                OrientedPhoto(
                    photo, pose, tied_to[index], error, residual, sensor_residual, footprint, gsd_m, exclusion
                )
            )
        return oriented

    def _contradiction(self, adjusted: AdjustedBundle, observations: Observations) -> float:
        """Factor, 1 or more, by which photos lie further apart by their sensors than the accuracy of these explains."""
        between = observations.second >= 0
        if not between.any():
            return 1.0
        errors = np.array([self._sensor_error_m(index) for index in range(len(self.photos))])
        expected = np.hypot(errors[observations.first[between]], errors[observations.second[between]])
        return max(1.0, float(np.median(adjusted.initial_residuals_m[between] / expected)))

    def _block_error_m(self, index: int) -> float:
        """Position error that neighbours have in common, so that tie points do not reduce it, metres."""
        sigma, height = self.sigmas[index], float(self.gsd[index]) * self.photos[index].lens.focal_px
        return float(np.hypot(np.hypot(*sigma[:2]), height * np.hypot(sigma[4], sigma[5])))

    def _exclusion(self, tied_to: TiedTo, error_m: float) -> str:
        limit = self.settings.coarse_limit_m
        if tied_to != "nothing" or error_m <= limit:
            return ""
        return Reason(
            f"it has no tie points with another photo or the reference image, and the error of its position by its "
            f"sensors alone is {error_m:.1f} m, above the limit of {limit:g} m: not compared",
            "photo.too_coarse",
            error=round(error_m, 1),
            limit=limit,
        )

    def _sensor_error_m(self, index: int) -> float:
        """Standard deviation of the position by the sensors in the middle of each quarter of a photo, metres."""
        lens, sigma = self.photos[index].lens, self.sigmas[index]
        height = float(self.gsd[index]) * lens.focal_px
        arm = height * np.hypot(lens.width, lens.height) / 4 / lens.focal_px
        parts = (
            np.hypot(sigma[0], sigma[1]),
            arm * sigma[3],
            height * np.hypot(sigma[4], sigma[5]),
            arm
            * np.hypot(
                np.hypot(sigma[2], self.settings.relief_m if self.ground.is_plane else 0.0) / height, lens.focal_noise
            ),
        )
        return float(np.sqrt(np.sum(np.square(parts))))


def _tied_to(count: int, observations: Observations) -> list[TiedTo]:
    """What each photo is tied to, by connected components of photos; the reference image is one more node."""
    parent = list(range(count + 1))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    second = np.where(observations.second < 0, count, observations.second)
    for a, b in np.unique(np.column_stack([observations.first, second]), axis=0).tolist():
        parent[root(a)] = root(b)
    reference_root = root(count)
    sizes: dict[int, int] = {}
    for index in range(count):
        sizes[root(index)] = sizes.get(root(index), 0) + 1
    return [
        "reference" if root(index) == reference_root else "neighbours" if sizes[root(index)] > 1 else "nothing"
        for index in range(count)
    ]
