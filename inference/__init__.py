"""Two dates of one place in, changes on the map out."""

import imagery as _imagery  # noqa: F401  (what GDAL may open is said before anything of this room starts it)
