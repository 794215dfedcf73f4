"""An alert as plain data, and its representation as a GeoJSON feature for other systems.

Texts claim no more than a comparison of images can show: a suspected change, to be checked on the ground.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import shapely
from shapely.geometry import Point, mapping
from shapely.geometry.base import BaseGeometry

from enforcement.units import mu
from imagery.error_ellipse import ErrorEllipse

STATEMENT = ("疑似变化线索，须经实地核查", "Suspected change, to be checked on the ground")
"""Definition of an alert in Chinese and English."""

DECIMALS = 8  # of a degree, about a millimetre, so that areas computed from the output agree
CRS = "EPSG:4490"


@dataclass(frozen=True)
class AlertImage:
    """One of the two compared images.

    Attributes:
        date: acquisition date, if known.
        source: drone, satellite, camera.
        gsd_m: ground sample distance in metres.
        sha256: checksum of the original file.
    """

    date: dt.date | None
    source: str
    gsd_m: float
    sha256: str


@dataclass(frozen=True)
class AlertArea:
    """A village, township or county: administrative code, and name ("" if the area is not loaded)."""

    code: str
    name: str


@dataclass(frozen=True)
class Sighting:
    """One detection of the alert.

    Attributes:
        date: date of the later image, if known.
        source: source of the later image.
        area_m2: detected area, ellipsoidal m².
        score: 0…1.
        error: position error of oblique images, whose areas are not comparable with those of orthophotos.
    """

    date: dt.date | None
    source: str
    area_m2: float
    score: float
    error: ErrorEllipse | None = None


@dataclass(frozen=True)
class EvidencePicture:
    """A picture of the alert: its name (``before``, ``after``), its address, a URL or an object key, and that key."""

    name: str
    address: str
    key: str = ""


@dataclass(frozen=True)
class Alert:
    """An alert with its areas, overlaps, images and sightings.

    Attributes:
        number: alert number.
        source: source of the first sighting: drone, satellite, camera, patrol, hotline, report.
        kind: construction, ground, demolition; ``kind_names`` are its names in Chinese and English.
        change_type: official type, once a person has set it; ``change_type_names`` likewise.
        state, state_reason: state, and reason of the last transition.
        works: levelled, partly built, built; None until the field check.
        outline: polygon or multipolygon, longitude and latitude, EPSG:4490.
        detected: the polygon as detected, ``{"crs": …, "wkt": …}``.
        area_m2: ellipsoidal area.
        score: 0…1, of the latest sighting.
        earlier, later: images of the latest sighting.
        village, township, county: responsible areas; None where unknown.
        also_in: other areas that it overlaps, ``{"code", "name", "share"}``.
        overlaps: overlaps with the bureau's layers, as of :func:`enforcement.overlaps.find_overlaps`.
        sightings: all sightings, oldest first.
        week, rank, over_cap, legal_weight: ranking among the alerts of its village and ISO week.
        weights_sha256, settings_sha256: checksums of the network and the settings of the latest sighting.
        residual_px, residual_m: median residual shift between the two images.
        registration_method: gradients, descriptors, or georeferencing: compared by the coordinates of the images, which
            the images themselves do not confirm; None: unknown.
        registration_accuracy_m: accuracy of these coordinates, metres; None: unknown, or registered by the images.
        evidence: pictures.
        page: URL of the alert's page, or "".
        error: position error of the outline; None: as accurate as an orthophoto.
        area_error_m2: error of an oblique area by its position error alone, no bound; 0: seen from above.
        not_yet_on, there_on, gone_on: last day without the works, first with them, first without them again.
        confidence, confidence_parts: probability over all sources, and what each contributes.
        site: number of the first alert of its group; "": it is alone.
        entered: latest values that people entered with the steps, by name of ``configs/evidence.yaml``.
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
    sightings: Sequence[Sighting]
    week: str
    rank: int | None
    over_cap: bool
    legal_weight: int
    weights_sha256: str
    settings_sha256: str
    residual_px: float | None
    residual_m: float | None
    evidence: Sequence[EvidencePicture]
    page: str = ""
    error: ErrorEllipse | None = None
    area_error_m2: float = 0.0
    not_yet_on: dt.date | None = None
    there_on: dt.date | None = None
    gone_on: dt.date | None = None
    confidence: float | None = None
    confidence_parts: Sequence[Mapping[str, Any]] = ()
    site: str = ""
    registration_method: str | None = None
    registration_accuracy_m: float | None = None
    entered: Mapping[str, Any] = field(default_factory=dict)


