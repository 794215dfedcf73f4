"""A lead as others receive it: a GeoJSON feature with everything that is known of it.

The words keep to what a comparison of images can know: a suspected change, to be checked on the ground.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import shapely
from shapely.geometry import Point, mapping
from shapely.geometry.base import BaseGeometry

from enforcement.units import mu
from imagery.error_ellipse import ErrorEllipse

STATEMENT = ("疑似变化线索，须经实地核查", "Suspected change, to be checked on the ground")
"""What a lead is, in Chinese and in English."""

DECIMALS = 8  # of a degree: a millimetre, so that areas computed again agree
CRS = "EPSG:4490"


@dataclass(frozen=True)
class LeadImage:
    """One of the two images that were compared.

    Attributes:
        date: day of acquisition, if known.
        source: drone, satellite, camera.
        gsd_m: ground sample distance in metres.
        sha256: of the file as it came in.
    """

    date: dt.date | None
    source: str
    gsd_m: float
    sha256: str


@dataclass(frozen=True)
class LeadArea:
    """A village, township or county: administrative code and name ("" when its area is not loaded)."""

    code: str
    name: str


@dataclass(frozen=True)
class Sight:
    """One time that the place was seen changed: date of the later image, its source, the area then in m².

    ``error`` is that of its position, for a source that sees from the side: its area is no measure of the others'.
    """

    date: dt.date | None
    source: str
    area_m2: float
    score: float
    error: ErrorEllipse | None = None


@dataclass(frozen=True)
class Evidence:
    """A picture of the lead: what it shows (``before``, ``after``) and where it is, a link or an object's key."""

    name: str
    place: str


@dataclass(frozen=True)
class Lead:
    """All that is told of a lead, as plain data.

    Attributes:
        number: of the lead, as people cite it.
        source: of the first sight: drone, satellite, camera, patrol, hotline, report.
        kind: construction, ground, demolition; ``kind_names`` are its names in Chinese and English.
        change_type: the official one, once a person has set it; ``change_type_names`` likewise.
        state, state_reason: where it is in its life, and why.
        works: levelled, partly built, built; None until somebody was there.
        outline: polygon or multipolygon, longitude and latitude, EPSG:4490.
        detected: the polygon as detected, ``{"crs": …, "wkt": …}``.
        area_m2: ellipsoidal.
        score: 0…1, of the latest sight.
        earlier, later: the images of the latest sight.
        village, township, county: who answers for it; None where no such area is known.
        also_in: other areas that it reaches into, ``{"code", "name", "share"}``.
        overlaps: with the layers that the bureau loaded, each with the layer's date.
        sights: all sights, oldest first.
        week, rank, over_cap, legal_weight: its place among the leads of its grid and ISO week.
        weights_sha256, settings_sha256: of the network and the settings of the latest sight.
        residual_px, residual_m: median remaining shift between the two images.
        evidence: pictures.
        page: link to the lead's page, or "".
        error: of the outline's position; None: as good as an orthophoto's.
    """

    number: str
    source: str
    kind: str
    kind_names: tuple[str, str]
    change_type: str
    change_type_names: tuple[str, str] | None
    state: str
    state_reason: str
    works: str | None
    outline: BaseGeometry
    detected: Mapping[str, Any]
    area_m2: float
    score: float
    earlier: LeadImage | None
    later: LeadImage | None
    village: LeadArea | None
    township: LeadArea | None
    county: LeadArea | None
    also_in: Sequence[Mapping[str, Any]]
    overlaps: Sequence[Mapping[str, Any]]
    sights: Sequence[Sight]
    week: str
    rank: int | None
    over_cap: bool
    legal_weight: int
    weights_sha256: str
    settings_sha256: str
    residual_px: float | None
    residual_m: float | None
    evidence: Sequence[Evidence]
    page: str = ""
    error: ErrorEllipse | None = None


