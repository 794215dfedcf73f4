"""The quality gate: whether a capture shows the view of its reference frame well enough to be compared."""

from __future__ import annotations

from imagery.cameras.camera import Capture, Frame


def judge(capture: Capture, reference: Frame | None) -> Capture:
    """Hold a capture against the reference frame of its preset.

    Args:
        capture: as it was fetched.
        reference: frame of the preset on which the control points were clicked; None: this capture may become it, and
            only what a single image tells is asked.

    Returns:
        the capture with quality and light, its frame moved onto the reference frame where the camera moved a little.
    """
    raise NotImplementedError