def alert_feature(alert: Alert) -> dict[str, Any]:
    """Convert an alert to a GeoJSON feature (RFC 7946) of JSON types.

    Positions are longitude and latitude to eight decimals, outer rings counter-clockwise; areas are m² and mu, lengths
    metres, dates ISO 8601. Unknown values are null, never omitted.
    """
    outline = _rounded(alert.outline)
    centre = _centre(outline)
    return {
        "type": "Feature",
        "id": alert.number,
        "bbox": [round(float(value), DECIMALS) for value in outline.bounds],
        "geometry": {"type": outline.geom_type, "coordinates": _positions(mapping(outline)["coordinates"])},
        "properties": {
            "number": alert.number,
            "statement": _bilingual(STATEMENT),
            "source": alert.source,
            "kind": alert.kind,
            "kind_name": _bilingual(alert.kind_names),
            "type": alert.change_type or None,
            "type_name": _bilingual(alert.change_type_names) if alert.change_type_names else None,
            "state": alert.state,
            "state_reason": alert.state_reason,
            "state_of_works": alert.works,
            "score": round(alert.score, 4),
            "area_m2": round(alert.area_m2, 2),
            "area_mu": round(mu(alert.area_m2), 4),
            "area_error_m2": round(alert.area_error_m2, 1),
            "area_is_oblique": alert.error is not None,
            "confidence": None if alert.confidence is None else round(alert.confidence, 4),
            "confidence_parts": [dict(part) for part in alert.confidence_parts],
            "not_yet_on": _iso_date(alert.not_yet_on),
            "there_on": _iso_date(alert.there_on),
            "gone_on": _iso_date(alert.gone_on),
            "site": alert.site or None,
            "crs": CRS,
            "centre": {"lon": round(centre.x, DECIMALS), "lat": round(centre.y, DECIMALS)},
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
            **_sighting_statistics(alert.sightings),
            "model_sha256": alert.weights_sha256,
            "settings_sha256": alert.settings_sha256,
            "registration_residual_px": alert.residual_px,
            "registration_residual_m": alert.residual_m,
            "registration_method": alert.registration_method,
            "registration_accuracy_m": alert.registration_accuracy_m,
            "evidence": {picture.name: picture.address for picture in alert.evidence},
            "page": alert.page or None,
        },
    }


def _sighting_statistics(sightings: Sequence[Sighting]) -> dict[str, Any]:
    dates = sorted(sighting.date for sighting in sightings if sighting.date is not None)
    comparable = [sighting for sighting in sightings if sighting.error is None] or sightings
    first, last = (comparable[0].area_m2, comparable[-1].area_m2) if comparable else (0.0, 0.0)
    return {
        "times_seen": len(sightings),
        "sources_seen": len({sighting.source for sighting in sightings}),
        "first_seen": _iso_date(dates[0] if dates else None),
        "last_seen": _iso_date(dates[-1] if dates else None),
        "growth_m2": round(last - first, 2),
        "sights": [
            {
                "date": _iso_date(sighting.date),
                "source": sighting.source,
                "area_m2": round(sighting.area_m2, 2),
                "score": round(sighting.score, 4),
            }
            for sighting in sightings
        ],
    }


def _image(image: AlertImage | None) -> dict[str, Any] | None:
    if image is None:
        return None
    return {"date": _iso_date(image.date), "source": image.source, "gsd_m": image.gsd_m, "sha256": image.sha256}


def _area(area: AlertArea | None) -> dict[str, str] | None:
    return None if area is None else {"code": area.code, "name": area.name}


def _bilingual(texts: tuple[str, str]) -> dict[str, str]:
    return {"zh": texts[0], "en": texts[1]}


def _iso_date(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()


def _rounded(outline: BaseGeometry) -> BaseGeometry:
    """Round to a grid of 1e-8 degrees, keep the outline valid, and orient rings as of RFC 7946, section 3.1.6."""
    rounded = shapely.set_precision(shapely.force_2d(outline), 10.0**-DECIMALS)
    return shapely.orient_polygons(outline if rounded.is_empty else rounded, exterior_cw=False)


def _centre(outline: BaseGeometry) -> Point:
    """Return the centroid; a representative point if the centroid lies outside, as of an L or a ring."""
    centroid = outline.centroid
    return centroid if outline.contains(centroid) else outline.representative_point()


def _positions(coordinates: Any) -> Any:
    if isinstance(coordinates[0], float | int):
        return [round(float(value), DECIMALS) for value in coordinates]
    return [_positions(part) for part in coordinates]
