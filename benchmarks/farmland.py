"""Which painted changes of farmland a scan reports: ``python -m benchmarks.farmland``.

Four fields are painted on each of 14 real images of green farmland, 56 of each state: under film, ploughed, regrown,
with the texture of a real field of another place, and turned into a bare construction site. Only the last is to be
reported. Seeds are fixed, and the painting has nothing in common with that of the training source ``farmland``, but
the images are among those that it paints on.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import Polygon

from imagery import open_scene
from inference.detect_changes import detect_changes
from inference.scan_result import ScanResult
from inference.settings import AUTO, read_config, settings_for
from model.detector import Detector
from training.sources.samples import read_grey, read_rgb

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

FARMLAND = 4
IMAGES, FIELDS = 14, 4
GSD_M = 1.0
REPORTED_FROM = 0.1
"""Share of a field that changes must cover for it to count as reported."""


@dataclass(frozen=True)
class Place:
    """An image of farmland and the corners of the fields to paint, N×4×2 (x, y) pixels."""

    image: Image
    fields: list[NDArray[np.int32]]


def read_places(folder: Path) -> list[Place]:
    """Choose green farmland and fields that do not touch each other; the seed is fixed."""
    rng = np.random.default_rng(100)
    places: list[Place] = []
    for path in sorted((folder / "images").iterdir()):
        image = read_rgb(path)
        cover = np.asarray(read_grey(folder / "masks" / f"{path.stem}.png") == FARMLAND)
        if cover.mean() < 0.7 or image[cover].mean(0)[1] < image[cover].mean(0)[0] + 4:
            continue
        taken = np.zeros((cover.shape[0], cover.shape[1]), np.uint8)
        fields: list[NDArray[np.int32]] = []
        for _ in range(400):
            centre = (float(rng.integers(70, 442)), float(rng.integers(70, 442)))
            size = (int(rng.integers(60, 130)), int(rng.integers(45, 90)))
            corners = cv2.boxPoints((centre, size, float(rng.uniform(0, 180)))).astype(np.int32)
            mask = field_mask(corners, (cover.shape[0], cover.shape[1]))
            if len(fields) < FIELDS and cover[mask].mean() >= 0.97 and not (taken[mask] > 0).any():
                fields.append(corners)
                taken |= cv2.dilate(mask.astype(np.uint8), np.ones((15, 15), np.uint8))
        places.append(Place(image, fields))
        if len(places) == IMAGES:
            break
    return places


def field_mask(corners: NDArray[np.int32], shape: tuple[int, int]) -> Mask:
    """Return the pixels of a field."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [corners], 1)
    return mask > 0


def _rows(shape: tuple[int, int], period: float, rng: np.random.Generator) -> Floats:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    turn = rng.uniform(0, np.pi)
    return np.asarray(2 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / period, dtype=np.float32)


def _relief(image: Image, mask: Mask) -> Floats:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray((grey - grey[mask].mean())[..., None])


def _film(image: Image, mask: Mask, rng: np.random.Generator) -> Floats:
    strips = np.sin(_rows(mask.shape, rng.uniform(3.5, 6), rng)) > rng.uniform(-0.5, 0.3)
    noise = cv2.GaussianBlur(rng.normal(0, 12, mask.shape).astype(np.float32), (0, 0), 1.2)[..., None]
    soil = np.array((120, 110, 95)) + 0.4 * _relief(image, mask)
    shown = np.where(strips[..., None], np.array((215, 218, 222)) * rng.uniform(0.85, 1.05), soil)
    return np.asarray(cv2.GaussianBlur(shown.astype(np.float32), (0, 0), 0.6) + noise, dtype=np.float32)


def _furrows(image: Image, mask: Mask, rng: np.random.Generator) -> Floats:
    waves = rng.uniform(5, 12) * np.sin(_rows(mask.shape, rng.uniform(3.5, 7), rng))
    return np.asarray(np.array((122, 112, 96)) + 0.5 * _relief(image, mask) + waves[..., None], dtype=np.float32)


def _regrown(image: Image, mask: Mask, rng: np.random.Generator) -> Floats:
    waves = rng.uniform(2, 8) * np.sin(_rows(mask.shape, rng.uniform(3.5, 7), rng))
    green = np.array((72, 104, 58)) * rng.uniform(0.8, 1.25)
    return np.asarray(green + 0.6 * _relief(image, mask) + waves[..., None], dtype=np.float32)


