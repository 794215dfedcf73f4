"""An outline that a person corrected, kept when later images change what the sightings say."""

from __future__ import annotations

from shapely.geometry.base import BaseGeometry

from enforcement.ledger.metric_plane import MetricPlane, polygons_of, wide_parts
from imagery.set_operations import difference, union

MIN_WIDTH_M = 2.0
"""Width below which a difference of two outlines is the noise of their edges."""


def corrected_outline(derived: BaseGeometry, detected_then: BaseGeometry, corrected: BaseGeometry) -> BaseGeometry:
    """Return the corrected outline with what the sightings found beyond it since.

    What they said already when the person corrected it does not come back: the person rejected it.

    Args:
        derived: outline by all sightings now; longitude, latitude.
        detected_then: outline by the sightings at the time of the correction.
        corrected: outline by the person.
    """
    plane = MetricPlane([corrected])
    now, then, drawn = (plane.metres(outline) for outline in (derived, detected_then, corrected))
    grown = wide_parts(difference(difference(now, then), drawn), MIN_WIDTH_M)
    return corrected if grown.is_empty else plane.degrees(polygons_of(union(drawn, grown)))
