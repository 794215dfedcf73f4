"""A rendered camera over a place where something is built: captures over days, with the truth beside them.

What is no change is there too: the sun wanders, clouds dim it, traffic parks elsewhere, a crane turns, it rains, it is
night, the mast shakes.
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

from training.synthetic import camera as lens
from training.synthetic.landscape.contents import Contents, Crane
from training.synthetic.landscape.settlement import traffic
from training.synthetic.landscape.sites import Site
from training.synthetic.landscape.world import World, build_world
from training.synthetic.light import sun_at
from training.synthetic.rendering.mast import Mast
from training.synthetic.rendering.perspective import look, rain
from training.synthetic.rendering.render import ground_light
from training.synthetic.season import Season
from training.synthetic.spec import SceneSpec
from training.synthetic.window import Window

_HEIGHT_M = 34.0
_FIELD_OF_VIEW = np.radians(62)
_LATITUDE = 30.9
_WEATHERS = ("clear", "hazy", "overcast")


@dataclass(frozen=True)
class Moment:
    """When and in what weather a capture is made.

    Attributes:
        taken_at: local solar time, with its zone.
        changed: whether the sites stand already.
        weather: clear, hazy, overcast, rain, fog or night.
        shake_deg: how far the mast is turned.
        key: chooses traffic, crane, noise.
    """

    taken_at: dt.datetime
    changed: bool
    weather: str = "clear"
    shake_deg: float = 0.0
    key: int = 0


@dataclass(frozen=True)
class Watched:
    """A place and the camera that watches it."""

    spec: SceneSpec
    world: World
    mast: Mast
    window: Window
    crane: Crane

    @property
    def sites(self) -> list[Site]:
        """What changes within the view, nearest first."""
        return [site for site in self.world.changed if self.shown(site).any()]

    def shown(self, site: Site) -> NDArray[np.bool_]:
        """Mask rows×width of where a site's land and footprints are seen."""
        mask = np.zeros((self.mast.rows, self.mast.width), np.uint8)
        for area in site.area:
            points, depth = self.mast.seen(np.asarray(area.exterior.coords)[:-1])
            if depth.min() > 1 and len(points) > 2:
                cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
        return mask > 0

    def lonlat(self, x: float, y: float) -> tuple[float, float]:
        """Longitude and latitude of metres east and south in the world."""
        east, north = self.spec.origin[0] + x - self.world.corner[0], self.spec.origin[1] - y + self.world.corner[1]
        lon, lat = Transformer.from_crs(self.spec.crs, "EPSG:4490", always_xy=True).transform(east, north)
        return float(lon), float(lat)

    def on_map(self, area: Polygon) -> Polygon:
        """An outline of the world in longitude, latitude."""
        return shapely.transform(area, lambda points: np.array([self.lonlat(*point) for point in points]))