def lead_feature(lead: Lead) -> dict[str, Any]:
    """Return the lead as a GeoJSON feature (RFC 7946), ready for JSON.

    Positions are longitude and latitude to eight decimals, outer rings counter-clockwise; areas are m² and mu, lengths
    metres, dates ISO 8601. What is not known is null, never left out.
    """
    outline = _rounded(lead.outline)
    middle = _centre(outline)
    return {
        "type": "Feature",
        "id": lead.number,
        "bbox": [round(float(value), DECIMALS) for value in outline.bounds],
        "geometry": {"type": outline.geom_type, "coordinates": _positions(mapping(outline)["coordinates"])},
        "properties": {
            "number": lead.number,
            "statement": _both(STATEMENT),
            "source": lead.source,
            "kind": lead.kind,
            "kind_name": _both(lead.kind_names),
            "type": lead.change_type or None,
            "type_name": _both(lead.change_type_names) if lead.change_type_names else None,
            "state": lead.state,
            "state_reason": lead.state_reason,
            "state_of_works": lead.works,
            "score": round(lead.score, 4),
            "area_m2": round(lead.area_m2, 2),
            "area_mu": round(mu(lead.area_m2), 4),
            "crs": CRS,
            "centre": {"lon": round(middle.x, DECIMALS), "lat": round(middle.y, DECIMALS)},
            "position_error": asdict(lead.error) if lead.error else None,
            "detected": dict(lead.detected),
            "earlier_image": _image(lead.earlier),
            "later_image": _image(lead.later),
            "village": _area(lead.village),
            "township": _area(lead.township),
            "county": _area(lead.county),
            "also_in": [dict(area) for area in lead.also_in],
            "overlaps": [dict(overlap) for overlap in lead.overlaps],
            "legal_weight": lead.legal_weight,
            "week": lead.week or None,
            "rank": lead.rank,
            "over_cap": lead.over_cap,
            **_seen(lead.sights),
            "model_sha256": lead.weights_sha256,
            "settings_sha256": lead.settings_sha256,
            "registration_residual_px": lead.residual_px,
            "registration_residual_m": lead.residual_m,
            "evidence": {picture.name: picture.place for picture in lead.evidence},
            "page": lead.page or None,
        },
    }


def _seen(sights: Sequence[Sight]) -> dict[str, Any]:
    dates = sorted(sight.date for sight in sights if sight.date is not None)
    alike = [sight for sight in sights if sight.error is None] or sights
    first, last = (alike[0].area_m2, alike[-1].area_m2) if alike else (0.0, 0.0)
    return {
        "times_seen": len(sights),
        "sources_seen": len({sight.source for sight in sights}),
        "first_seen": _day(dates[0] if dates else None),
        "last_seen": _day(dates[-1] if dates else None),
        "growth_m2": round(last - first, 2),
        "sights": [
            {
                "date": _day(sight.date),
                "source": sight.source,
                "area_m2": round(sight.area_m2, 2),
                "score": round(sight.score, 4),
            }
            for sight in sights
        ],
    }


def _image(image: LeadImage | None) -> dict[str, Any] | None:
    if image is None:
        return None
    return {"date": _day(image.date), "source": image.source, "gsd_m": image.gsd_m, "sha256": image.sha256}


def _area(area: LeadArea | None) -> dict[str, str] | None:
    return None if area is None else {"code": area.code, "name": area.name}


def _both(words: tuple[str, str]) -> dict[str, str]:
    return {"zh": words[0], "en": words[1]}


def _day(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()


def _rounded(outline: BaseGeometry) -> BaseGeometry:
    """On a grid of 1e-8 degrees and still valid; rings turned as RFC 7946 section 3.1.6 says."""
    coarse = shapely.set_precision(shapely.force_2d(outline), 10.0**-DECIMALS)
    return shapely.orient_polygons(outline if coarse.is_empty else coarse, exterior_cw=False)


def _centre(outline: BaseGeometry) -> Point:
    """A point to go to: the centroid, or where that lies outside (an L, a ring) a point well inside."""
    middle = outline.centroid
    return middle if outline.contains(middle) else outline.representative_point()


def _positions(coordinates: Any) -> Any:
    if isinstance(coordinates[0], float | int):
        return [round(float(value), DECIMALS) for value in coordinates]
    return [_positions(part) for part in coordinates]
