"""Read the alerts with GDAL's OAPIF driver in a fresh process, as QGIS does: URL of the API, API key."""

from __future__ import annotations

import json
import sys

import pyogrio

url, key = sys.argv[1:]
pyogrio.set_gdal_config_options({"GDAL_HTTP_AUTH": "BASIC", "GDAL_HTTP_USERPWD": f"any:{key}"})
layers = [str(name) for name, _ in pyogrio.list_layers(f"OAPIF:{url}")]
frame = pyogrio.read_dataframe(f"OAPIF:{url}", layer="alerts")
found = {row.number: [row.geometry.wkb_hex, row.kind, row.area_m2] for row in frame.itertuples()}
west, south, east, north = frame.geometry.iloc[0].bounds
inside = pyogrio.read_dataframe(f"OAPIF:{url}", layer="alerts", bbox=(west, south, east, north))
print(json.dumps([layers, found, list(inside.number), str(frame.crs.to_epsg() or frame.crs.name)]))
