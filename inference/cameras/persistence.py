"""Which captures are compared with which, and what stays different over them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagery.cameras.camera import Capture
from imagery.cameras.frame_difference import Look, difference, look_of
from imagery.cameras.illumination import alike
from imagery.cameras.settings import CompareSettings

Floats = NDArray[np.float32]
Cells = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Compared:
    """One of the latest captures against earlier ones of like light.

    Attributes:
        capture: the later one.
        references: the earlier ones, each with how much the later one differs from it, h×w cells.
        apart: h×w cells, how much it differs from most of the earlier ones.
    """

    capture: Capture
    references: tuple[tuple[Capture, Floats], ...]
    apart: Floats

    def without(self, cells: Cells) -> Capture:
        """The earlier capture that shows least of what is new in some cells: others may show it already."""
        return max(self.references, key=lambda one: float(one[1][cells].sum()))[0]

    def latest_without(self, cells: Cells, threshold: float) -> Capture:
        """The latest of the earlier captures that do not show it."""
        clear = [one for one, apart in self.references if float(np.median(apart[cells])) >= threshold]
        return max(clear, key=lambda one: one.taken_at) if clear else self.without(cells)


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
        each = [difference(own, looks[k]) for k in chosen]
        # the lower middle: what was there once before is no news
        apart = np.sort(each, axis=0)[(len(chosen) - 1) // 2]
        made.append(Compared(capture, tuple(zip((earlier[k] for k in chosen), each, strict=True)), apart))
    return made


def lasting(values: Sequence[Floats], least: int) -> Floats:
    """What at least ``least`` of the maps reach, cell by cell."""
    out: Floats = np.sort(np.stack(values), axis=0)[-least]
    return out
