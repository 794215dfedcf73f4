"""Conversion of reviewed alerts into labelled training pairs.

A folder of reviews has ``building/`` or ``ground/`` or both, each in the layout of labelled pairs: ``A/`` for the
earlier date, ``B/`` for the later date and ``label/``, as PNG files with the same stem, and ``manifest.yaml`` with the
question, the metres per pixel, ``unknown: 128`` and ``appears: false``.

Each reviewed alert becomes one window of both dates around it, registered and at the resolution of detection, as the
network saw it. Values of its label:

* 255, confirmed: inside the outline of an alert that the reviewer confirmed;
* 0, rejected: inside the outline of a false alarm, and :data:`REJECTED_MARGIN_PX` around it;
* 128, unlabelled: everything else, and :data:`CONFIRMED_MARGIN_PX` on both sides of a confirmed outline, which was
  drawn by a network and not corrected to the pixel.

A confirmed alert labels the question of its kind. A rejected one labels both questions: a false alarm mostly raises
both outputs of the network, but its kind names only one of them (a demolition may come from either). If the other were
not trained, it would raise the same alarm under another kind.

Other reviewed alerts inside a window are in its label too, except confirmed ones in the window of a rejected alert: a
label without any 255 is therefore a false alarm, and both classes can be drawn equally often.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import shapely
import yaml
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize
from shapely.affinity import affine_transform
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from errors import OutputError, SettingsError
from inference.changes import Kind
from inference.outputs.output_folder import atomic_folder, check_output
from inference.pair_reader import PairReader
from training.sources.manifest import NAME, Manifest, read_manifest

CONFIRMED, REJECTED, UNREVIEWED = 255, 0, 128

QUESTIONS: dict[Kind, Literal["building", "ground"]] = {
    "construction": "building",
    "demolition": "building",
    "ground": "ground",
}
"""Question that a confirmed alert labels, by its kind."""

MIN_WINDOW_PX, TYPICAL_WINDOW_PX, MAX_WINDOW_PX = 256, 512, 1024
"""Window sizes: the size of a training sample, the limit for most alerts, and the limit for any."""

REJECTED_MARGIN_PX = 4
CONFIRMED_MARGIN_PX = 2

FOLDERS = ("A", "B", "label")

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class ReviewedAlert:
    """An alert with its verdict.

    Attributes:
        number: unique number, the file name of its window.
        kind: see :data:`inference.changes.Kind`.
        polygon: outline in the CRS of the scan's grid, a Polygon or a MultiPolygon.
        confirmed: True: the change is real; False: a false alarm.
    """

    number: int
    kind: Kind
    polygon: BaseGeometry
    confirmed: bool


@dataclass(frozen=True)
class WindowTally:
    """Numbers of the alerts whose windows were written for one question."""

    confirmed: set[int]
    rejected: set[int]


def check_output_folder(out: Path) -> None:
    """Check, before any work starts, that reviews can be written to the folder ``out``.

    Raises:
        OutputError: the folder is not empty (even with an earlier scan or review), or cannot be written.
    """
    out = out.expanduser()
    check_output(out)
    if out.is_dir() and any(out.iterdir()):
        raise OutputError(f"{out} is not empty, and reviews do not overwrite files. Name a new folder with --out.")


def write_labelled_pairs(
    reader: PairReader,
    reviewed: Sequence[ReviewedAlert],
    out: Path,
    progress: Callable[[float], None] | None = None,
) -> dict[str, WindowTally]:
    """Write reviewed alerts as labelled pairs to the folder ``out``, atomically.

    Args:
        reader: both dates, as read by the scan.
        reviewed: alerts of one scan with their verdicts, without unreviewed ones.
        out: a missing or empty folder; each export needs its own.
        progress: called with the fraction written, 0…1.

    Returns:
        the alerts written, by question. Alerts without valid pixels have no window.

    Raises:
        SettingsError: there is nothing to write, or a number occurs twice.
        OutputError: ``out`` is not empty or cannot be written.
        ImageError: pixels cannot be read.
    """
    if len({alert.number for alert in reviewed}) < len(reviewed):
        raise SettingsError("Two reviewed alerts have the same number; expected the alerts of one scan, each once.")
    check_output_folder(out)
    grid = reader.pair.grid
    alerts = [replace(alert, polygon=_to_pixels(alert.polygon, grid)) for alert in reviewed]
    index = shapely.STRtree([alert.polygon for alert in alerts])
    tallies: dict[str, WindowTally] = {question: WindowTally(set(), set()) for question in QUESTIONS.values()}
    with atomic_folder(out) as folder:
        for count, alert in enumerate(alerts, 1):
            rows, cols = window_around(alert.polygon)
            in_window = [alerts[i] for i in sorted(index.query(box(cols.start, rows.start, cols.stop, rows.stop)))]
            patch = reader.read(rows, cols)
            for question, tally in tallies.items():
                if alert.confirmed and QUESTIONS[alert.kind] != question:
                    continue
                label = _draw_label(alert, in_window, (rows, cols), question)
                label[~patch.valid] = UNREVIEWED
                if (label != UNREVIEWED).any():
                    _write_window(folder / question, alert.number, patch.before, patch.after, label)
                    (tally.confirmed if alert.confirmed else tally.rejected).add(alert.number)
            if progress is not None:
                progress(count / len(alerts))
        written: dict[str, WindowTally] = {
            question: tally for question, tally in tallies.items() if tally.confirmed or tally.rejected
        }
        if not written:
            raise SettingsError("There is nothing to write: no reviewed alert is visible in both images.")
        for question in written:
            _write_manifest(folder / question, question, reader.pair.resolution_m)
    return written


def _to_pixels(polygon: BaseGeometry, grid: GeoBox) -> BaseGeometry:
    """Convert an outline to (column, row) coordinates of the grid."""
    a, b, c, d, e, f = (~grid.affine)[:6]
    return affine_transform(polygon, (a, b, d, e, c, f))


def window_around(polygon: BaseGeometry) -> tuple[slice, slice]:
    """Return rows and columns of the square window around an outline in pixels; it may extend beyond the grid.

    The side is twice the longer side of the alert, limited to 256…512 px. Larger alerts get 1.25 times their longer
    side, up to 1024 px; beyond that only a part of the alert is in the window.
    """
    left, top, right, bottom = polygon.bounds
    longer = max(right - left, bottom - top)
    typical = min(max(2 * longer, MIN_WINDOW_PX), TYPICAL_WINDOW_PX)
    side = round(min(MAX_WINDOW_PX, max(typical, 1.25 * longer)))
    x, y = (left + right) / 2, (top + bottom) / 2
    if longer > MAX_WINDOW_PX:  # the centre of the bounding box of a long road or a ring may be far from it
        inside = polygon.representative_point()
        x, y = inside.x, inside.y
    row, column = round(y - side / 2), round(x - side / 2)
    return slice(row, row + side), slice(column, column + side)


def _draw_label(
    alert: ReviewedAlert, in_window: list[ReviewedAlert], window: tuple[slice, slice], question: str
) -> Image:
    """Draw the label of an alert's window, with all reviewed alerts inside it."""
    rows, cols = window
    label = np.full((rows.stop - rows.start, cols.stop - cols.start), UNREVIEWED, np.uint8)
    masks = [(other, _rasterize(other.polygon, window)) for other in in_window]
    for other, mask in masks:
        if not other.confirmed:
            label[cv2.dilate(mask, _disc(REJECTED_MARGIN_PX)) > 0] = REJECTED
    # drawn after the rejected ones, so that the margin of a false alarm does not cover an adjacent true change
    for other, mask in masks:
        if other.confirmed:
            label[cv2.dilate(mask, _disc(CONFIRMED_MARGIN_PX)) > 0] = UNREVIEWED
    for other, mask in masks:
        if other.confirmed and alert.confirmed and QUESTIONS[other.kind] == question:
            core = cv2.erode(mask, _disc(CONFIRMED_MARGIN_PX))
            label[(core if core.any() else mask) > 0] = CONFIRMED
    return label


