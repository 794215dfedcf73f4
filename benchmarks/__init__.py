"""Benchmarks: commands that measure speed, memory and accuracy of parts of Tuban."""

import imagery as _imagery  # noqa: F401  (restricts GDAL drivers before any benchmark loads GDAL)
