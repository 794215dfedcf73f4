"""Write a rendered pair as GeoTIFFs, with its ground truth as GeoJSON."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.enums import Resampling
from shapely.geometry import mapping
from shapely.geometry.polygon import orient

from errors import OutputError
from training.synthetic.spec import RenderedPair, SceneSpec


def write_scene(pair: RenderedPair, folder: Path) -> tuple[Path, Path, Path]:
    """Write ``before.tif``, ``after.tif`` and ``truth.geojson`` into ``folder``, creating it if needed.

    The images are tiled, deflate-compressed GeoTIFFs with internal overviews and the date as TIFFTAG_DATETIME. The
    truth follows RFC 7946: longitude, latitude, exterior rings counter-clockwise; each feature has ``kind``,
    ``area_m2`` and ``what`` (its description).

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before, after, truth = folder / "before.tif", folder / "after.tif", folder / "truth.geojson"
        _write_image(before, pair.before, pair.spec, pair.spec.dates[0], pair.spec.hours[0])
        _write_image(after, pair.after, pair.spec, pair.spec.dates[1], pair.spec.hours[1])
        truth.write_text(json.dumps(truth_collection(pair), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except (OSError, rasterio.errors.RasterioIOError) as error:
        raise OutputError(f"The scene cannot be written to {folder}: {error}. Choose a writable folder.") from error
    return before, after, truth


def truth_collection(pair: RenderedPair) -> dict[str, object]:
    """Return the truth as a GeoJSON FeatureCollection in longitude, latitude."""
    to_degrees = Transformer.from_crs(pair.spec.crs, 4326, always_xy=True).transform
    features = []
    for change in pair.truth:
        outline = orient(shapely.transform(change.polygon, to_degrees, interleaved=False), 1.0)
        shape = mapping(outline)
        rings = [[[round(x, 8), round(y, 8)] for x, y in ring] for ring in shape["coordinates"]]
        properties = {"kind": change.kind, "area_m2": round(change.area_m2, 1), "what": change.description}
        features.append(
            {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": rings}, "properties": properties}
        )
    return {"type": "FeatureCollection", "features": features}


def _write_image(path: Path, image: NDArray[np.uint8], spec: SceneSpec, date: dt.date, hour: float) -> None:
    profile = {
        "driver": "GTiff", "width": spec.width, "height": spec.height, "count": 3, "dtype": "uint8", "crs": spec.crs,
        "transform": spec.transform, "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate",
        "predictor": 2, "photometric": "RGB", "interleave": "pixel", "BIGTIFF": "IF_SAFER",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(image.transpose(2, 0, 1))
        minutes = int(hour * 60)
        file.update_tags(TIFFTAG_DATETIME=f"{date:%Y:%m:%d} {minutes // 60:02d}:{minutes % 60:02d}:00")
        levels = [k for k in (2, 4, 8, 16, 32) if min(spec.width, spec.height) // k >= 64]
        if levels:
            file.build_overviews(levels, Resampling.average)
