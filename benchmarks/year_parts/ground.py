"""Truth on the ground, and what a detector with the shipped weights reports of it: hits, misses and false alarms.

Recall and precision are those of objects on the validation folders in ``model/weights/accurate.md``: buildings by their
size (intersection over union 0.25), ground works by pixels.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

import shapely
from shapely import affinity
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from benchmarks.year_parts.county import DEGREE_EAST, DEGREE_NORTH, County
from enforcement.overlap_ratio import area_m2
from store.alerts.placed_changes import DetectedChange

RECALL_BUILDING = ((200.0, 0.335), (400.0, 0.833), (1000.0, 0.944), (math.inf, 1.0))
"""Upper limit of the area in m², and the share of buildings below it that are found (`val/levir`)."""

RECALL_GROUND = 0.796
PRECISION = {"construction": 0.965, "ground": 0.52}
LEAST_M2 = {"construction": 20.0, "ground": 40.0, "demolition": 20.0}
LOT_M = 120.0
"""Distance of two sites, metres."""


@dataclass
class Site:
    """Works at one place.

    Attributes:
        village: its code.
        outline: when they are complete; longitude, latitude.
        kind: construction or ground.
        begins: first day with visible works.
        days: until they are complete.
        nature: unlawful, lawful, farm (a farm facility) or approved (an approval of the layer covers it).
        stubborn: whether the works go on after the notice, until there is a case.
        stopped_on: day from which they do not grow.
        removed_on: first day on which nothing is left; None: it stands.
    """

    village: str
    outline: Polygon
    kind: str
    begins: dt.date
    days: int
    nature: str
    stubborn: bool
    stopped_on: dt.date | None = None
    removed_on: dt.date | None = None

    def at(self, day: dt.date) -> BaseGeometry | None:
        """Return the ground of the works on a day; None: there are none."""
        if day < self.begins or (self.removed_on is not None and day >= self.removed_on):
            return None
        last = min(day, self.stopped_on) if self.stopped_on is not None else day
        grown = min(1.0, 0.35 + 0.65 * max((last - self.begins).days, 0) / self.days)
        return affinity.scale(self.outline, math.sqrt(grown), math.sqrt(grown))

    def works(self, day: dt.date) -> str:
        """Return the state of the works as an officer enters it."""
        age = (day - self.begins).days / self.days
        return "levelled" if age < 0.3 else "partly_built" if age < 1 else "built"


@dataclass
class Ground:
    """All sites of the county."""

    county: County
    rng: random.Random
    sites: list[Site] = field(default_factory=list)
    _tree: shapely.STRtree | None = None

    def create(self) -> None:
        """Draw the sites of all villages, each on a lot of its own."""
        scale, first = self.county.scale, self.county.first_day
        for village in self.county.villages:
            west, south, east, north = village.outline.bounds
            columns = int((east - west) / (LOT_M * DEGREE_EAST)) - 1
            rows = int((north - south) / (LOT_M * DEGREE_NORTH)) - 1
            wanted = self._poisson(scale.sites * scale.days / 365)
            for lot in self.rng.sample(range(columns * rows), min(wanted, columns * rows)):
                x = west + (0.5 + lot % columns + 0.5) * LOT_M * DEGREE_EAST
                y = south + (0.5 + lot // columns + 0.5) * LOT_M * DEGREE_NORTH
                self.sites.append(self._site(village.code, x, y, first, scale.days))
        self._tree = shapely.STRtree([site.outline for site in self.sites])

    def _site(self, village: str, x: float, y: float, first: dt.date, days: int) -> Site:
        rng = self.rng
        kind = "construction" if rng.random() < 0.6 else "ground"
        wide, long = rng.uniform(12, 45), rng.uniform(12, 80)
        east, north = wide / 2 * DEGREE_EAST, long / 2 * DEGREE_NORTH
        outline = box(x - east, y - north, x + east, y + north)
        begins = first + dt.timedelta(days=rng.randrange(max(1, int(days * 0.95))))
        nature = rng.choices(["unlawful", "lawful", "farm", "approved"], [0.55, 0.2, 0.12, 0.13])[0]
        return Site(village, outline, kind, begins, rng.randrange(20, 90), nature, rng.random() < 0.15)

    def site_at(self, outline: BaseGeometry) -> Site | None:
        """Return the site that an outline shows; None: it shows none."""
        assert self._tree is not None
        found = [self.sites[index] for index in self._tree.query(outline, predicate="intersects")]
        return max(found, key=lambda site: site.outline.intersection(outline).area, default=None)

    def detect(
        self, before: dt.date, after: dt.date, visible: BaseGeometry, rng: random.Random, *, false_alarms: bool = True
    ) -> list[DetectedChange]:
        """Return what a scan of two images reports within the ground that it compares."""
        assert self._tree is not None
        found: list[tuple[str, BaseGeometry, float]] = []
        for index in sorted(self._tree.query(visible, predicate="intersects")):
            change = self._changed(self.sites[index], before, after)
            if change is None or not visible.covers(change[1].centroid):
                continue
            kind, outline = change
            if rng.random() < self._recall(kind, area_m2(outline)):
                found.append((kind, self._noisy(outline, rng), rng.uniform(0.55, 0.98)))
        if false_alarms:
            for kind, precision in PRECISION.items():
                hits = sum(one[0] == kind for one in found)
                false = range(self._poisson(hits * (1 - precision) / precision, rng))
                found += [(kind, self._false_alarm(visible, rng), rng.uniform(0.4, 0.7)) for _ in false]
        ground = [(kind, outline.intersection(visible), score) for kind, outline, score in found]
        kept = [(kind, outline, score) for kind, outline, score in ground if outline.geom_type == "Polygon"]
        return [self._change(number, *one) for number, one in enumerate(kept, 1) if not one[1].is_empty]

    def _changed(self, site: Site, before: dt.date, after: dt.date) -> tuple[str, BaseGeometry] | None:
        earlier, later = site.at(before), site.at(after)
        if later is not None and (earlier is None or later.area > 1.05 * earlier.area):
            changed, kind = later if earlier is None else later.difference(earlier), site.kind
            if earlier is not None and area_m2(changed) < 0.25 * area_m2(earlier):
                return None
            if earlier is not None:  # growth is reported as the works as they stand now
                changed = later
        elif earlier is not None and later is None and site.kind == "construction":
            changed, kind = earlier, "demolition"
        else:
            return None
        return (kind, changed) if area_m2(changed) >= LEAST_M2[kind] else None

    @staticmethod
    def _recall(kind: str, area: float) -> float:
        if kind == "ground":
            return RECALL_GROUND
        return next(recall for limit, recall in RECALL_BUILDING if area < limit)

    @staticmethod
    def _noisy(outline: BaseGeometry, rng: random.Random) -> Polygon:
        """Return an outline as a detector draws it: some metres off at each corner, not quite straight."""
        size = rng.uniform(0.93, 1.07)
        whole = affinity.rotate(affinity.scale(outline, size, size), rng.uniform(-4, 4))
        corners = [
            (x + rng.gauss(0, 1.0) * DEGREE_EAST, y + rng.gauss(0, 1.0) * DEGREE_NORTH)
            for x, y in whole.segmentize(25 * DEGREE_NORTH).exterior.coords[:-1]
        ]
        drawn = shapely.make_valid(Polygon(corners))
        return drawn if drawn.geom_type == "Polygon" else whole

    @staticmethod
    def _false_alarm(visible: BaseGeometry, rng: random.Random) -> Polygon:
        west, south, east, north = visible.bounds
        x, y = rng.uniform(west, east), rng.uniform(south, north)
        wide, long = rng.uniform(10, 40) * DEGREE_EAST, rng.uniform(10, 40) * DEGREE_NORTH
        return box(x, y, x + wide, y + long)

    @staticmethod
    def _change(number: int, kind: str, outline: BaseGeometry, score: float) -> DetectedChange:
        pictures = {when: f"scans/0/{number:04d}_{when}.jpg" for when in ("before", "after")}
        detected = {"crs": "EPSG:4490", "wkt": shapely.to_wkt(outline, rounding_precision=8)}
        return DetectedChange(number, kind, round(score, 4), round(area_m2(outline), 2), outline, detected, pictures)

    def approved(self) -> Iterable[Site]:
        """Return the sites that an approval covers."""
        return (site for site in self.sites if site.nature == "approved")

    def _poisson(self, mean: float, rng: random.Random | None = None) -> int:
        rng, limit, count, product = rng or self.rng, math.exp(-mean), 0, 1.0
        while True:
            product *= rng.random()
            if product <= limit:
                return count
            count += 1
