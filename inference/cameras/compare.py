"""What changed in the view of a camera, seen in several captures, put on the map."""

from __future__ import annotations

from collections.abc import Sequence

from imagery.cameras.camera import Calibration, Capture, Comparison, Preset
from imagery.cameras.settings import CompareSettings
from model.detector import Detector


def compare(
    history: Sequence[Capture],
    preset: Preset,
    calibration: Calibration,
    settings: CompareSettings,
    detector: Detector | None = None,
) -> Comparison:
    """Compare the latest captures with earlier ones of like light.

    Args:
        history: judged captures of one preset, any order; those that are not usable are left out. Load what
            :func:`imagery.cameras.light.alike` names, not years.
        preset: its region and range.
        calibration: of this preset.
        settings: how often and how long a change must persist.
        detector: tells construction from ground works, and what neither is; without it the kind is ground.

    Returns:
        what persisted in enough captures over enough time; ``not_compared`` says why there was nothing to compare.
    """
    raise NotImplementedError
