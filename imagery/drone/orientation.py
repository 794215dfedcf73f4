"""The photos of one flight placed: by their sensors, then against each other and the reference image, all together."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon

from errors import ImageError, Reason
from imagery.drone.bundle_adjustment import Adjusted, Observations, adjust
from imagery.drone.collinearity import Pose, footprint, ground_sample_distance
from imagery.drone.initial_poses import guess_on_ground, neighbours, positions, start_poses
from imagery.drone.photo import Photo
from imagery.drone.photo_pixels import Progress
from imagery.drone.reference_matching import Register, anchors, compare, nothing
from imagery.drone.settings import DroneSettings, drone_settings
from imagery.drone.terrain import Frame, Ground, read_ground
from imagery.drone.tie_points import LONG_SIDE, Ties, tie_neighbours
from imagery.scene import Scene

Float64 = NDArray[np.float64]
Tied = Literal["reference", "neighbours", "nothing"]

_TIE_PX = 1.5  # pixels, on the photo as features were sought, to which a tie is believed
_SEARCH = 3.0  # deviations of position by which the reference is searched
_TYPICAL_HEIGHT_M = 150.0


@dataclass(frozen=True)
class PlacedPhoto:
    """A photo with its place on the earth.

    Attributes:
        photo: what it said of itself.
        pose: where the camera was, and how it looked.
        tied: to the reference image (itself or by its neighbours), to neighbours only, or to nothing.
        error_m: how far its ground may lie off the true place (one standard deviation).
        residual_m: median distance on the ground to what it was tied to; None: to nothing.
        before_m: the same by the sensors alone.
        outline: ground that it shows; easting, northing.
        gsd_m: metres per pixel.
        left_out: why it does not become part of the mosaic; "": it does.
    """

    photo: Photo
    pose: Pose
    tied: Tied
    error_m: float
    residual_m: float | None
    before_m: float | None
    outline: Polygon
    gsd_m: float
    left_out: str = ""


@dataclass(frozen=True)
class PlacedFlight:
    """A flight with its place on the earth.

    Attributes:
        frame, ground: what it was placed in, and on.
        photos: those that have a place.
        unplaced: photos without one, and why.
        remarks: what a person should know.
    """

    frame: Frame
    ground: Ground
    photos: list[PlacedPhoto]
    unplaced: list[tuple[Photo, str]]
    remarks: list[str]

    @property
    def used(self) -> list[PlacedPhoto]:
        """Those that become part of the mosaic."""
        return [placed for placed in self.photos if not placed.left_out]


def place_flight(
    photos: Sequence[Photo],
    settings: DroneSettings,
    workdir: Path,
    *,
    reference: Scene | None = None,
    elevation: Path | None = None,
    register: Register | None = None,
    progress: Progress = lambda part, done: None,
) -> PlacedFlight:
    """Place the photos of a flight.

    Args:
        photos: of one flight.
        settings: of drones.
        workdir: a folder for temporary files.
        reference: an earlier image of the area; None: photos are placed against each other only.
        elevation: GeoTIFF of the ground's height; None: a plane, level at the first photo, whose slope is found.
        register: the registration of scans, see :data:`imagery.drone.reference_matching.Register`.
        progress: is told the part of the work and how far it is.

    Raises:
        ImageError: the elevation model cannot be used, or a photo cannot be decoded.
    """
    first = photos[0]
    frame = Frame.at(first.longitude, first.latitude)
    at = positions(photos, frame)
    with tempfile.TemporaryDirectory(dir=workdir, prefix="flight-") as folder:
        ground = _ground(photos, at, elevation, frame, Path(folder))
        pairs = neighbours(photos, at, settings.neighbours)
        guess = guess_on_ground(photos, start_poses(photos, at, [], frame, ground), ground)
        ties = list(tie_neighbours(photos, pairs, guess, Path(folder), progress))
    start = start_poses(photos, at, ties, frame, ground)
    unplaced = [(photos[number], reason) for number, reason in start.unplaced.items()]
    if not start.numbers:
        return PlacedFlight(frame, ground, [], unplaced, [])
    kept = [photos[number] for number in start.numbers]
    flight = _Flight(kept, start.poses, start.deviations, frame, ground, settings)
    seen = flight.observed(_renumbered(ties, start.numbers))
    adjusted = flight.adjust(seen)
    remarks = []
    if reference is not None:
        adjusted, seen, told = _against(flight, adjusted, seen, reference, register, progress)
        remarks.append(told)
    return PlacedFlight(frame, adjusted.ground, flight.judged(adjusted, seen), unplaced, remarks)


def _ground(photos: Sequence[Photo], at: Float64, elevation: Path | None, frame: Frame, folder: Path) -> Ground:
    if elevation is None:
        return Ground(0.0)
    reach = 2.0 * max(photo.height_m or _TYPICAL_HEIGHT_M for photo in photos)
    west, south = at.min(axis=0) - reach
    east, north = at.max(axis=0) + reach
    return read_ground(elevation, frame, (float(west), float(south), float(east), float(north)), folder)


def _renumbered(ties: Sequence[Ties], kept: Sequence[int]) -> list[Ties]:
    new = {number: at for at, number in enumerate(kept)}
    return [
        replace(tie, first=new[tie.first], second=new[tie.second])
        for tie in ties
        if tie.first in new and tie.second in new
    ]


def _against(
    flight: _Flight,
    adjusted: Adjusted,
    seen: Observations,
    reference: Scene,
    register: Register | None,
    progress: Progress,
) -> tuple[Adjusted, Observations, str]:
    """Compare with the reference: from where the sensors say, and again from where that has led."""
    which = anchors(np.array([pose.centre[:2] for pose in adjusted.poses]), flight.settings.anchors)
    search = _SEARCH * float(flight.deviations[:, 0].max())
    rough = nothing()
    for attempt in range(2):
        lens_of = flight.lenses(adjusted.focal_scale)
        found = compare(
            lens_of, adjusted.poses, which, reference, flight.frame, adjusted.ground,
            search if attempt == 0 else search / 3, register, attempt == 0, progress,
        )  # fmt: skip
        found = flight.in_own_lens(found, adjusted.focal_scale)
        if attempt == 0:
            rough = found
        elif not len(found.first) or register is None:
            found = rough
        if not len(found.first):
            return adjusted, seen, "nothing in common with the reference image was found"
        both = seen.with_more(found)
        adjusted = flight.adjust(both)
    count = len(set(found.first.tolist()))
    return adjusted, both, f"{count} of {len(which)} photos compared were found in the reference image"


class _Flight:
    """The photos of a flight that can be placed, with what their sensors say."""

    def __init__(
        self,
        photos: list[Photo],
        poses: list[Pose],
        deviations: Float64,
        frame: Frame,
        ground: Ground,
        settings: DroneSettings,
    ) -> None:
        self.photos, self.poses, self.deviations = photos, poses, deviations
        self.frame, self.ground, self.settings = frame, ground, settings
        self.gsd = np.array(
            [ground_sample_distance(pose, photo.lens, ground) for photo, pose in zip(photos, poses, strict=True)]
        )

    def adjust(self, seen: Observations) -> Adjusted:
        focal, rise = self.photos[0].lens.focal_noise, self.settings.ground_rise
        return adjust(self.poses, self.deviations, focal, seen, self.ground, rise)

    def lenses(self, scale: float) -> list[Photo]:
        """The photos with the focal length that was found."""
        return [replace(photo, lens=replace(photo.lens, focal_px=photo.lens.focal_px * scale)) for photo in self.photos]

    def in_own_lens(self, seen: Observations, scale: float) -> Observations:
        """What was observed with the focal length found, as with the one told."""
        return replace(seen, at_first=seen.at_first * scale)

    def observed(self, ties: Sequence[Ties]) -> Observations:
        out = [nothing()]
        for tie in ties:
            count = len(tie.at_first)
            longer = max(self.photos[tie.first].lens.width, self.photos[tie.first].lens.height)
            pixel = max(self.gsd[tie.first], self.gsd[tie.second]) * max(1.0, longer / LONG_SIDE)
            out.append(
                Observations(
                    np.full(count, tie.first, np.int64),
                    np.full(count, tie.second, np.int64),
                    self.photos[tie.first].lens.directions(tie.at_first),
                    self.photos[tie.second].lens.directions(tie.at_second),
                    np.full((count, 2), np.nan),
                    np.full(count, _TIE_PX * pixel),
                )
            )
        names = ("first", "second", "at_first", "at_second", "place", "deviation_m")
        return Observations(*(np.concatenate([getattr(part, name) for part in out]) for name in names))

    def judged(self, adjusted: Adjusted, seen: Observations) -> list[PlacedPhoto]:
        """Say of each photo what it is tied to and how well its place is known."""
        tied = _tied_to(len(self.photos), seen)
        at_reference = seen.second < 0
        absolute = float(np.median(adjusted.after_m[at_reference])) if at_reference.any() else 0.0
        out, limit = [], self.settings.coarse_limit_m
        for number, photo in enumerate(self.lenses(adjusted.focal_scale)):
            pose = adjusted.poses[number]
            own = (seen.first == number) | (seen.second == number)
            after = float(np.median(adjusted.after_m[own])) if own.any() else None
            before = float(np.median(adjusted.before_m[own])) if own.any() else None
            error = self._by_sensors(number)
            if tied[number] == "reference":
                error = float(np.hypot(after or 0.0, absolute))
            elif tied[number] == "neighbours":
                error = float(np.hypot(np.hypot(*self.deviations[number, :2]), after or 0.0))
            left_out = ""
            if tied[number] == "nothing" and error > limit:
                left_out = Reason(
                    f"it shows nothing that another photo or the reference image shows, and by its sensors alone its "
                    f"place is known to {error:.1f} m, above the limit of {limit:g} m: not compared",
                    "photo.too_coarse",
                    error=round(error, 1),
                    limit=limit,
                )
            outline = footprint(pose, photo.lens, adjusted.ground)
            if not left_out and not (outline.is_valid and np.isfinite(outline.bounds).all()):
                words = "its outline on the ground is none: was it taken at a strong tilt?"
                left_out, outline = Reason(words, "photo.no_outline"), Polygon()
            out.append(
                PlacedPhoto(
                    photo, pose, tied[number], error, after, before, outline,
                    ground_sample_distance(pose, photo.lens, adjusted.ground), left_out,
                )
            )  # fmt: skip
        return out

    def _by_sensors(self, number: int) -> float:
        """How far the middle of each quarter of a photo lies off by the deviations of its sensors, metres."""
        lens, deviation = self.photos[number].lens, self.deviations[number]
        height = float(self.gsd[number]) * lens.focal_px
        arm = height * np.hypot(lens.width, lens.height) / 4 / lens.focal_px
        parts = (
            np.hypot(deviation[0], deviation[1]),
            arm * deviation[3],
            height * np.hypot(deviation[4], deviation[5]),
            arm * np.hypot(deviation[2] / height, lens.focal_noise),
        )
        return float(np.sqrt(np.sum(np.square(parts))))


def _tied_to(count: int, seen: Observations) -> list[Tied]:
    """By the parts of the flight that hang together, the reference being one more member."""
    parent = list(range(count + 1))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    second = np.where(seen.second < 0, count, seen.second)
    for a, b in np.unique(np.column_stack([seen.first, second]), axis=0).tolist():
        parent[root(a)] = root(b)
    of_reference = root(count)
    sizes: dict[int, int] = {}
    for number in range(count):
        sizes[root(number)] = sizes.get(root(number), 0) + 1
    return [
        "reference" if root(number) == of_reference else "neighbours" if sizes[root(number)] > 1 else "nothing"
        for number in range(count)
    ]


def outline_in_degrees(placed: PlacedPhoto, frame: Frame) -> Polygon:
    """Ground that a photo shows; longitude, latitude."""
    return _in_degrees(placed.outline, frame)


def _in_degrees(outline: Polygon, frame: Frame) -> Polygon:
    return shapely.transform(outline, lambda at: np.column_stack(frame.to_degrees.transform(*at.T)))


def by_sensors(photo: Photo) -> tuple[Polygon, float]:
    """Where a photo lies by its sensors alone, on the plane of the take-off point: for a first look.

    Returns:
        its ground (longitude, latitude; a circle where heading or height are not told), and how far that may be off in
        metres.
    """
    frame, ground = Frame.at(photo.longitude, photo.latitude), Ground(0.0)
    at = positions([photo], frame)
    start = start_poses([photo], at, [], frame, ground)
    if not start.numbers:
        circle = shapely.Point(at[0]).buffer(_TYPICAL_HEIGHT_M / 2)
        return shapely.transform(
            circle, lambda xy: np.column_stack(frame.to_degrees.transform(*xy.T))
        ), _TYPICAL_HEIGHT_M
    flight = _Flight([photo], start.poses, start.deviations, frame, ground, drone_settings())
    placed = flight.judged(flight.adjust(nothing()), nothing())[0]
    return outline_in_degrees(placed, frame), placed.error_m


def refuse_empty(flight: PlacedFlight) -> None:
    """Raise ImageError for a flight of which nothing can become a mosaic."""
    if not flight.used:
        reasons = [placed.left_out for placed in flight.photos] + [reason for _, reason in flight.unplaced]
        first = reasons[0] if reasons else "there is none"
        raise ImageError(f"No photo of the flight can be placed: {first}.", "photo.none_placed", first=first)
