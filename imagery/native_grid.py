"""The native grid of an image: from its own georeference, or from the files beside it."""

from __future__ import annotations

from dataclasses import dataclass

from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS

from errors import Reason
from imagery.datum import datum_remark, shifted_grid
from imagery.files.auxiliary_file import auxiliary_georeference
from imagery.files.safe_file import SafeFile
from imagery.files.world_file import prj_crs, world_file_transform
from imagery.georeference import (
    NotGeoreferenced,
    check_transform,
    crs_from_argument,
    ground_sample_distance,
    usable_crs,
)
from imagery.metadata import ImageMetadata


@dataclass(frozen=True)
class NativeGrid:
    """Native grid of an image.

    Attributes:
        geobox: its CRS is None without a georeference.
        gsd_m: ground sample distance in metres.
        remarks: on its position, for people.
    """

    geobox: GeoBox
    gsd_m: float
    remarks: tuple[Reason, ...] = ()


def native_grid(
    file: SafeFile, metadata: ImageMetadata, *, gsd: float | None, crs: str | None, override_crs: bool
) -> NativeGrid:
    """Return the native grid of an image.

    The geotransform is that of the file, its world file or its .aux.xml; the coordinate system that of the file,
    ``crs``, its .prj or its .aux.xml, in this order.

    Args:
        file: the image.
        metadata: of it.
        gsd: metres per pixel, for an image without a georeference.
        crs: like "EPSG:4547", for a file that has coordinates but no coordinate system.
        override_crs: use ``crs`` instead of the system that the file has, too.

    Raises:
        NotGeoreferenced: it has no georeference, and ``gsd`` is not given.
        ImageError: its georeference cannot be used.
    """
    shape = (metadata.height, metadata.width)
    transform, system = metadata.transform, usable_crs(metadata.crs)
    auxiliary_transform, auxiliary_crs = auxiliary_georeference(file.path)
    if transform is None:
        transform = world_file_transform(file.path) or auxiliary_transform
    if transform is not None:
        check_transform(transform, file.name)
        if crs is not None and (system is None or override_crs):
            system = usable_crs(crs_from_argument(crs))
        if system is None:
            system = usable_crs(prj_crs(file.path)) or usable_crs(auxiliary_crs)
        if system is not None:
            return _georeferenced(shape, transform, system, file.name)
    if gsd is not None:
        return NativeGrid(GeoBox(shape, Affine.identity(), None), float(gsd))
    raise _not_georeferenced(file.name, metadata, transform)


def _georeferenced(shape: tuple[int, int], transform: Affine, system: CRS, name: str) -> NativeGrid:
    code = system.to_epsg(min_confidence=100)
    geobox = GeoBox(shape, transform, f"EPSG:{code}" if code else system.to_wkt())
    gsd_m = ground_sample_distance(geobox, name)
    remark = datum_remark(system)
    geobox, _ = shifted_grid(geobox, system)
    return NativeGrid(geobox, gsd_m, (remark,) if remark else ())


def _not_georeferenced(name: str, metadata: ImageMetadata, transform: Affine | None) -> NotGeoreferenced:
    if transform is not None:
        return NotGeoreferenced(
            f"{name} has a geotransform but no coordinate system.",
            "Give the system (like EPSG:4547), add a .prj of the same name, or give the ground sample distance (--gsd) "
            "to use it as plain pixels.",
            "place.no_system",
            name,
        )
    if metadata.control_points:
        return NotGeoreferenced(
            f"{name} is not rectified: it has control points or a camera model instead of a grid.",
            "Rectify it with `gdalwarp`, or give the ground sample distance (--gsd) to use it as plain pixels.",
            "place.not_rectified",
            name,
        )
    return NotGeoreferenced(
        f"{name} has no coordinates.",
        "Give the ground sample distance in metres per pixel (--gsd 0.5), or add a world file and a .prj of the same "
        "name.",
        "place.none",
        name,
    )
