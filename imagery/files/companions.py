"""Files that lie beside images in deliveries and on memory cards of drones, and are no images themselves.

They are known by name, so that a delivery does not look as if something in it had failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from errors import Reason

_RTK = Reason("satellite observations of an RTK flight; photos hold the positions that are used", "beside.rtk")
_VIDEO = Reason("a video or its subtitles: only images are compared", "beside.video")
_LOG = Reason("a flight plan or log of a drone", "beside.log")
_METADATA = Reason("metadata of a delivery; not read", "beside.metadata")
_DOCUMENT = Reason("a document, not an image", "beside.document")
_VECTOR = Reason("map data, not an image; areas and layers are loaded on their own", "beside.vector")
_MODEL = Reason("a 3D model or point cloud, not an image", "beside.model")
_PROJECT = Reason("a project file of another program", "beside.project")
_CHECKSUM = Reason("a checksum or signature; not read", "beside.checksum")
_AUXILIARY = Reason(
    "an auxiliary file of another program; the image itself contains everything needed", "beside.unread"
)
_SPECTRAL = Reason(
    "a single band of a multispectral camera, without coordinates; pass an orthophoto made of the bands",
    "beside.spectral",
)
_RAW = Reason("the raw version of a photo of this delivery", "beside.raw")
_THERMAL = Reason("a thermal photo: it shows temperatures, not the ground's appearance", "beside.thermal")
_PREVIEW = Reason("a reduced preview of an image of this delivery", "beside.preview")

_ALWAYS: dict[Reason, str] = {
    # DJI (MRK, RTK, RTB, RTL, nav, obs, bin), RINEX of other makers, Emlid, CHC, Topcon, u-blox
    _RTK: "mrk nav obs rtk rtb rtl rpos ubx rtcm rtcm3 ppk pos hcn gns tps t02 t04 sp3 rnx crx",
    _LOG: "waypoints ulg tlog rlog plan",
    _AUXILIARY: "ovr aux rrd msk ige vat lock",
    _CHECKSUM: "md5 sha1 sha256 sha512 crc sig",
}
_WITH_IMAGES: dict[Reason, str] = {
    _RTK: "bin gnss rinex",
    _VIDEO: "mp4 mov avi mkv ts lrf lrv srt thm wmv m4v insv",
    _LOG: "csv log dat",
    # Pléiades (DIM), DigitalGlobe (IMD, TIL, RPB, …), Gaofen and Ziyuan (XML, RPB), Planet and STAC (JSON), ENVI (HDR)
    _METADATA: "xml json geojson imd til dim rpb rpc att eph geo hdr mta met pvl gml yaml yml ini stac safe tab",
    _DOCUMENT: "pdf txt md doc docx wps xls xlsx et ppt pptx rtf html htm css js url lnk",
    _VECTOR: "shp shx dbf cpg sbn sbx qix qpj kml gpkg dwg dxf gpx mif mid",
    _MODEL: "las laz ply obj mtl osgb b3dm glb gltf pcd e57 xyz asc fbx stl s3c 3mx",
    _PROJECT: "p4d psx psz qgs qgz mxd aprx lyr lyrx qml sld bbx",
}
_IMAGES = {"tif", "tiff", "jpg", "jpeg", "png", "jp2", "j2k", "webp"}
_FULL_IMAGES = ("tif", "tiff", "jp2", "img", "pix", "ntf")  # of which a .jpg or .png of the same name is a preview

_PREVIEW_NAME = re.compile(
    r"(^|[-_.\s])(thumb(nail)?s?|browse|quick-?look|ql|preview|pvi|overview|icon|拇指图|缩略图|快视图|浏览图)([-_.\s]|\d*$)",
    re.IGNORECASE,
)
_SPECTRAL_NAME = re.compile(
    r"(_MS_(G|R|RE|NIR)\.tiff?|^DJI_\d{3}[1-6]\.tiff?|^IMG_\d{4}_[1-9]\d?\.tiff?|_(GRE|RED|REG|NIR)\.tiff?)$",
    re.IGNORECASE,
)
"""Mavic 3 Multispectral, Phantom 4 Multispectral, MicaSense, Parrot Sequoia."""


_THERMAL_NAME = re.compile(r"^DJI_.*_T\.jpe?g$", re.IGNORECASE)
_RAW_SUFFIXES = ("dng", "arw", "cr2", "cr3", "nef", "raf", "raw")


_ARCHIVE_PART = re.compile(
    r"(\.(zip|7z|rar|tar|gz|tgz)\.\d{2,4}|\.[zr]\d{2,3}|\.part\d+\.rar|\.zipx?\.part\d*|\.00[1-9])$", re.IGNORECASE
)


def _by_suffix(groups: dict[Reason, str]) -> dict[str, Reason]:
    return {suffix: reason for reason, suffixes in groups.items() for suffix in suffixes.split()}


_ALWAYS_BY_SUFFIX, _WITH_IMAGES_BY_SUFFIX = _by_suffix(_ALWAYS), _by_suffix(_WITH_IMAGES)
_RINEX_2 = re.compile(r"\d\d[ondglqbfp]")  # year and kind of file: .24o, .24n


def find_companions(names: Iterable[str], georeferenced: Iterable[str] = ()) -> dict[str, Reason]:
    """Find companions among the files of a delivery.

    Where there are no images, only files that cannot be anything else are companions: of the others, their content
    decides.

    Args:
        names: paths with ``/`` between folders.
        georeferenced: those that have a world file, which are no previews.

    Returns:
        by name: what they are, as the reason why they are not read.
    """
    listed = list(names)
    with_world_file = set(georeferenced)
    suffixes = {(_stem(name), _suffix(name)) for name in listed}
    with_images = any(suffix in _IMAGES for _, suffix in suffixes)
    full = {stem for stem, suffix in suffixes if suffix in _FULL_IMAGES}
    found: dict[str, Reason] = {}
    for name in listed:
        stem, suffix = _stem(name), _suffix(name)
        reason = _ALWAYS_BY_SUFFIX.get(suffix)
        if _RINEX_2.fullmatch(suffix):
            reason = _RTK
        elif name.lower().endswith(".aux.xml"):
            reason = _AUXILIARY
        elif suffix in _RAW_SUFFIXES and {(stem, "jpg"), (stem, "jpeg")} & suffixes:
            reason = _RAW
        # a raw image of ENVI has a .hdr; its format is refused with advice
        elif reason is None and with_images and (suffix == "hdr" or (stem, "hdr") not in suffixes):
            reason = _WITH_IMAGES_BY_SUFFIX.get(suffix)
        if reason is None and name not in with_world_file:
            reason = _by_name(PurePosixPath(name).name, stem, suffix, full, alone=len(listed) == 1)
        if reason is not None:
            found[name] = reason
    return found


def _by_name(file_name: str, stem: str, suffix: str, full: set[str], *, alone: bool) -> Reason | None:
    """Return why an image is not read: by its name and the images of the delivery."""
    if _THERMAL_NAME.match(file_name):
        return _THERMAL
    if suffix in ("tif", "tiff") and not alone and _SPECTRAL_NAME.search(file_name):
        return _SPECTRAL
    if suffix in ("jpg", "jpeg", "png") and full:
        file_stem = PurePosixPath(file_name).stem
        if stem in full or _PREVIEW_NAME.search(file_stem):
            return _PREVIEW
    return None


def archive_part(name: str) -> bool:
    """Return whether a file is a part of a divided archive by its name: ``a.zip.001``, ``a.z01``, ``a.part2.rar``."""
    return bool(_ARCHIVE_PART.search(name))


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix[1:].lower()


def _stem(name: str) -> str:
    """Return a name without its suffix, in lower case."""
    return name.removesuffix(PurePosixPath(name).suffix).lower()
