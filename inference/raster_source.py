"""What a scan needs of an image: one method, so that a scene, one in pixels of another and an array all do."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from imagery import Patch


class Readable(Protocol):
    """An image that can be resampled; :class:`imagery.Scene` is one."""

    def read(self, geobox: GeoBox, shift: NDArray[np.float32] | None = None) -> Patch:
        """Pixels and validity on ``geobox``, moved by ``shift``; see :meth:`imagery.Scene.read`."""
        ...
