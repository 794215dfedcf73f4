"""What a bureau said of its alerts → labelled pairs to train on.

A folder of reviews holds ``building/`` or ``ground/`` or both, each in the layout of all labelled pairs: ``A/`` the
earlier date, ``B/`` the later one, ``label/``, PNG with the same stem, and ``manifest.yaml`` with the question, the
metres per pixel, ``unknown: 128`` and ``appears: false``.

Each reviewed alert is one window of both dates around it, registered and at the resolution of detection, as the network
saw it. In its label

* 255 is confirmed: inside the outline of an alert that a person called a change;
* 0 is rejected: inside the outline of a false alarm, where nothing changed, and :data:`REJECTED_RIM_PX` around it;
* 128 is what nobody reviewed: all the rest, and :data:`CONFIRMED_RIM_PX` on both sides of a confirmed outline, which a
  network drew and nobody corrected to the pixel.

A confirmed alert answers the question of its kind. A rejected one answers both: where the network saw a change that is
none, mostly both of its outputs are raised, and the kind tells of one only (that of a demolition even of either). Were
the other not taught, it would raise the same alarm under another kind.

Other reviewed alerts that the window shows are in its label too, but for confirmed ones beside a rejected one: so a
label without any 255 is a false alarm, and the two sorts can be drawn equally often.
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
from inference.outputs.output_folder import check_output, finished_folder
from inference.pair_reader import PairReader
from training.sources.manifest import NAME, Manifest, read_manifest

CONFIRMED, REJECTED, UNREVIEWED = 255, 0, 128

QUESTIONS: dict[Kind, Literal["building", "ground"]] = {
    "construction": "building",
    "demolition": "building",
    "ground": "ground",
}
"""Which question a confirmed alert of a kind answers."""

LEAST_PX, USUAL_PX, MOST_PX = 256, 512, 1024
"""Sides of a window: at least what a training sample shows; for most alerts at most twice that; never more."""

REJECTED_RIM_PX = 4
CONFIRMED_RIM_PX = 2

FOLDERS = ("A", "B", "label")

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class ReviewedChange:
    """An alert and what a person said of it.

    Attributes:
        number: names its window; each only once.
        kind: see :data:`inference.changes.Kind`.
        polygon: outline in the coordinates of the scan's grid, a Polygon or a MultiPolygon.
        confirmed: whether the change is there.
    """

    number: int
    kind: Kind
    polygon: BaseGeometry
    confirmed: bool


@dataclass(frozen=True)
class Tally:
    """Numbers of the alerts that windows of one question were written of."""

    confirmed: set[int]
    rejected: set[int]


def check_new(out: Path) -> None:
    """Make sure, before any work starts, that reviews can be written as the folder ``out``.

    Raises:
        OutputError: it holds anything, even an earlier scan or review, or cannot be written.
    """
    out = out.expanduser()
    check_output(out)
    if out.is_dir() and any(out.iterdir()):
        raise OutputError(f"{out} is not empty, and reviews replace nothing. Name a new folder with --out.")


def write_reviewed(
    reader: PairReader,
    reviewed: Sequence[ReviewedChange],
    out: Path,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Tally]:
    """Write reviewed alerts as the folder ``out``, complete or not at all.

    Args:
        reader: both dates, as the scan read them.
        reviewed: alerts of one scan with their verdicts; those that nobody reviewed are left away.
        out: a folder that is missing or empty. Each export has its own; several may lie side by side.
        progress: told which share is written.

    Returns:
        what was written, by question. An alert of which the images show nothing has no window.

    Raises:
        SettingsError: there is nothing to write, or a number stands twice.
        OutputError: ``out`` holds anything or cannot be written.
        ImageError: pixels cannot be read.
    """
    if len({alert.number for alert in reviewed}) < len(reviewed):
        raise SettingsError("Two reviewed alerts have the same number; expected the alerts of one scan, each once.")
    check_new(out)
    grid = reader.pair.grid
    on_grid = [replace(alert, polygon=_in_pixels(alert.polygon, grid)) for alert in reviewed]
    nearby = shapely.STRtree([alert.polygon for alert in on_grid])
    tallies: dict[str, Tally] = {question: Tally(set(), set()) for question in QUESTIONS.values()}
    with finished_folder(out) as folder:
        for done, alert in enumerate(on_grid, 1):
            rows, cols = window_around(alert.polygon)
            shown = [on_grid[i] for i in sorted(nearby.query(box(cols.start, rows.start, cols.stop, rows.stop)))]
            patch = reader.read(rows, cols)
            for question, tally in tallies.items():
                if alert.confirmed and QUESTIONS[alert.kind] != question:
                    continue
                label = _label(alert, shown, (rows, cols), question)
                label[~patch.valid] = UNREVIEWED
                if (label != UNREVIEWED).any():
                    _write_window(folder / question, alert.number, patch.before, patch.after, label)
                    (tally.confirmed if alert.confirmed else tally.rejected).add(alert.number)
            if progress is not None:
                progress(done / len(on_grid))
        written: dict[str, Tally] = {
            question: tally for question, tally in tallies.items() if tally.confirmed or tally.rejected
        }
        if not written:
            raise SettingsError("There is nothing to write: no reviewed alert is shown by both images.")
        for question in written:
            _write_manifest(folder / question, question, reader.pair.resolution_m)
    return written


def _in_pixels(polygon: BaseGeometry, grid: GeoBox) -> BaseGeometry:
    """The outline in columns and rows of the grid."""
    a, b, c, d, e, f = (~grid.affine)[:6]
    return affine_transform(polygon, (a, b, d, e, c, f))


def window_around(polygon: BaseGeometry) -> tuple[slice, slice]:
    """Rows and columns of the square window around an outline in pixels; it may reach beyond the grid.

    Twice the alert's longer side within 256 and 512 px; a larger alert has a quarter more than itself, and of one that
    is larger than any window a part is shown.
    """
    left, top, right, bottom = polygon.bounds
    longer = max(right - left, bottom - top)
    side = round(min(MOST_PX, max(min(max(2 * longer, LEAST_PX), USUAL_PX), 1.25 * longer)))
    x, y = (left + right) / 2, (top + bottom) / 2
    if longer > MOST_PX:  # the middle of the box of a long road or a ring may lie far from it
        inside = polygon.representative_point()
        x, y = inside.x, inside.y
    row, column = round(y - side / 2), round(x - side / 2)
    return slice(row, row + side), slice(column, column + side)


def _label(alert: ReviewedChange, shown: list[ReviewedChange], window: tuple[slice, slice], question: str) -> Image:
    rows, cols = window
    label = np.full((rows.stop - rows.start, cols.stop - cols.start), UNREVIEWED, np.uint8)
    filled = [(each, _filled(each.polygon, window)) for each in shown]
    for each, inside in filled:
        if not each.confirmed:
            label[cv2.dilate(inside, _disc(REJECTED_RIM_PX)) > 0] = REJECTED
    # after the rejected ones: where two outlines meet, the rim of a false alarm says nothing about a true change
    for each, inside in filled:
        if each.confirmed:
            label[cv2.dilate(inside, _disc(CONFIRMED_RIM_PX)) > 0] = UNREVIEWED
    for each, inside in filled:
        if each.confirmed and alert.confirmed and QUESTIONS[each.kind] == question:
            core = cv2.erode(inside, _disc(CONFIRMED_RIM_PX))
            label[(core if core.any() else inside) > 0] = CONFIRMED
    return label


def _filled(polygon: BaseGeometry, window: tuple[slice, slice]) -> Image:
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
    said = {"question": question, "gsd_m": float(resolution_m), "unknown": UNREVIEWED, "appears": False}
    (folder / NAME).write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")


def review_folders(folder: Path) -> list[tuple[Path, Literal["building", "ground"], Manifest]]:
    """The labelled folders that a person means by ``folder``: it itself, or ``building/`` and ``ground/`` in it.

    Returns:
        folder, question and manifest of each.

    Raises:
        SettingsError: there are none, one has no manifest, or one asks no question that can be trained.
    """
    folder = folder.absolute()
    named = [folder, *(folder / question for question in dict.fromkeys(QUESTIONS.values()))]
    found = [path for path in named if all((path / name).is_dir() for name in FOLDERS)]
    if not found:
        raise SettingsError(
            f"{folder} holds no reviews: expected building/ or ground/ as tuban reviewed writes them, or A/, B/ and "
            f"label/ with a {NAME}."
        )
    pairs: list[tuple[Path, Literal["building", "ground"], Manifest]] = []
    for path in found:
        manifest = read_manifest(path)
        if manifest is None:
            raise SettingsError(f"{path} has no {NAME}; it must say what its labels answer, like 'question: building'.")
        if manifest.question == "any":
            raise SettingsError(
                f"The question of {path} is 'any', which can be evaluated but not trained: a change is either of "
                "buildings or of ground. Sort the pairs into two folders, 'building' and 'ground'."
            )
        pairs.append((path, manifest.question, manifest))
    return pairs
