"""Change detection: two dates of one place in, polygons of changes on the map out."""

import imagery as _imagery  # noqa: F401  (restricts GDAL before any module of this package uses it)
