"""Labelled pairs in, weights out; and the measurements of how good they are."""

import imagery as _imagery  # noqa: F401  (what GDAL may open is said before anything of this room starts it)
