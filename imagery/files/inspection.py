"""Identify an image file and check its header limits before any library opens it."""

from __future__ import annotations

from imagery.files.formats import TIFF, Format, detect_format
from imagery.files.header_limits import RasterLayout, check_header_limits, read_raster_layout
from imagery.files.safe_file import SafeFile
from imagery.files.tiff_layout import read_tiff_layout
from imagery.limits import Limits


def inspect_file(file: SafeFile, limits: Limits) -> tuple[Format, RasterLayout]:
    """Detect the format of a file and read the raster layout from its header.

    Raises:
        ImageError: the format is not supported, or the header exceeds the limits.
    """
    file_format = detect_format(file.head, file.name)
    with file.path.open("rb") as handle:
        if file_format == TIFF:
            layout = read_tiff_layout(handle, file.size, file.name, limits)
        else:
            layout = read_raster_layout(handle, file_format, file.name)
    check_header_limits(layout, file.size, file.name, limits)
    return file_format, layout
