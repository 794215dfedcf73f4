"""Environment variables that GDAL and PROJ read when they are loaded.

They are a second line of defence behind explicit drivers and isolated files: even a driver that Tuban never names
cannot follow a link out of an untrusted file. GDAL reads ``GDAL_SKIP`` once, when it registers its drivers, so this
module must not import GDAL, and :mod:`imagery` applies the settings first.
"""

from __future__ import annotations

import os

DRIVERS_THAT_FOLLOW_LINKS = (
    # open other files or URLs named in the file
    "VRT",
    "DERIVED",
    "GTI",
    "STACIT",
    "STACTA",
    # send requests to a server
    "WMS",
    "WMTS",
    "WCS",
    "HTTP",
    "EEDA",
    "EEDAI",
    "PLMOSAIC",
    "DAAS",
)

ENVIRONMENT = {
    # not GDAL_GEOREF_SOURCES=INTERNAL: GDAL 3.10 then georeferences JPEG 2000 from uninitialised memory
    # do not look for .ovr, .msk, .aux.xml or world files: an .ovr may be a VRT in disguise
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_SKIP": " ".join(DRIVERS_THAT_FOLLOW_LINKS),
    "GDAL_DRIVER_PATH": "disable",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
    # /vsicurl/ and similar file systems open only this name, which no file can have
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",
    # a truncated JPEG is an error, not an image with a grey lower part
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",
    # MB of decoded tiles; the default of 5% of the machine's memory is more than a scan needs
    "GDAL_CACHEMAX": "192",
    "GDAL_HTTP_MAX_RETRY": "0",
    "AWS_NO_SIGN_REQUEST": "YES",
    "PROJ_NETWORK": "OFF",
}


def apply_environment() -> None:
    """Set :data:`ENVIRONMENT`, overriding existing variables: these are security settings, not preferences."""
    os.environ.update(ENVIRONMENT)
