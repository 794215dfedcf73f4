"""Quality check: whether a capture shows the view of its reference frame well enough to be compared."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from imagery.cameras.camera import Capture, Fault, Frame, Quality
from imagery.cameras.capture import FROZEN
from imagery.cameras.illumination import measure_light
from imagery.cameras.registration import register_frame, warp_to_reference

Grey = NDArray[np.float32]

_WORKING_WIDTH = 640
_CELL_PX = 16  # of the working frame
_DARK = 45.0  # grey level that three quarters of a dark frame stay below
_WHITE, _MAX_WHITE_SHARE = 250, 0.35
_FLAT = 1.6  # standard deviation of a cell without texture, from noise
_TEXTURED = 3.5  # standard deviation of a cell with texture
_BLOCKED_SHARE = 0.2  # of the cells that have texture in the reference frame
_FOG_SHARE = 0.5
_FADED = 0.35  # contrast of a cell relative to the reference frame
_BLURRED = 0.6
_NOMINAL_SHARPNESS = 0.32  # ratio of fine to coarse detail, typical of outdoor cameras in focus
_MAX_MOTION = 0.04  # of the frame's width


def check_quality(capture: Capture, reference: Frame | None, previous_sha256: str = "") -> Capture:
    """Check a capture against the reference frame of its view, and align it with that frame.

    Args:
        capture: as fetched.
        reference: frame of the view on which the control points were clicked; None: the capture may become it, so only
            faults that a single image shows are checked.
        previous_sha256: of the previous capture, or "": identical pixels indicate a frozen stream.

    Returns:
        the capture with quality and light, its frame aligned with the reference frame if the camera moved slightly.
    """
    frame = capture.frame
    faults = list(capture.quality.faults) if capture.quality else []
    if previous_sha256 and previous_sha256 == capture.sha256 and not faults:
        faults.append(FROZEN)
    grey = _working_grey(frame)
    sharpness = _detail(grey) / _NOMINAL_SHARPNESS
    motion_px = None
    if reference is not None and reference.shape != frame.shape:
        faults.append(_size_fault(frame, reference))
        reference = None
    reference_grey = _working_grey(reference) if reference is not None else None
    if reference_grey is not None:
        sharpness = _detail(grey) / max(_detail(reference_grey), 1e-6)
    fault = _exposure_fault(grey) or _obstruction_fault(grey, reference_grey) or _blur_fault(sharpness)
    if fault is not None:
        faults.append(fault)
    elif reference is not None:
        motion = register_frame(frame, reference)
        motion_px = motion.corners_px if motion.matrix is not None else None
        if motion.matrix is None or motion.corners_px > _MAX_MOTION * frame.shape[1]:
            extent = "beyond recognition" if motion.matrix is None else f"by {motion.corners_px:.0f} pixels"
            faults.append(Fault("moved", f"The camera moved {extent} since the reference frame. Calibrate again."))
        else:
            frame = warp_to_reference(frame, motion.matrix)
    quality = Quality(tuple(faults), float(np.median(grey)), float(grey.std()), float(sharpness), motion_px)
    return replace(capture, frame=frame, quality=quality, light=measure_light(frame, capture.taken_at))


def _size_fault(frame: Frame, reference: Frame) -> Fault:
    height, width = frame.shape[:2]
    reference_height, reference_width = reference.shape[:2]
    return Fault(
        "size",
        f"The frame has {width} × {height} pixels and the reference frame {reference_width} × {reference_height}. "
        "Restore the camera's settings, or calibrate this view again.",
        {"width": width, "height": height, "reference_width": reference_width, "reference_height": reference_height},
    )


def _working_grey(frame: Frame) -> Grey:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    scale = _WORKING_WIDTH / grey.shape[1]
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.float32)


def _detail(grey: Grey) -> float:
    """Ratio of fine to coarse detail, which falls when out of focus, whatever the light."""
    smooth, smoother = cv2.GaussianBlur(grey, (0, 0), 1.0), cv2.GaussianBlur(grey, (0, 0), 3.0)
    fine, coarse = np.abs(grey - smooth), np.abs(smooth - smoother)
    busy = coarse >= np.quantile(coarse, 0.8)  # flat parts contain only noise
    return float(fine[busy].mean() / max(float(coarse[busy].mean()), 1e-6))


def _exposure_fault(grey: Grey) -> Fault | None:
    if np.quantile(grey, 0.75) < _DARK:
        return Fault("dark", "The frame is too dark to be compared. Normal at night; by day check the camera.")
    share = float(np.mean(grey >= _WHITE))
    if share > _MAX_WHITE_SHARE:
        words = f"{share:.0%} of the frame is white. Check the camera's exposure."
        return Fault("overexposed", words, {"share": share})
    return None


def _obstruction_fault(grey: Grey, reference: Grey | None) -> Fault | None:
    """Blocked: a large part has lost all texture while the rest has kept it. Fogged: contrast is lost everywhere."""
    cells = _cell_contrast(grey)
    if reference is None:
        if np.mean(cells < _FLAT) > 0.9 or grey.std() < 12:
            return Fault("fogged", "The frame shows almost nothing: fog, or something in front of the lens.")
        return None
    reference_cells = _cell_contrast(reference)
    textured = reference_cells > _TEXTURED
    if not textured.any():
        return None
    flat = textured & (cells < np.maximum(_FLAT, 0.2 * reference_cells)) & (cells < 3 * _FLAT)
    unchanged = textured & (cells > 0.5 * reference_cells)
    share = float(flat.sum() / textured.sum())
    faded = float(np.mean(cells[textured] < _FADED * reference_cells[textured]))
    if (
        share > _BLOCKED_SHARE
        and _largest_component(flat) > 0.5 * flat.sum()
        and unchanged.sum() > 0.15 * textured.sum()
    ):
        return Fault(
            "blocked",
            f"{share:.0%} of the view is covered. Clean the lens, or remove what is in front of it.",
            {"share": share},
        )
    if faded > _FOG_SHARE:
        return Fault("fogged", f"{faded:.0%} of the view has lost its contrast: fog, rain or a clouded lens.")
    return None


def _blur_fault(sharpness: float) -> Fault | None:
    if sharpness < _BLURRED:
        words = f"The frame has {sharpness:.0%} of the usual sharpness. Check focus and lens."
        return Fault("blurred", words, {"sharpness": float(sharpness)})
    return None


def _cell_contrast(grey: Grey) -> Grey:
    """Standard deviation of grey in each cell."""
    rows, columns = grey.shape[0] // _CELL_PX, grey.shape[1] // _CELL_PX
    blocks = grey[: rows * _CELL_PX, : columns * _CELL_PX].reshape(rows, _CELL_PX, columns, _CELL_PX)
    return np.asarray(blocks.std(axis=(1, 3)), np.float32)


def _largest_component(mask: NDArray[np.bool_]) -> int:
    """Number of cells of the largest connected component."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return int(stats[1:, cv2.CC_STAT_AREA].max()) if count > 1 else 0
