"""Settings of GDAL and PROJ that must stand in the environment before either library starts.

They are the second wall behind explicit drivers and files that lie alone: even a driver that Tuban never names cannot
follow a link out of a stranger's file. GDAL reads ``GDAL_SKIP`` once, when it registers its drivers, so this module
imports nothing of it and :mod:`imagery` applies it first.
"""

from __future__ import annotations

import os

DRIVERS_THAT_FOLLOW_LINKS = (
    # read other files or addresses that are named inside the file
    "VRT",
    "DERIVED",
    "GTI",
    "STACIT",
    "STACTA",
    # ask a server
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
    # (GDAL_GEOREF_SOURCES=INTERNAL would fit here, but GDAL 3.10 then places JPEG 2000 by uninitialised memory)
    # no .ovr, .msk, .aux.xml or world file beside an image is looked for: an .ovr may be a VRT in disguise
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_SKIP": " ".join(DRIVERS_THAT_FOLLOW_LINKS),
    "GDAL_DRIVER_PATH": "disable",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
    # /vsicurl/ and its kin answer only to this name, which nobody can have
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",
    # a JPEG that was cut off is an error, not a picture with a grey end
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",
    # MB of decoded tiles; GDAL's own default is a twentieth of the machine's memory, which a scan does not need
    "GDAL_CACHEMAX": "192",
    "GDAL_HTTP_MAX_RETRY": "0",
    "AWS_NO_SIGN_REQUEST": "YES",
    "PROJ_NETWORK": "OFF",
}


def apply_environment() -> None:
    """Write :data:`ENVIRONMENT` over whatever stood there: these are no preferences."""
    os.environ.update(ENVIRONMENT)
