"""Open untrusted image files as georeferenced, dated scenes with calibrated colours and a validity mask.

>>> with open_scene("ortho.tif") as scene:            # doctest: +SKIP
...     patch = scene.read(scene.geobox[:512, :512])
"""

from imagery.gdal_environment import apply_environment

apply_environment()  # GDAL reads it when rasterio is first imported, which the modules below do

from imagery.limits import Limits  # noqa: E402
from imagery.radiometry import Stretch  # noqa: E402
from imagery.scene import Patch, Scene, open_scene  # noqa: E402

__all__ = ["Limits", "Patch", "Scene", "Stretch", "open_scene"]