def _bare_works(image: Image, mask: Mask, rng: np.random.Generator) -> Floats:
    """Return uneven pale ground with vehicle tracks, heaps and a few machines."""
    shape = mask.shape
    uneven = sum(
        cv2.resize(rng.normal(0, level, (512 // cell, 512 // cell)).astype(np.float32), shape[::-1])
        for cell, level in ((64, 14), (16, 9), (4, 6))
    )
    site = (np.array((178, 156, 126)) * rng.uniform(0.9, 1.12) + np.asarray(uneven)[..., None]).astype(np.float32)
    rows, columns = np.nonzero(mask)
    for _ in range(6):
        picked = rng.integers(len(rows), size=3)
        points = np.stack([columns[picked], rows[picked]], 1).astype(np.int32)
        cv2.polylines(site, [points], False, (208, 192, 164) if rng.random() < 0.6 else (140, 120, 96), 2, cv2.LINE_AA)
    for _ in range(8):
        at = int(rng.integers(len(rows)))
        centre, radius = (int(columns[at]), int(rows[at])), int(rng.integers(3, 7))
        cv2.circle(site, (centre[0] + 2, centre[1] + 2), radius, (96, 84, 70), -1, cv2.LINE_AA)
        cv2.circle(site, centre, radius, (200, 178, 146), -1, cv2.LINE_AA)
    for _ in range(3):
        at = int(rng.integers(len(rows)))
        corner = (int(columns[at]), int(rows[at]))
        cv2.rectangle(site, corner, (corner[0] + 5, corner[1] + 3), (214, 160, 40), -1)
    return np.asarray(site)


STATES: dict[str, Callable[[Image, Mask, np.random.Generator], Floats]] = {
    "film": _film,
    "ploughed": _furrows,
    "regrown": _regrown,
    "bare works": _bare_works,
}


def _blend(image: Floats, painted: Floats, mask: Mask) -> Floats:
    alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.2)[..., None]
    return np.asarray(image * (1 - alpha) + painted * alpha, dtype=np.float32)


def _other_fields(places: list[Place], number: int, field: int) -> Floats | None:
    """Return a field of another place, moved onto this one; None if it does not fit."""
    mine = places[number].fields[field]
    for step in range(1, len(places)):
        other = places[(number + 3 * step) % len(places)]
        if len(other.fields) > field:
            offset = mine.mean(0) - other.fields[field].mean(0)
            matrix = np.array([[1, 0, offset[0]], [0, 1, offset[1]]])
            size = other.image.shape[1::-1]
            moved = cv2.warpAffine(other.image, matrix, size, borderMode=cv2.BORDER_REFLECT)
            return np.asarray(moved, dtype=np.float32)
    return None


def paint_pair(places: list[Place], number: int, state: str) -> tuple[Image, Image]:
    """Return both dates of a place in one state; regrown fields were bare before."""
    place = places[number]
    before = after = place.image.astype(np.float32)
    for field, corners in enumerate(place.fields):
        mask = field_mask(corners, place.image.shape[:2])
        rng = np.random.default_rng((number, field, 41))
        if state == "other fields":
            painted = _other_fields(places, number, field)
            after = after if painted is None else _blend(after, painted, mask)
            continue
        if state == "regrown":
            before = _blend(before, _furrows(place.image, mask, np.random.default_rng((number, field, 42))), mask)
        after = _blend(after, STATES[state](place.image, mask, rng), mask)
    light = 255 * (np.clip(after, 0, 255) / 255) ** 0.9 * (1.05, 1.0, 0.95)
    light += np.random.default_rng((number, 5)).normal(0, 3, after.shape)
    return np.clip(before, 0, 255).astype(np.uint8), np.clip(light, 0, 255).astype(np.uint8)


def reported_fields(place: Place, result: ScanResult) -> int:
    """Count the fields of a place that changes cover in part."""
    to_pixels = ~Affine(GSD_M, 0, 520_000, 0, -GSD_M, 3_350_000)
    changes = [Polygon([to_pixels @ point for point in change.polygon.exterior.coords]) for change in result.changes]
    outlines = [Polygon(corners) for corners in place.fields]
    return sum(
        sum(change.buffer(0).intersection(outline).area for change in changes) >= REPORTED_FROM * outline.area
        for outline in outlines
    )


def _write(path: Path, image: Image) -> Path:
    profile = {"driver": "GTiff", "count": 3, "height": image.shape[0], "width": image.shape[1], "dtype": "uint8"}
    transform = Affine(GSD_M, 0, 520_000, 0, -GSD_M, 3_350_000)
    with rasterio.open(path, "w", crs="EPSG:4549", transform=transform, tiled=True, **profile) as raster:
        raster.write(np.moveaxis(image, 2, 0))
    return path


def main() -> None:
    """Paint, scan, and print how many fields of each state are reported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("TUBAN_REAL_IMAGERY"))
    parser.add_argument("--weights", default=read_config().weights)
    parser.add_argument("--folder", type=Path, help="folder of the weights, if they are not those that ship")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pictures", type=Path, help="write the painted pairs there and do not scan")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the data folder with --data or TUBAN_REAL_IMAGERY")
    places = read_places(Path(arguments.data) / "single" / "landcover_china")
    total = sum(len(place.fields) for place in places)
    states = (*STATES, "other fields")
    if arguments.pictures is not None:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
        for state in states:
            for number in range(len(places)):
                sheet = np.concatenate(paint_pair(places, number, state), axis=1)
                cv2.imwrite(str(arguments.pictures / f"{state}-{number}.png"), sheet[..., ::-1])
        return
    folder = {} if arguments.folder is None else {"folder": arguments.folder}
    detector = Detector(arguments.weights, threads=arguments.threads, **folder)
    settings = settings_for(read_config(), AUTO, GSD_M)
    with tempfile.TemporaryDirectory() as scratch:
        for state in states:
            reported, kinds = 0, dict.fromkeys(("construction", "ground", "demolition"), 0)
            for number, place in enumerate(places):
                files = [
                    _write(Path(scratch) / f"{name}.tif", image)
                    for name, image in zip(("before", "after"), paint_pair(places, number, state), strict=True)
                ]
                with open_scene(files[0]) as before, open_scene(files[1]) as after:
                    result = detect_changes(before, after, detector, settings)
                reported += reported_fields(place, result)
                for change in result.changes:
                    kinds[change.kind] += 1
            print(f"{state}: {reported} of {total} fields reported; polygons {kinds}", flush=True)


if __name__ == "__main__":
    main()
