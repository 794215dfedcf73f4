"""The quality gate: whether a capture shows the view of its reference frame well enough to be compared."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from imagery.cameras.camera import Capture, Fault, Frame, Quality
from imagery.cameras.capture import FROZEN
from imagery.cameras.illumination import measure_light
from imagery.cameras.registration import laid_onto, register

Grey = NDArray[np.float32]

_WIDE = 640
_CELL = 16  # pixels of the small frame, a side
_DARK = 45.0  # grey that three quarters of the frame stay below
_GLARE, _GLARE_SHARE = 250, 0.35
_DEAD = 1.6  # standard deviation in a cell without any texture: what noise leaves
_TEXTURED = 3.5  # one with texture
_BLOCKED_SHARE = 0.2  # of the cells that had texture
_FOG_SHARE = 0.5
_FADED = 0.35  # contrast of a cell against the reference frame's
_BLURRED = 0.6
_USUAL_SHARPNESS = 0.32  # fine to middling detail of a lens in focus: captures of outdoor cameras lie about it
_MOST_MOTION = 0.04  # of the frame's width


def judge(capture: Capture, reference: Frame | None, previous_sha256: str = "") -> Capture:
    """Hold a capture against the reference frame of its preset.

    Args:
        capture: as it was fetched.
        reference: frame of the preset on which the control points were clicked; None: this capture may become it, and
            only what a single image tells is asked.
        previous_sha256: of the capture before, if there was one: the same pixels again come from a frozen stream.

    Returns:
        the capture with quality and light, its frame moved onto the reference frame where the camera moved a little.
    """
    frame = capture.frame
    faults = list(capture.quality.faults) if capture.quality else []
    if previous_sha256 and previous_sha256 == capture.sha256 and not faults:
        faults.append(FROZEN)
    grey = _small(frame)
    sharpness = _detail(grey) / _USUAL_SHARPNESS
    motion_px = None
    if reference is not None and reference.shape != frame.shape:
        faults.append(
            Fault(
                "size",
                f"The frame has {frame.shape[1]} × {frame.shape[0]} pixels and the reference frame "
                f"{reference.shape[1]} × {reference.shape[0]}. Set the camera back, or calibrate this view again.",
                {
                    "width": frame.shape[1],
                    "height": frame.shape[0],
                    "reference_width": reference.shape[1],
                    "reference_height": reference.shape[0],
                },
            )
        )
        reference = None
    before = _small(reference) if reference is not None else None
    if before is not None:
        sharpness = _detail(grey) / max(_detail(before), 1e-6)
    seen = _exposure(grey) or _obstruction(grey, before) or _blur(sharpness)
    if seen is not None:
        faults.append(seen)
    elif reference is not None:
        motion = register(frame, reference)
        motion_px = motion.corners_px if motion.matrix is not None else None
        if motion.matrix is None or motion.corners_px > _MOST_MOTION * frame.shape[1]:
            how = "beyond recognition" if motion.matrix is None else f"by {motion.corners_px:.0f} pixels"
            faults.append(Fault("moved", f"The camera moved {how} against the reference frame: calibrate again."))
        else:
            frame = laid_onto(frame, motion.matrix)
    quality = Quality(tuple(faults), float(np.median(grey)), float(grey.std()), float(sharpness), motion_px)
    return replace(capture, frame=frame, quality=quality, light=measure_light(frame, capture.taken_at))


def _small(frame: Frame) -> Grey:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    scale = _WIDE / grey.shape[1]
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.float32)


def _detail(grey: Grey) -> float:
    """Energy of the finest detail over that of the next coarser: falls out of focus, whatever the light."""
    once, twice = cv2.GaussianBlur(grey, (0, 0), 1.0), cv2.GaussianBlur(grey, (0, 0), 3.0)
    fine, coarse = np.abs(grey - once), np.abs(once - twice)
    busy = coarse >= np.quantile(coarse, 0.8)  # flat parts hold noise only
    return float(fine[busy].mean() / max(float(coarse[busy].mean()), 1e-6))


def _exposure(grey: Grey) -> Fault | None:
    if np.quantile(grey, 0.75) < _DARK:
        return Fault("dark", "The frame is too dark to be compared. Nothing is to be done at night; by day check it.")
    share = float(np.mean(grey >= _GLARE))
    if share > _GLARE_SHARE:
        words = f"{share:.0%} of the frame are white. Check the camera's exposure."
        return Fault("overexposed", words, {"share": share})
    return None


def _obstruction(grey: Grey, before: Grey | None) -> Fault | None:
    """Blocked: a large part has lost all texture while the rest keeps it. Fogged: it has faded all over."""
    cells = _cells(grey)
    if before is None:
        if np.mean(cells < _DEAD) > 0.9 or grey.std() < 12:
            return Fault("fogged", "The frame shows next to nothing: fog, or something before the lens.")
        return None
    was = _cells(before)
    textured = was > _TEXTURED
    if not textured.any():
        return None
    dead = textured & (cells < np.maximum(_DEAD, 0.2 * was)) & (cells < 3 * _DEAD)
    kept = textured & (cells > 0.5 * was)
    share = float(dead.sum() / textured.sum())
    faded = float(np.mean(cells[textured] < _FADED * was[textured]))
    if share > _BLOCKED_SHARE and _largest(dead) > 0.5 * dead.sum() and kept.sum() > 0.15 * textured.sum():
        return Fault(
            "blocked",
            f"{share:.0%} of the view are covered. Clean the lens, or remove what stands before it.",
            {"share": share},
        )
    if faded > _FOG_SHARE:
        return Fault("fogged", f"{faded:.0%} of the view have lost their contrast: fog, rain or a clouded lens.")
    return None


def _blur(sharpness: float) -> Fault | None:
    if sharpness < _BLURRED:
        words = f"The frame has {sharpness:.0%} of the usual sharpness. Check focus and lens."
        return Fault("blurred", words, {"sharpness": float(sharpness)})
    return None


def _cells(grey: Grey) -> Grey:
    """Standard deviation in each cell."""
    rows, columns = grey.shape[0] // _CELL, grey.shape[1] // _CELL
    cut = grey[: rows * _CELL, : columns * _CELL].reshape(rows, _CELL, columns, _CELL)
    return np.asarray(cut.std(axis=(1, 3)), np.float32)


def _largest(mask: NDArray[np.bool_]) -> int:
    """Cells of the largest part that hangs together."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return int(stats[1:, cv2.CC_STAT_AREA].max()) if count > 1 else 0
