"""A place that a page or program sends: a drawn polygon, or a point with a radius."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from shapely import Polygon
from shapely.errors import GEOSException
from shapely.geometry.base import BaseGeometry

from errors import SettingsError
from store.alerts.drawn_sighting import MOST_CORNERS, check_outline, circle
from web.plain_text import PlainModel

Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]

MIN_RADIUS_M, MAX_RADIUS_M = 3.0, 500.0


class PlaceDrawing(PlainModel):
    """A polygon by its corners, or a point with a radius; degrees, EPSG:4490.

    Attributes:
        corners: (longitude, latitude) of the polygon; None: a point.
        lon, lat, radius_m: the point, which may be this far from the place.
        kind: construction or ground.
        alert: number of the alert that it belongs to; "": the one at the same place, or a new one.
        always_new: a new alert although another one is at the same place.
    """

    corners: Annotated[list[tuple[Longitude, Latitude]], Field(min_length=3, max_length=MOST_CORNERS)] | None = None
    lon: Longitude | None = None
    lat: Latitude | None = None
    radius_m: Annotated[float, Field(ge=MIN_RADIUS_M, le=MAX_RADIUS_M)] = 30.0
    kind: Literal["construction", "ground"] = "construction"
    alert: Annotated[str, Field(max_length=40)] = ""
    always_new: bool = False

    def outline(self) -> tuple[BaseGeometry, float]:
        """Return the outline with the standard deviation of its position in metres; 0: drawn on an image.

        Raises:
            SettingsError: there is neither a polygon nor a point, or the polygon cannot be one of an alert.
        """
        if self.corners is not None:
            try:
                return check_outline(Polygon(self.corners)), 0.0
            except (ValueError, GEOSException):
                raise SettingsError("The outline is no polygon; draw three or more corners.", "drawn.polygon") from None
        if self.lon is None or self.lat is None:
            raise SettingsError("Draw a polygon, or give a point with a radius.", "drawn.nothing")
        return check_outline(circle(self.lon, self.lat, self.radius_m)), self.radius_m / 2
