"""Interface of images that a scan reads: scenes, rescaled scenes and arrays in memory."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from imagery import Patch


class RasterSource(Protocol):
    """An image that can be resampled; :class:`imagery.Scene` is one."""

    def read(self, geobox: GeoBox, shift: NDArray[np.float32] | None = None) -> Patch:
        """Resample to ``geobox``, displaced by ``shift`` in pixels; see :meth:`imagery.Scene.read`."""
        ...