def watch(seed: int, width: int, rows: int, metres: float = 320.0, gsd: float = 0.25) -> Watched:
    """Set a mast up before the first site that fits into its view.

    Args:
        seed: of the place.
        width, rows: of the frame.
        metres: side of the square that is planned.
        gsd: of its ground image.
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
    foot = aim - away * rng.uniform(95, 130)  # the middle of the place lies between
    ahead = aim - foot
    yaw = float(np.arctan2(ahead[0], -ahead[1]))
    focal = width / 2 / float(np.tan(_FIELD_OF_VIEW / 2))
    mast = Mast(float(foot[0]), float(foot[1]), _HEIGHT_M, yaw, float(rng.uniform(0.26, 0.32)), focal, width, rows)
    spot = foot + ahead * 1.25 + rng.normal(0, 20, 2)
    crane = Crane(float(spot[0]), float(spot[1]), 30.0, 34.0, 0.0)
    return Watched(spec, world, mast, Window(float(corner[0]), float(corner[1]), gsd, side, side), crane)


def frame_at(watched: Watched, moment: Moment) -> NDArray[np.uint8]:
    """What the camera sends at a moment, rows×width×3."""
    rng = np.random.default_rng((watched.spec.seed, moment.key, 9))
    spec = watched.spec
    stands = _contents(watched, moment.changed, rng)
    day = moment.taken_at.date()
    hour = moment.taken_at.hour + moment.taken_at.minute / 60
    sun = sun_at(day, min(max(hour, 7.0), 17.0), _LATITUDE)
    season = Season(spec.dates[0], spec.seed * 2)
    camera = _lens(rng, moment)
    ground = ground_light(watched.window, stands, season, sun, camera, watched.world.key)
    turn = np.radians(moment.shake_deg) * rng.choice([-1, 1], 2)
    mast = replace(watched.mast, yaw=watched.mast.yaw + turn[0], pitch=watched.mast.pitch + 0.5 * turn[1])
    sight = {"hazy": 700.0, "rain": 450.0, "fog": 55.0}.get(moment.weather, 3000.0)
    view = look(mast, watched.window, ground, stands, sun, camera.sky, sight)
    if moment.weather == "rain":
        view = rain(view, 1.0, moment.key)
    if moment.weather == "night":
        view *= np.float32(0.004)
    whole = Window(0.0, 0.0, 1.0, mast.width, mast.rows)
    return lens.compressed(lens.expose(np.ascontiguousarray(view), whole, camera), camera.quality)


def moments(seed: int, before: int, after: int, spoiled: bool = True) -> list[Moment]:
    """Captures at nine, noon and three on following days in changing weather; with some in rain, fog and at night."""
    rng = np.random.default_rng((seed, 13))
    zone = dt.timezone(dt.timedelta(hours=8))
    made = []
    for number in range(before + after):
        day, slot = divmod(number, 3)
        at = dt.datetime(2025, 5, 10 + day, (9, 12, 15)[slot], int(rng.integers(0, 30)), tzinfo=zone)
        weather = str(rng.choice(_WEATHERS, p=[0.6, 0.2, 0.2]))
        made.append(Moment(at, number >= before, weather, float(abs(rng.normal(0, 0.12))), seed * 1000 + number))
    if spoiled:
        last = made[-1]
        for k, weather in enumerate(("rain", "fog", "night")):
            at = made[-1 - k].taken_at + dt.timedelta(minutes=40)
            at = at.replace(hour=22) if weather == "night" else at
            made.append(replace(last, taken_at=at, weather=weather, key=last.key + 1 + k))
    return sorted(made, key=lambda moment: moment.taken_at)


def _contents(watched: Watched, changed: bool, rng: np.random.Generator) -> Contents:
    """What stands there: as on one of the two dates of the world, but with films and traffic of this moment."""
    world = watched.world
    now = world.after if changed else world.before
    # films over beds come and go with the season and not within days
    films = [b for b in world.before.buildings if b.roof == "tunnel"]
    solid = [b for b in now.buildings if b.roof != "tunnel"]
    own = [v for site in world.changed for v in site.after.vehicles] if changed else []
    standing = replace(now, buildings=solid + films, vehicles=[], cranes=[])
    cranes = [replace(c, angle=float(rng.uniform(0, 6.28))) for c in [*now.cranes, watched.crane]]
    return replace(standing, vehicles=traffic(rng, standing, 30.0) + own, cranes=cranes)


def _lens(rng: np.random.Generator, moment: Moment) -> lens.Camera:
    made = lens.camera_of(rng, 0.7, moment.key)
    dull = {"overcast": 0.75, "rain": 0.85, "fog": 0.9, "hazy": 0.45}.get(moment.weather, made.sky)
    made = replace(made, sky=dull, haze=made.haze * 0.5)
    if moment.weather == "night":
        return replace(made, exposure=2.0, noise=9.0)
    return replace(made, exposure=made.exposure * (1.25 if dull > 0.7 else 1.0))
