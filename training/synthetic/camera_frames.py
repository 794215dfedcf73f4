"""Rendered frames of a fixed camera that overlooks building sites, over several days and with ground truth.

The frames also differ without a change: sun position, clouds, parked traffic, a turning crane, rain, night, and a mast
that shakes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import Polygon

from training.synthetic.imaging import ImagingConditions, expose, jpeg_round_trip, random_conditions
from training.synthetic.landscape.contents import Contents, Crane
from training.synthetic.landscape.settlement import traffic
from training.synthetic.landscape.sites import Site
from training.synthetic.landscape.world import World, build_world
from training.synthetic.light import sun_position
from training.synthetic.raster_window import Window
from training.synthetic.rendering.mast_camera import MastCamera
from training.synthetic.rendering.perspective import add_rain, render_perspective
from training.synthetic.rendering.render import ground_radiance
from training.synthetic.season import Season
from training.synthetic.spec import SceneSpec

_HEIGHT_M = 34.0
_FIELD_OF_VIEW = np.radians(62)
_LATITUDE = 30.9
_WEATHERS = ("clear", "hazy", "overcast")


@dataclass(frozen=True)
class CaptureConditions:
    """Time, weather and state of one capture.

    Attributes:
        taken_at: local solar time, with time zone.
        changed: whether the changed sites have been built.
        weather: clear, hazy, overcast, rain, fog or night.
        shake_deg: rotation of the mast by wind.
        key: seeds traffic, crane and noise.
    """

    taken_at: dt.datetime
    changed: bool
    weather: str = "clear"
    shake_deg: float = 0.0
    key: int = 0


@dataclass(frozen=True)
class CameraScene:
    """A rendered place and the fixed camera that overlooks it."""

    spec: SceneSpec
    world: World
    camera: MastCamera
    window: Window
    crane: Crane

    @property
    def sites(self) -> list[Site]:
        """Changed sites within the view."""
        return [site for site in self.world.changed if self.site_mask(site).any()]

    def site_mask(self, site: Site) -> NDArray[np.bool_]:
        """Return the mask rows×width of a site's land and footprints in the frame."""
        mask = np.zeros((self.camera.rows, self.camera.width), np.uint8)
        for area in site.area:
            points, depth = self.camera.project(np.asarray(area.exterior.coords)[:-1])
            if depth.min() > 1 and len(points) > 2:
                cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
        return mask > 0

    def to_lonlat(self, x: float, y: float) -> tuple[float, float]:
        """Convert metres east and south in the world to longitude, latitude."""
        east, north = self.spec.origin[0] + x - self.world.corner[0], self.spec.origin[1] - y + self.world.corner[1]
        lon, lat = Transformer.from_crs(self.spec.crs, "EPSG:4490", always_xy=True).transform(east, north)
        return float(lon), float(lat)

    def to_lonlat_polygon(self, area: Polygon) -> Polygon:
        """Convert a polygon in metres of the world to longitude, latitude."""
        return shapely.transform(area, lambda points: np.array([self.to_lonlat(*point) for point in points]))


def build_camera_scene(seed: int, width: int, rows: int, metres: float = 320.0, gsd: float = 0.25) -> CameraScene:
    """Plan a place and set up a camera in front of its first site that is well inside of it.

    Args:
        seed: of the place.
        width, rows: of the frame in pixels.
        metres: side of the square place.
        gsd: metres per pixel of the ground image.
    """
    side = int(metres / gsd)
    spec = SceneSpec(seed, side, side, gsd_m=gsd, dates=(dt.date(2025, 5, 10), dt.date(2025, 5, 20)))
    world = build_world(spec)
    rng = np.random.default_rng((seed, 77))
    corner, middle = np.array(world.corner), np.array(world.corner) + metres / 2
    inner = shapely.box(*(corner + 25), *(corner + metres - 25))
    inside = [site for site in world.changed if site.land is not None and inner.contains(site.area[0])]
    target = (inside or world.changed)[0].area[0].centroid
    aim = np.array([target.x, target.y]) + rng.normal(0, 8, 2)
    away = aim - middle + rng.normal(0, 25, 2)
    away /= max(float(np.hypot(*away)), 1e-6)
    foot = aim - away * rng.uniform(95, 130)  # on the other side of the place's centre
    ahead = aim - foot
    yaw = float(np.arctan2(ahead[0], -ahead[1]))
    focal = width / 2 / float(np.tan(_FIELD_OF_VIEW / 2))
    camera = MastCamera(
        float(foot[0]), float(foot[1]), _HEIGHT_M, yaw, float(rng.uniform(0.26, 0.32)), focal, width, rows
    )
    crane_foot = foot + ahead * 1.25 + rng.normal(0, 20, 2)
    crane = Crane(float(crane_foot[0]), float(crane_foot[1]), 30.0, 34.0, 0.0)
    return CameraScene(spec, world, camera, Window(float(corner[0]), float(corner[1]), gsd, side, side), crane)


