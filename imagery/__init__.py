"""Open untrusted image files as georeferenced, dated scenes with calibrated colours and a validity mask.

>>> with open_scene("ortho.tif") as scene:            # doctest: +SKIP
...     patch = scene.read(scene.geobox[:512, :512])
"""

from importlib import import_module
from typing import TYPE_CHECKING

from imagery.gdal_environment import apply_environment

apply_environment()  # GDAL reads it when rasterio is first imported, which the modules below do

if TYPE_CHECKING:
    from imagery.limits import Limits
    from imagery.radiometry import Stretch
    from imagery.scene import Patch, Scene, open_scene

__all__ = ["Limits", "Patch", "Scene", "Stretch", "open_scene"]

if not TYPE_CHECKING:  # an unknown name stays an error of types
    _MODULES = {
        "Limits": "imagery.limits",
        "Patch": "imagery.scene",
        "Scene": "imagery.scene",
        "Stretch": "imagery.radiometry",
        "open_scene": "imagery.scene",
    }

    def __getattr__(name: str) -> object:
        """Import a name when it is first used: a sandboxed process that checks a photo starts without rasterio."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(_MODULES[name]), name)
        return found
