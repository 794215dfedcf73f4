"""Inputs of the matching: changes of a scan and existing alerts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry

from enforcement.ledger.sighting import Sighting
from imagery.error_ellipse import ErrorEllipse


@dataclass(frozen=True)
class ScanChange:
    """One change detected by a scan.

    Attributes:
        number: number of the change in its scan.
        kind: construction, ground or demolition.
        outline: longitude, latitude.
        area_m2: ellipsoidal m².
        score: mean probability, 0…1.
        before_date: date of the earlier image, if known.
        after_date: date of the later image, if known.
        error: position error of the outline; None: as accurate as an orthophoto.
    """

    number: int
    kind: str
    outline: BaseGeometry
    area_m2: float
    score: float
    before_date: dt.date | None = None
    after_date: dt.date | None = None
    error: ErrorEllipse | None = None


@dataclass(frozen=True)
class KnownAlert:
    """An existing alert.

    Attributes:
        alert_id: database id of the alert.
        kind: construction, ground or demolition.
        outline: longitude, latitude.
        area_m2: ellipsoidal m²; of a rejected or closed alert at the time of that decision, so that slow growth counts.
        state: a state of ``configs/states.yaml``.
        closed_on: local date on which a closed alert was closed, if known.
        cleared: whether a closed alert was closed because everything was demolished.
        error: position error of the outline; None: as accurate as an orthophoto.
        sightings: what earlier comparisons detected of it; (): only ``outline`` is compared.
        permitted: whether the works of a closed alert were found to be permitted.
    """

    alert_id: int
    kind: str
    outline: BaseGeometry
    area_m2: float
    state: str
    closed_on: dt.date | None = None
    cleared: bool = False
    error: ErrorEllipse | None = None
    sightings: tuple[Sighting, ...] = ()
    permitted: bool = False
