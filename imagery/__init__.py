"""Image files → scenes with a place, a date, a scale, colours and a mask. Safe with files from strangers.

>>> with open_scene("ortho.tif") as scene:            # doctest: +SKIP
...     patch = scene.read(scene.geobox[:512, :512])
"""

from imagery.gdal_environment import apply_environment

apply_environment()  # must precede the first import of rasterio, hence the order below

from imagery.files.limits import Limits  # noqa: E402
from imagery.radiometry import Stretch  # noqa: E402
from imagery.scene import Patch, Scene, open_scene  # noqa: E402

__all__ = ["Limits", "Patch", "Scene", "Stretch", "open_scene"]
