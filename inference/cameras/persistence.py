"""Choose which captures are compared, and keep only differences that persist."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagery.cameras.camera import Capture
from imagery.cameras.frame_difference import FrameFeatures, describe_frame, difference
from imagery.cameras.illumination import similar_light
from imagery.cameras.settings import CompareSettings

Floats = NDArray[np.float32]
Cells = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ComparedCapture:
    """One of the latest captures, compared with earlier ones in similar light.

    Attributes:
        capture: the latest capture.
        references: earlier captures, each with the difference of ``capture`` from it, h×w cells.
        difference: h×w cells, difference from most of the earlier captures.
    """

    capture: Capture
    references: tuple[tuple[Capture, Floats], ...]
    difference: Floats

    def reference_without(self, cells: Cells) -> Capture:
        """Return the earlier capture that differs most in some cells, since others may already show the change."""
        return max(self.references, key=lambda reference: float(reference[1][cells].sum()))[0]

    def latest_without(self, cells: Cells, threshold: float) -> Capture:
        """Return the latest of the earlier captures whose difference in some cells reaches ``threshold``."""
        without = [
            capture for capture, differences in self.references if float(np.median(differences[cells])) >= threshold
        ]
        return max(without, key=lambda capture: capture.taken_at) if without else self.reference_without(cells)


def split_history(usable: Sequence[Capture], settings: CompareSettings) -> tuple[list[Capture], list[Capture]]:
    """Split captures into earlier and latest ones: as few latest ones as the settings require in number and time.

    Args:
        usable: ordered by time.
        settings: number of captures and hours.

    Returns:
        both lists ordered by time; no earlier captures if all are needed as latest ones.
    """
    required = dt.timedelta(hours=settings.persist_hours)
    for start in range(len(usable) - settings.persist, -1, -1):
        if usable[-1].taken_at - usable[start].taken_at >= required:
            return list(usable[:start]), list(usable[start:])
    return [], list(usable)


class FeatureCache:
    """Features of captures, computed once."""

    def __init__(self) -> None:
        """Create an empty cache."""
        self._features: dict[int, tuple[Capture, FrameFeatures]] = {}

    def of(self, capture: Capture) -> FrameFeatures:
        """Return the features of a capture."""
        if id(capture) not in self._features:
            self._features[id(capture)] = capture, describe_frame(capture.frame)
        return self._features[id(capture)][1]


def compare_with_references(
    earlier: Sequence[Capture], latest: Sequence[Capture], settings: CompareSettings, features: FeatureCache
) -> list[ComparedCapture]:
    """Compare each of the latest captures with earlier ones; omit captures without a reference in similar light."""
    lights = [capture.light for capture in earlier if capture.light]
    compared = []
    for capture in latest:
        if capture.light is None:
            continue
        chosen = similar_light(capture.light, lights)[: settings.references]
        if not chosen:
            continue
        differences = [difference(features.of(capture), features.of(earlier[k])) for k in chosen]
        # the lower median: what one earlier capture already showed is not new
        median = np.sort(differences, axis=0)[(len(chosen) - 1) // 2]
        references = tuple(zip((earlier[k] for k in chosen), differences, strict=True))
        compared.append(ComparedCapture(capture, references, median))
    return compared


def has_returned(
    newest: Capture, earlier: Sequence[Capture], cells: Cells, threshold: float, features: FeatureCache
) -> bool:
    """Whether a place looks as it did before something stood there: a vehicle has left, and nothing was built.

    Args:
        newest: the capture that shows the place as it is now.
        earlier: captures from before the latest ones.
        cells: of the place, h×w.
        threshold: median difference from which two captures show different things.
        features: of the captures.
    """
    if newest.light is None:
        return False
    lights = [capture for capture in earlier if capture.light]
    similar = [lights[k] for k in similar_light(newest.light, [capture.light for capture in lights if capture.light])]
    differs = [
        float(np.median(difference(features.of(newest), features.of(capture))[cells])) >= threshold
        for capture in sorted(similar, key=lambda capture: capture.taken_at)
    ]
    return any(differs) and not differs[0]


def persistent(values: Sequence[Floats], min_count: int) -> Floats:
    """Value that at least ``min_count`` of the maps reach, cell by cell."""
    out: Floats = np.sort(np.stack(values), axis=0)[-min_count]
    return out
