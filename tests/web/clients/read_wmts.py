"""Read a layer of the WMTS with GDAL in a fresh process, as QGIS does: URL, API key, layer, bounds in EPSG:3857."""

from __future__ import annotations

import json
import sys

import rasterio
from rasterio.windows import from_bounds

url, key, layer, *numbers = sys.argv[1:]
west, south, east, north = map(float, numbers)
with (
    rasterio.Env(GDAL_HTTP_AUTH="BASIC", GDAL_HTTP_USERPWD=f"any:{key}"),
    rasterio.open(f"WMTS:{url},layer={layer},zoom_level=18") as tiles,
):
    window = from_bounds(west, south, east, north, tiles.transform)
    pixels = tiles.read(window=window, out_shape=(tiles.count, 64, 64))
    print(json.dumps([str(tiles.crs), tiles.count, pixels.tolist()]))
