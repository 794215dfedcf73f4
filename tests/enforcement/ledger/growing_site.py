"""Random histories of a building site, the images of it, and what a detector with noise makes of them."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise

import shapely
from shapely.affinity import translate
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from enforcement.ledger.metric_plane import MetricPlane, polygons_of
from enforcement.ledger.sighting import Sighting

FIRST = dt.date(2025, 1, 1)
PLANE = MetricPlane([box(119.9999, 29.9999, 120.0001, 30.0001)])
GROUND = box(-400, -400, 400, 400)
SOURCES = ("satellite", "drone")
MISSED = 0.01
"""Share of changes that the detector does not find."""


@dataclass(frozen=True)
class SiteImage:
    """An image: its day, source, ground sample distance, footprint in metres, and what stands on it."""

    number: int
    day: dt.date
    source: str
    gsd_m: float
    footprint: BaseGeometry
    works: BaseGeometry


@dataclass
class History:
    """The truth at each image, in order of days; the first image shows the ground before the works."""

    images: list[SiteImage] = field(default_factory=list)

    def seen(self, last: int, missed: Collection[int] = ()) -> BaseGeometry:
        """Return the works seen up to image ``last``.

        Of a partial image nothing is taken away. Images whose numbers are in ``missed`` say nothing.
        """
        seen: BaseGeometry = Polygon()
        for image in self.images[1 : last + 1]:
            if image.number not in missed:
                visible = image.works.intersection(image.footprint)
                whole = image.footprint.covers(seen.union(image.works))
                seen = visible if whole else seen.union(visible)
        return seen


def random_history(rng: random.Random) -> History:
    """A site that grows, pauses, is partly removed, or has two ends that join; each image shows all or part of it."""
    stages = _two_ends(rng) if rng.random() < 0.35 else _growth(rng)
    history, day = History(), FIRST
    works: BaseGeometry = Polygon()
    for number in range(len(stages) + 1):
        if number:
            works = stages[number - 1]
        partial = number > 0 and rng.random() < 0.25
        gsd = rng.choice((0.25, 0.3, 0.5, 0.5))
        footprint = _cut(works, rng) if partial else GROUND
        history.images.append(SiteImage(number, day, rng.choice(SOURCES), gsd, footprint, works))
        day += dt.timedelta(days=rng.randint(5, 200))
    return history


def _growth(rng: random.Random) -> list[BaseGeometry]:
    left, width, depth = rng.uniform(-60, 0), rng.uniform(35, 60), rng.uniform(30, 60)
    stages: list[BaseGeometry] = []
    for _ in range(rng.randint(2, 5)):
        stages.append(box(left, 0, left + width, depth))
        action = rng.random()
        if action < 0.08:
            stages.append(Polygon())
        elif action < 0.6:
            width *= rng.uniform(1.25, 1.9)
        elif action < 0.7:
            width = max(35.0, width * rng.uniform(0.4, 0.6))
    return stages


def _two_ends(rng: random.Random) -> list[BaseGeometry]:
    gap, depth = rng.uniform(30, 80), rng.uniform(30, 50)
    ends = shapely.union_all([box(-gap / 2 - 40, 0, -gap / 2, depth), box(gap / 2, 0, gap / 2 + 40, depth)])
    joined = box(-gap / 2 - 40, 0, gap / 2 + 40, depth)
    return [ends] * rng.randint(1, 2) + [joined] * rng.randint(1, 2)


def _cut(works: BaseGeometry, rng: random.Random) -> BaseGeometry:
    """A footprint whose edge crosses the works."""
    if works.is_empty:
        return GROUND
    west, _, east, _ = works.bounds
    edge = west + (east - west) * rng.uniform(0.25, 0.75)
    return box(-400, -400, edge, 400) if rng.random() < 0.5 else box(edge, -400, 400, 400)


def compare(before: SiteImage, after: SiteImage, rng: random.Random) -> list[tuple[str, BaseGeometry, float]]:
    """Return what a detector finds between two images: (kind, outline in metres, score)."""
    visible = before.footprint.intersection(after.footprint)
    gsd, found = max(before.gsd_m, after.gsd_m), []
    for kind, change in (
        ("construction", after.works.difference(before.works)),
        ("demolition", before.works.difference(after.works)),
    ):
        for part in shapely.get_parts(polygons_of(change.intersection(visible))):
            if part.area < 60 or rng.random() < MISSED:
                continue
            noisy = translate(part.buffer(rng.gauss(0, 0.5) * gsd, join_style="mitre"), *_shift(rng, gsd))
            noisy = polygons_of(noisy.intersection(visible))
            if not noisy.is_empty:
                found.append((kind, noisy, rng.uniform(0.5, 0.95)))
    return found


def _shift(rng: random.Random, gsd: float) -> tuple[float, float]:
    return rng.gauss(0, 0.5) * gsd, rng.gauss(0, 0.5) * gsd


def pairs_of(history: History) -> list[tuple[SiteImage, SiteImage]]:
    """Each image is compared with the previous one, and with the one before the works."""
    images = history.images
    pairs = [(images[0], image) for image in images[1:]]
    return [*pairs, *pairwise(images[1:])]


def sightings_of(history: History, rng: random.Random) -> list[Sighting]:
    """All comparisons of a history as sightings of one alert."""
    sightings = []
    for number, (before, after) in enumerate(pairs_of(history)):
        visible = PLANE.degrees(before.footprint.intersection(after.footprint))
        base = (number, before.day, after.day, after.source, max(before.gsd_m, after.gsd_m), visible)
        found = compare(before, after, rng)
        sightings += [Sighting(*base, PLANE.degrees(outline), kind, score) for kind, outline, score in found]
        if not found:
            sightings.append(Sighting(*base))
    return sightings