def _rasterize(polygon: BaseGeometry, window: tuple[slice, slice]) -> Image:
    """Rasterize an outline in pixels of the grid, as 0/1 mask of the window."""
    rows, cols = window
    moved = affine_transform(polygon, (1, 0, 0, 1, -cols.start, -rows.start))
    shape = (rows.stop - rows.start, cols.stop - cols.start)
    return np.asarray(rasterize([(moved, 1)], out_shape=shape, dtype="uint8"))


def _disc(radius: int) -> Image:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))


def _write_window(folder: Path, number: int, before: Image, after: Image, label: Image) -> None:
    for name, pixels in zip(FOLDERS, (before[..., ::-1], after[..., ::-1], label), strict=True):
        (folder / name).mkdir(parents=True, exist_ok=True)
        _, data = cv2.imencode(".png", np.ascontiguousarray(pixels))
        (folder / name / f"{number:04d}.png").write_bytes(data.tobytes())


def _write_manifest(folder: Path, question: str, resolution_m: float) -> None:
    manifest = {"question": question, "gsd_m": float(resolution_m), "unknown": UNREVIEWED, "appears": False}
    (folder / NAME).write_text(yaml.safe_dump(manifest, sort_keys=False), encoding="utf-8")


def review_folders(folder: Path) -> list[tuple[Path, Literal["building", "ground"], Manifest]]:
    """Find the labelled folders of ``folder``: the folder itself, or ``building/`` and ``ground/`` in it.

    Returns:
        (folder, question, manifest) of each.

    Raises:
        SettingsError: there are none, one has no manifest, or the question of one cannot be trained.
    """
    folder = folder.absolute()
    candidates = [folder, *(folder / question for question in dict.fromkeys(QUESTIONS.values()))]
    found = [path for path in candidates if all((path / name).is_dir() for name in FOLDERS)]
    if not found:
        raise SettingsError(
            f"{folder} holds no reviews: expected building/ or ground/ as written by tuban reviewed, or A/, B/ and "
            f"label/ with a {NAME}."
        )
    pairs: list[tuple[Path, Literal["building", "ground"], Manifest]] = []
    for path in found:
        manifest = read_manifest(path)
        if manifest is None:
            raise SettingsError(f"{path} has no {NAME}; it must state the question, for example 'question: building'.")
        if manifest.question == "any":
            raise SettingsError(
                f"The question of {path} is 'any', which can be evaluated but not trained: training distinguishes "
                "changes of buildings and of ground. Split the pairs into two folders, 'building' and 'ground'."
            )
        pairs.append((path, manifest.question, manifest))
    return pairs
