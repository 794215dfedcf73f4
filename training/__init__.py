"""Train networks on labelled image pairs and evaluate the resulting weights."""

import imagery as _imagery  # noqa: F401  (restricts the drivers that GDAL may use, before anything here loads GDAL)
