"""Load one item with odc-stac in a fresh process, as a user's notebook does: URL of the catalog, API key, id."""

from __future__ import annotations

import hashlib
import json
import os
import sys

url, key, item_id = sys.argv[1:]
os.environ["GDAL_HTTP_HEADERS"] = f"Authorization: Bearer {key}"
os.environ["GDAL_DISABLE_READDIR_ON_OPEN"] = "EMPTY_DIR"

import numpy as np  # noqa: E402
import odc.stac  # noqa: E402
from pystac_client import Client  # noqa: E402

items = Client.open(url, headers={"Authorization": f"Bearer {key}"}).search(ids=[item_id]).item_collection()
loaded = odc.stac.load(items, bands=["red", "green", "blue"])
pixels = np.stack([loaded[name].values[0] for name in ("red", "green", "blue")])
box = loaded.odc.geobox
checksum = hashlib.sha256(pixels.tobytes()).hexdigest()
print(json.dumps([checksum, list(box.transform)[:6], box.crs.to_epsg(), pixels.shape]))
