"""What later images say about a correction by themselves: restored, works went on, or the works still stand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

GROWN = 1.1
"""Factor of the area from which the works went on; less is within the accuracy of two outlines."""

MIN_GROWN_M2 = 20.0
"""Smallest growth in m² that counts, the smallest mapped area of drones."""

Finding = Literal["restored", "shrunk", "went_on", "stands"]


@dataclass(frozen=True)
class SeenArea:
    """What the images up to a day show: the area in m², and whether the works are gone."""

    day: dt.date
    area_m2: float
    gone: bool


@dataclass(frozen=True)
class CorrectionFinding:
    """What the image of a day says.

    Attributes:
        day: of the image.
        finding: ``restored``: the works are gone; ``shrunk``: part of them; ``went_on``: they have grown since the stop
            notice; ``stands``: no change.
        before_m2: area at the stop notice.
        area_m2: area on that day; 0 if the works are gone.
    """

    day: dt.date
    finding: Finding
    before_m2: float
    area_m2: float


def watch_correction(seen: Sequence[SeenArea], since: dt.date) -> list[CorrectionFinding]:
    """Return what each image after the stop notice says, oldest first.

    Args:
        seen: what the images up to each day show, oldest first.
        since: day of the stop notice. An image of that day does not count as a later one.
    """
    earlier = [one for one in seen if one.day <= since]
    later = [one for one in seen if one.day > since]
    if not earlier or earlier[-1].gone:
        return []
    before, found = earlier[-1].area_m2, []
    for one in later:
        if one.gone:
            finding: Finding = "restored"
        elif one.area_m2 > max(GROWN * before, before + MIN_GROWN_M2):
            finding = "went_on"
        elif one.area_m2 < before / GROWN and before - one.area_m2 > MIN_GROWN_M2:
            finding = "shrunk"
        else:
            finding = "stands"
        found.append(CorrectionFinding(one.day, finding, before, 0.0 if one.gone else one.area_m2))
    return found
