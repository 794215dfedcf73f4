"""The ellipsoid on which areas and distances are measured."""

from __future__ import annotations

from pyproj import Geod

ELLIPSOID = Geod(ellps="GRS80")
"""That of CGCS2000 to within a tenth of a millimetre; WGS84's differs from it by as little."""
