"""A sighting: what one comparison of two images says about the ground of an alert."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry

from imagery.error_ellipse import ErrorEllipse

DEMOLITION = "demolition"


@dataclass(frozen=True)
class Sighting:
    """One comparison that shows the ground of an alert, whether or not it found a change there.

    Attributes:
        comparison: database id of the scan; 0: a person drew it, from a tip, a patrol or an image.
        before: day of the earlier image, if known.
        after: day of the later image, if known.
        source: drone, satellite, camera; of the later image.
        gsd_m: ground sample distance of the coarser image, metres.
        visible: ground that both images show; longitude, latitude.
        outline: detected change, longitude and latitude; None: the comparison found none there.
        kind: construction, ground or demolition; "" without a change.
        score: calibrated probability of the detector, 0…1; 0 without a change.
        error: position error of an oblique image; None: an image from above.
    """

    comparison: int
    before: dt.date | None
    after: dt.date | None
    source: str
    gsd_m: float
    visible: BaseGeometry
    outline: BaseGeometry | None = None
    kind: str = ""
    score: float = 0.0
    error: ErrorEllipse | None = None

    @property
    def drawn(self) -> bool:
        """Whether a person drew it: no scan looked at the place."""
        return self.comparison == 0

    @property
    def appeared(self) -> bool:
        """Whether works appeared between both images."""
        return self.outline is not None and self.kind != DEMOLITION

    @property
    def disappeared(self) -> bool:
        """Whether something was removed between both images."""
        return self.outline is not None and self.kind == DEMOLITION

    @property
    def began(self) -> dt.date:
        """Day of the earlier image; the earliest possible one where it is unknown."""
        return self.before or dt.date.min

    @property
    def day(self) -> dt.date:
        """Day of the later image; the earliest possible one where it is unknown."""
        return self.after or dt.date.min
