"""An alert as others receive it: a GeoJSON feature with everything that is known of it.

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
"""What an alert is, in Chinese and in English."""

DECIMALS = 8  # of a degree: a millimetre, so that areas computed again agree
CRS = "EPSG:4490"


@dataclass(frozen=True)
class AlertImage:
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
class AlertArea:
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
    """A picture of the alert: what it shows (``before``, ``after``) and where it is, a link or an object's key."""

    name: str
    place: str


@dataclass(frozen=True)
class Alert:
    """All that is told of an alert, as plain data.

    Attributes:
        number: of the alert, as people cite it.
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
        week, rank, over_cap, legal_weight: its place among the alerts of its grid and ISO week.
        weights_sha256, settings_sha256: of the network and the settings of the latest sight.
        residual_px, residual_m: median remaining shift between the two images.
        evidence: pictures.
        page: link to the alert's page, or "".
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
    earlier: AlertImage | None
    later: AlertImage | None
    village: AlertArea | None
    township: AlertArea | None
    county: AlertArea | None
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


def alert_feature(alert: Alert) -> dict[str, Any]:
    """Return the alert as a GeoJSON feature (RFC 7946), ready for JSON.

    Positions are longitude and latitude to eight decimals, outer rings counter-clockwise; areas are m² and mu, lengths
    metres, dates ISO 8601. What is not known is null, never left out.
    """
    outline = _rounded(alert.outline)
    middle = _centre(outline)
    return {
        "type": "Feature",
        "id": alert.number,
        "bbox": [round(float(value), DECIMALS) for value in outline.bounds],
        "geometry": {"type": outline.geom_type, "coordinates": _positions(mapping(outline)["coordinates"])},
        "properties": {
            "number": alert.number,
            "statement": _both(STATEMENT),
            "source": alert.source,
            "kind": alert.kind,
            "kind_name": _both(alert.kind_names),
            "type": alert.change_type or None,
            "type_name": _both(alert.change_type_names) if alert.change_type_names else None,
            "state": alert.state,
            "state_reason": alert.state_reason,
            "state_of_works": alert.works,
            "score": round(alert.score, 4),
            "area_m2": round(alert.area_m2, 2),
            "area_mu": round(mu(alert.area_m2), 4),
            "crs": CRS,
            "centre": {"lon": round(middle.x, DECIMALS), "lat": round(middle.y, DECIMALS)},
            "position_error": asdict(alert.error) if alert.error else None,
            "detected": dict(alert.detected),
            "earlier_image": _image(alert.earlier),
            "later_image": _image(alert.later),
            "village": _area(alert.village),
            "township": _area(alert.township),
            "county": _area(alert.county),
            "also_in": [dict(area) for area in alert.also_in],
            "overlaps": [dict(overlap) for overlap in alert.overlaps],
            "legal_weight": alert.legal_weight,
            "week": alert.week or None,
            "rank": alert.rank,
            "over_cap": alert.over_cap,
            **_seen(alert.sights),
            "model_sha256": alert.weights_sha256,
            "settings_sha256": alert.settings_sha256,
            "registration_residual_px": alert.residual_px,
            "registration_residual_m": alert.residual_m,
            "evidence": {picture.name: picture.place for picture in alert.evidence},
            "page": alert.page or None,
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


def _image(image: AlertImage | None) -> dict[str, Any] | None:
    if image is None:
        return None
    return {"date": _day(image.date), "source": image.source, "gsd_m": image.gsd_m, "sha256": image.sha256}


def _area(area: AlertArea | None) -> dict[str, str] | None:
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
