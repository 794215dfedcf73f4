"""Which captures are compared with which, and what stays different over them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagery.cameras.camera import Capture
from imagery.cameras.difference import Look, difference, look_of
from imagery.cameras.light import alike
from imagery.cameras.settings import CompareSettings

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Compared:
    """One of the latest captures against earlier ones of like light.

    Attributes:
        capture: the later one.
        reference: the earlier one that is most alike.
        apart: h×w cells, how much it differs from most of the earlier ones.
    """

    capture: Capture
    reference: Capture
    apart: Floats


def split(usable: Sequence[Capture], settings: CompareSettings) -> tuple[list[Capture], list[Capture]]:
    """Earlier captures, and the latest ones: as few as are enough in number and time.

    Args:
        usable: by time.

    Returns:
        both lists by time; no earlier ones where all are needed.
    """
    needed = dt.timedelta(hours=settings.persist_hours)
    for start in range(len(usable) - settings.persist, -1, -1):
        if usable[-1].taken_at - usable[start].taken_at >= needed:
            return list(usable[:start]), list(usable[start:])
    return [], list(usable)


def compared(earlier: Sequence[Capture], latest: Sequence[Capture], settings: CompareSettings) -> list[Compared]:
    """Compare each of the latest captures with earlier ones; one without any of like light is left out."""
    lights = [capture.light for capture in earlier if capture.light]
    looks: dict[int, Look] = {}
    made = []
    for capture in latest:
        if capture.light is None:
            continue
        chosen = alike(capture.light, lights)[: settings.references]
        if not chosen:
            continue
        own = look_of(capture.frame)
        for k in chosen:
            if k not in looks:
                looks[k] = look_of(earlier[k].frame)
        apart = np.sort([difference(own, looks[k]) for k in chosen], axis=0)
        # the lower middle: what was there once before is no news
        made.append(Compared(capture, earlier[chosen[0]], apart[(len(chosen) - 1) // 2]))
    return made


def lasting(values: Sequence[Floats], least: int) -> Floats:
    """What at least ``least`` of the maps reach, cell by cell."""
    out: Floats = np.sort(np.stack(values), axis=0)[-least]
    return out