def render_frame(scene: CameraScene, capture: CaptureConditions) -> NDArray[np.uint8]:
    """Render the frame of one capture, uint8 rows×width×3."""
    rng = np.random.default_rng((scene.spec.seed, capture.key, 9))
    spec = scene.spec
    contents = _contents(scene, capture.changed, rng)
    day = capture.taken_at.date()
    hour = capture.taken_at.hour + capture.taken_at.minute / 60
    sun = sun_position(day, min(max(hour, 7.0), 17.0), _LATITUDE)
    season = Season(spec.dates[0], spec.seed * 2)
    conditions = _imaging_conditions(rng, capture)
    ground = ground_radiance(scene.window, contents, season, sun, conditions, scene.world.key)
    shake = np.radians(capture.shake_deg) * rng.choice([-1, 1], 2)
    camera = replace(scene.camera, yaw=scene.camera.yaw + shake[0], pitch=scene.camera.pitch + 0.5 * shake[1])
    visibility_m = {"hazy": 700.0, "rain": 450.0, "fog": 55.0}.get(capture.weather, 3000.0)
    view = render_perspective(camera, scene.window, ground, contents, sun, conditions.sky, visibility_m)
    if capture.weather == "rain":
        view = add_rain(view, 1.0, capture.key)
    if capture.weather == "night":
        view *= np.float32(0.004)
    frame = Window(0.0, 0.0, 1.0, camera.width, camera.rows)
    return jpeg_round_trip(expose(np.ascontiguousarray(view), frame, conditions), conditions.quality)


def capture_schedule(seed: int, before: int, after: int, include_unusable: bool = True) -> list[CaptureConditions]:
    """Plan captures at nine, noon and three o'clock on successive days in changing weather.

    Args:
        seed: of times, weather and shake.
        before, after: number of captures without and with the changed sites.
        include_unusable: add captures in rain, in fog and at night.
    """
    rng = np.random.default_rng((seed, 13))
    zone = dt.timezone(dt.timedelta(hours=8))
    captures = []
    for number in range(before + after):
        day, slot = divmod(number, 3)
        time = dt.datetime(2025, 5, 10 + day, (9, 12, 15)[slot], int(rng.integers(0, 30)), tzinfo=zone)
        weather = str(rng.choice(_WEATHERS, p=[0.6, 0.2, 0.2]))
        captures.append(
            CaptureConditions(time, number >= before, weather, float(abs(rng.normal(0, 0.12))), seed * 1000 + number)
        )
    if include_unusable:
        last = captures[-1]
        for k, weather in enumerate(("rain", "fog", "night")):
            time = captures[-1 - k].taken_at + dt.timedelta(minutes=40)
            time = time.replace(hour=22) if weather == "night" else time
            captures.append(replace(last, taken_at=time, weather=weather, key=last.key + 1 + k))
    return sorted(captures, key=lambda capture: capture.taken_at)


def _contents(scene: CameraScene, changed: bool, rng: np.random.Generator) -> Contents:
    """Return the contents of one date of the world with the traffic and crane positions of this capture."""
    world = scene.world
    now = world.after if changed else world.before
    # greenhouse films change with the season and not within days
    films = [b for b in world.before.buildings if b.roof == "tunnel"]
    solid = [b for b in now.buildings if b.roof != "tunnel"]
    site_vehicles = [v for site in world.changed for v in site.after.vehicles] if changed else []
    static = replace(now, buildings=solid + films, vehicles=[], cranes=[])
    cranes = [replace(c, angle=float(rng.uniform(0, 6.28))) for c in [*now.cranes, scene.crane]]
    return replace(static, vehicles=traffic(rng, static, 30.0) + site_vehicles, cranes=cranes)


def _imaging_conditions(rng: np.random.Generator, capture: CaptureConditions) -> ImagingConditions:
    """Draw imaging conditions that match the weather of the capture."""
    base = random_conditions(rng, 0.7, capture.key)
    sky = {"overcast": 0.75, "rain": 0.85, "fog": 0.9, "hazy": 0.45}.get(capture.weather, base.sky)
    base = replace(base, sky=sky, haze=base.haze * 0.5)
    if capture.weather == "night":
        return replace(base, exposure=2.0, noise=9.0)
    return replace(base, exposure=base.exposure * (1.25 if sky > 0.7 else 1.0))
