"""Line (d): receiving an image (checks, copy with overviews, footprint, checksum) beside GDAL's own COG driver."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import rasterio
import rasterio.shutil

from benchmarks.lines.line import Line, Row, Sizes, run_code
from benchmarks.scan import write_large_pair

_INGEST = """
import datetime as dt, json, sys
from pathlib import Path
from imagery.conversion.ingest import ingest_image
from imagery.limits import Limits
out = Path(sys.argv[2])
ingest_image(Path(sys.argv[1]), "a.tif", out, limits=Limits(), today=dt.date(2026, 11, 30), workdir=out.parent)
print(json.dumps(out.stat().st_size))
"""

_GDAL = """
import json, os, sys
import rasterio.shutil
rasterio.shutil.copy(sys.argv[1], sys.argv[2], driver="COG", compress="DEFLATE", predictor="YES", blocksize=512,
                     overview_resampling="AVERAGE", bigtiff="IF_SAFER", num_threads=2)
print(json.dumps(os.path.getsize(sys.argv[2])))
"""


def measure(sizes: Sizes, progress: Callable[[str], None]) -> list[Row]:
    """Measure both on the same file, as processes of their own."""
    side = sizes.side(8000)
    progress(f"rendering an image of {side}²")
    rendered, _ = write_large_pair(sizes.folder, side)
    received = sizes.folder / "received.tif"
    with rasterio.open(rendered) as source:
        rasterio.shutil.copy(source, received, driver="GTiff", tiled=True, compress="DEFLATE", predictor=2)
    progress("GDAL's COG driver")
    gdal = run_code(_GDAL, received, sizes.folder / "gdal.tif")
    progress("ingest")
    ours = run_code(_INGEST, received, _folder(sizes.folder / "ingest") / "ours.tif")
    megapixels = side**2 / 1e6
    return [
        Row("ingest", ours.seconds, "s", "GDAL's COG driver, same options", gdal.seconds, "≤ 1.3"),
        Row("ingest, CPU", ours.cpu_seconds, "s", "GDAL's COG driver, CPU", gdal.cpu_seconds),
        Row("stored bytes per pixel", ours.data / megapixels / 1e6, "B", "GDAL's COG", gdal.data / megapixels / 1e6),
    ]


def _folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


LINE = Line("d", "ingest (check, COG, overviews) beside GDAL's COG driver", measure)
