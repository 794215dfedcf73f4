"""Derive outline, dates, kind and presence of an alert from all of its sightings, by one rule.

The sightings are replayed in the order of their later images, so the result does not depend on the order in which they
arrived. The area that counts is the area against the last image *before* the works began.

1. **Dates.** The works are *there on* the day of the first later image that shows them. They were *not there yet on*
   the latest earlier day for which a comparison says so: the earlier image of a sighting, or the later image of a
   comparison that begins at such a day and found nothing.
2. **Whole comparisons.** A comparison is *whole* if its earlier image is from before the works, and it shows the
   complete outline from above. Its outline replaces the previous one: only it may make the outline smaller. A part that
   it misses stays if another comparison with the same later image shows that this part still stands, unchanged.
3. **All others only add.** A comparison that shows part of the outline, or begins when the works already stood, adds
   what it found beyond the outline, if that is wider than two of its pixels: a narrower strip is the noise of its edge.
   A whole comparison that is much coarser than the outline's own adds and removes parts wider than two of its pixels.
4. **Removal.** A demolition that begins when the works stood, in a comparison that shows the complete outline, is
   removed from the outline. The works are *gone* if nothing remains. They are also gone if whole comparisons in which
   works of this size are visible find nothing, in two later images, or in one of which another comparison shows a
   demolition there; unless a comparison with the same later image sees the works stand. A single image without them
   may be a miss of the detector. After that, new works at the place begin again at rule 1.
5. **Oblique images** give dates, but no outline if there is one from above. Without one, the outline is the union of
   what they saw: an estimate, in which parts that differ little are missing, and with ground hidden behind what stands
   up. An image from above that finds nothing does not end it.
6. **Drawn by people.** What a person drew counts like a comparison of its day; with a position error, as of a tip, like
   an oblique image: an outline from above replaces it. Works that only people have seen do not end by comparisons that
   find nothing: the detector may not see them.
7. **Kind.** Construction if any sighting since the works began says so, otherwise ground; demolition if nothing was
   seen to appear.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import shapely
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from enforcement.ledger.metric_plane import MetricPlane, polygons_of, wide_parts
from enforcement.ledger.sighting import DEMOLITION, Sighting
from enforcement.overlap_ratio import area_m2
from imagery.error_ellipse import ErrorEllipse
from imagery.set_operations import difference, intersection, make_valid, union

WHOLE_SHARE = 0.98
"""Share of the outline that a comparison must show to count as showing all of it; footprints end within a pixel."""

GONE_SHARE = 0.15
"""Share of the outline below which the rest of a demolition is rubble and the edge of its polygon."""

COARSER = 1.5
"""Factor in ground sample distance from which an image is too coarse to replace an outline."""

VISIBLE_PIXELS = 200.0
"""Size in pixels from which works are certainly visible, so that an image without them shows that they are gone."""

NOISE_PIXELS = 2.0
"""Width in pixels of the coarser image below which a difference of two outlines is noise."""

_MARGIN = 1e-5  # degrees, about a metre: no edge of the ground near outlines coincides with theirs
_NOTHING = Polygon()


@dataclass(frozen=True)
class LedgerState:
    """What all sightings of an alert say together.

    Attributes:
        outline: longitude, latitude; of works that are gone, as they last stood.
        area_m2: ellipsoidal m².
        area_error_m2: of the area from the position error of the edges of oblique images, no bound; 0: seen from above.
        kind: construction, ground or demolition.
        not_yet_on: last known day without the works; None: unknown.
        there_on: first known day with them; None: unknown, or only a demolition was seen.
        last_on: last known day with them.
        gone_on: first known day without them again; None: they stand, as far as is known.
        error: position error of the outline; None: seen from above.
        used: sightings since the works began, in order of their days.
    """

    outline: BaseGeometry
    area_m2: float
    area_error_m2: float
    kind: str
    not_yet_on: dt.date | None
    there_on: dt.date | None
    last_on: dt.date | None
    gone_on: dt.date | None
    error: ErrorEllipse | None
    used: tuple[Sighting, ...]

    @property
    def oblique(self) -> bool:
        """Whether outline and area are estimates from oblique images alone."""
        return self.error is not None


def derive_state(sightings: Sequence[Sighting], as_of: dt.date | None = None) -> LedgerState | None:
    """Derive the state of an alert by the rule of this module.

    Args:
        sightings: of one alert, none withdrawn, in any order.
        as_of: only images up to this day count; None: all.

    Returns:
        None if none of them found a change.
    """
    known = [sighting for sighting in sightings if as_of is None or sighting.day <= as_of]
    plane = _plane(known)
    if plane is None:
        return None
    near = _Near(known, plane)
    places = sorted((near.place(sighting) for sighting in known), key=_order)
    appearances = [place for place in places if place.sighting.appeared]
    if not appearances:
        return _demolition_only(places, plane)
    from_above = [place for place in appearances if place.sighting.error is None]
    replay = _Replay(places, oblique=not from_above)
    for day, group in groupby(places, key=lambda place: place.sighting.day):
        replay.advance(day, list(group))
    return replay.result(plane)


@dataclass(frozen=True)
class _Place:
    """A sighting with its geometries in metres.

    Attributes:
        sighting: the sighting.
        outline: of the change; empty without one.
        visible: ground that both images show, near the outlines of all sightings.
        everywhere: whether that is all of the ground near them.
    """

    sighting: Sighting
    outline: BaseGeometry
    visible: BaseGeometry
    everywhere: bool

    def shows(self, outline: BaseGeometry) -> bool:
        """Return whether the comparison shows an outline completely."""
        return self.everywhere or _shows(self.visible, outline)


class _Near:
    """The ground near the outlines of all sightings.

    An image shows much more ground than that of one alert, and most images show all of its ground: then no geometry of
    the image is needed.
    """

    def __init__(self, sightings: Sequence[Sighting], plane: MetricPlane) -> None:
        outlines = [sighting.outline for sighting in sightings if sighting.outline is not None]
        west, south, east, north = shapely.total_bounds(outlines)
        self._plane = plane
        self._ground = box(west - _MARGIN, south - _MARGIN, east + _MARGIN, north + _MARGIN)
        self._metres = plane.metres(self._ground)

    def place(self, sighting: Sighting) -> _Place:
        """Return a sighting with its geometries in metres."""
        outline = _NOTHING if sighting.outline is None else self._plane.metres(sighting.outline)
        shapely.prepare(sighting.visible)  # the ground of a comparison is that of many alerts
        if sighting.visible.covers(self._ground):
            return _Place(sighting, outline, self._metres, everywhere=True)
        if not sighting.visible.intersects(self._ground):
            return _Place(sighting, outline, _NOTHING, everywhere=False)
        visible = intersection(make_valid(sighting.visible), self._ground)
        return _Place(sighting, outline, self._plane.metres(visible), everywhere=False)


def _plane(sightings: Sequence[Sighting]) -> MetricPlane | None:
    outlines = [sighting.outline for sighting in sightings if sighting.outline is not None]
    return MetricPlane(outlines) if outlines else None


def _order(place: _Place) -> tuple[dt.date, dt.date, float, str, bytes]:
    """Sort key that does not depend on the order of arrival."""
    sighting = place.sighting
    return sighting.day, sighting.began, sighting.gsd_m, sighting.kind, place.outline.wkb


@dataclass
class _Replay:
    """The outline and dates while the sightings are replayed."""

    places: Sequence[_Place]
    oblique: bool
    outline: BaseGeometry = field(default_factory=Polygon)
    gsd_m: float = math.inf
    standing: bool = False
    not_yet_on: dt.date = dt.date.min
    there_on: dt.date = dt.date.min
    last_on: dt.date = dt.date.min
    grown_on: dt.date = dt.date.min
    gone_on: dt.date | None = None
    missed_on: dt.date | None = None
    only_drawn: bool = True
    earlier: list[tuple[dt.date, dt.date]] = field(default_factory=list)  # (not yet, gone) of earlier works here

    def advance(self, day: dt.date, group: Sequence[_Place]) -> None:
        """Take all comparisons with the same day of the later image."""
        appeared = [place for place in group if place.sighting.appeared]
        if not self.standing:
            if not appeared:
                return
            self._begin(day)
        self.only_drawn = self.only_drawn and all(place.sighting.drawn for place in appeared)
        stood = self.outline
        unchanged = self._unchanged(group) if appeared else _NOTHING
        self._add(appeared)
        whole = self._whole(group)
        if whole:
            self._measure(whole, group, intersection(stood, unchanged))
        if self.standing:
            self._demolish([place for place in group if place.sighting.disappeared], day)
        if self.standing and (appeared or self._seen_standing(group)):
            self.last_on, self.missed_on = max(self.last_on, day), None

    def _begin(self, day: dt.date) -> None:
        """Begin new works, and find the last day without them (rule 1)."""
        self.standing, self.there_on, self.last_on = True, day, day
        earliest = self.gone_on or dt.date.min
        self.outline, self.gsd_m, self.gone_on, self.only_drawn = Polygon(), math.inf, None, True
        begins = [p.sighting.began for p in self.places if p.sighting.appeared and p.sighting.began < day]
        self.not_yet_on = max([earliest, *begins])
        first = [p.outline for p in self.places if p.sighting.appeared and p.sighting.day == day]
        for place in self.places:
            nothing = place.sighting.outline is None and self.not_yet_on < place.sighting.day < day
            if nothing and place.sighting.began <= self.not_yet_on and all(place.shows(o) for o in first):
                self.not_yet_on = place.sighting.day

    def _counts(self, place: _Place) -> bool:
        """Whether the outline of a sighting counts (rule 5)."""
        return self.oblique or place.sighting.error is None

    def _add(self, appeared: Sequence[_Place]) -> None:
        """Add what was found beyond the outline (rule 3)."""
        for place in appeared:
            if self._counts(place):
                beyond = difference(place.outline, self.outline)
                if not self.outline.is_empty:
                    beyond = wide_parts(beyond, NOISE_PIXELS * place.sighting.gsd_m)
                if not beyond.is_empty:
                    self.grown_on = place.sighting.day
                self.outline = polygons_of(union(self.outline, beyond))
                self.gsd_m = min(self.gsd_m, place.sighting.gsd_m)

    def _whole(self, group: Sequence[_Place]) -> list[_Place]:
        """Return the comparisons with the image before the works if they show the complete outline (rule 2)."""
        whole = [
            place
            for place in group
            if place.sighting.error is None
            and not place.sighting.disappeared
            and self._precedes_works(place.sighting.began)
        ]
        return whole if whole and not self.outline.is_empty and _show(whole, self.outline) else []

    def _precedes_works(self, day: dt.date) -> bool:
        """Whether an image of that day shows the ground without these works and without earlier ones."""
        return day <= self.not_yet_on and not any(start < day < end for start, end in self.earlier)

    def _measure(self, whole: Sequence[_Place], group: Sequence[_Place], unchanged: BaseGeometry) -> None:
        """Replace the outline by what whole comparisons found (rules 2 to 4), but keep parts that stand unchanged."""
        found = [place for place in whole if place.sighting.appeared]
        gsd = min(place.sighting.gsd_m for place in found or whole)
        if not found:
            visible = self.outline.area >= VISIBLE_PIXELS * gsd**2
            if visible and not self.oblique and not self.only_drawn and not self._seen_standing(group):
                self._miss(group)
            return
        measured = polygons_of(_union([place.outline for place in found]))
        if gsd > COARSER * self.gsd_m:
            width = NOISE_PIXELS * gsd
            removed = difference(wide_parts(difference(self.outline, measured), width), unchanged)
            added = wide_parts(difference(measured, self.outline), width)
            self.outline = polygons_of(union(difference(self.outline, removed), added))
            return
        kept = wide_parts(difference(unchanged, measured), NOISE_PIXELS * gsd)
        self.outline, self.gsd_m = polygons_of(union(measured, kept)), gsd
        self._add([place for place in group if place.sighting.appeared and place not in whole])

    def _unchanged(self, group: Sequence[_Place]) -> BaseGeometry:
        """Return the ground that comparisons with an image of the outline as it is show without a demolition."""
        since = [p for p in group if p.sighting.error is None and self.grown_on <= p.sighting.began < p.sighting.day]
        ground = _ground_of(since)
        return difference(ground, _union([place.outline for place in since if place.sighting.disappeared]))

    def _seen_standing(self, group: Sequence[_Place]) -> bool:
        """Whether a comparison with an image of the standing works sees no change, or more works (rule 4)."""
        return any(
            not place.sighting.disappeared
            and self.there_on <= place.sighting.began
            and self.not_yet_on < place.sighting.began
            and (place.sighting.appeared or place.shows(self.outline))
            for place in group
        )

    def _demolish(self, demolished: Sequence[_Place], day: dt.date) -> None:
        """Remove what was demolished since the works began (rule 4)."""
        removals = [p for p in demolished if p.sighting.began >= self.there_on and self._counts(p)]
        if not removals or self.outline.is_empty or not _show(removals, self.outline):
            return
        rest = polygons_of(difference(self.outline, _union([place.outline for place in removals])))
        rest = wide_parts(rest, NOISE_PIXELS * max(place.sighting.gsd_m for place in removals))
        if rest.area < GONE_SHARE * self.outline.area:
            self._end(day)
        else:
            self.outline = rest

    def _miss(self, group: Sequence[_Place]) -> None:
        """Take an image that shows nothing where the works stood (rule 4)."""
        day = group[0].sighting.day
        demolished = any(
            place.sighting.disappeared
            and place.sighting.began >= self.there_on
            and place.outline.intersects(self.outline)
            for place in group
        )
        if demolished or self.missed_on is not None:
            self._end(self.missed_on or day)
        else:
            self.missed_on = day

    def _end(self, day: dt.date) -> None:
        self.standing, self.gone_on, self.missed_on = False, day, None
        self.earlier.append((self.not_yet_on, day))

    def result(self, plane: MetricPlane) -> LedgerState:
        """Return the state after the last sighting."""
        used = tuple(p.sighting for p in self.places if p.sighting.day >= self.there_on)
        appeared = [sighting for sighting in used if sighting.appeared]
        outline = plane.degrees(self.outline)
        errors = [sighting.error for sighting in appeared if sighting.error] if self.oblique else []
        error = max(errors, key=lambda one: one.major_m, default=None)
        kinds = {sighting.kind for sighting in appeared}
        return LedgerState(
            outline=outline,
            area_m2=round(area_m2(outline), 2),
            area_error_m2=round(area_error_m2(self.outline.length, error), 1),
            kind="construction" if "construction" in kinds else "ground",
            not_yet_on=_known(self.not_yet_on),
            there_on=_known(self.there_on),
            last_on=_known(self.last_on),
            gone_on=self.gone_on,
            error=error,
            used=used,
        )


def area_error_m2(perimeter_m: float, error: ErrorEllipse | None) -> float:
    """Return the error of an oblique area by its position error: every edge displaced by the mean semi-axis."""
    if error is None:
        return 0.0
    return perimeter_m * math.sqrt((error.major_m**2 + error.minor_m**2) / 2)


def _demolition_only(places: Sequence[_Place], plane: MetricPlane) -> LedgerState | None:
    """Return the state of an alert of which only demolitions were seen: the union of them."""
    demolished = [place for place in places if place.sighting.disappeared]
    from_above = [place for place in demolished if place.sighting.error is None] or demolished
    outline = polygons_of(_union([place.outline for place in from_above]))
    error = max((p.sighting.error for p in from_above if p.sighting.error), key=lambda e: e.major_m, default=None)
    degrees = plane.degrees(outline)
    return LedgerState(
        outline=degrees,
        area_m2=round(area_m2(degrees), 2),
        area_error_m2=round(area_error_m2(outline.length, error), 1),
        kind=DEMOLITION,
        not_yet_on=None,
        there_on=None,
        last_on=_known(max(place.sighting.began for place in demolished)),
        gone_on=_known(min(place.sighting.day for place in demolished)),
        error=error,
        used=tuple(place.sighting for place in demolished),
    )


def _shows(visible: BaseGeometry, outline: BaseGeometry) -> bool:
    return bool(intersection(visible, outline).area >= WHOLE_SHARE * outline.area)


def _show(places: Sequence[_Place], outline: BaseGeometry) -> bool:
    """Return whether comparisons together show an outline completely."""
    return _shows(polygons_of(_ground_of(places)), outline)


def _ground_of(places: Sequence[_Place]) -> BaseGeometry:
    """Return the ground that at least one of some comparisons shows."""
    everywhere = next((place.visible for place in places if place.everywhere), None)
    return _union([place.visible for place in places]) if everywhere is None else everywhere


def _union(outlines: Sequence[BaseGeometry]) -> BaseGeometry:
    joined: BaseGeometry = Polygon()
    for outline in outlines:
        joined = union(joined, make_valid(outline))
    return joined


def _known(day: dt.date) -> dt.date | None:
    return None if day == dt.date.min else day
