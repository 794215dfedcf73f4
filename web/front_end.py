"""Front-end packages: the files that browsers load, and a check that they are installed."""

from __future__ import annotations

from pathlib import Path

from errors import SettingsError

PACKAGES = Path(__file__).parent / "node_modules"
"""Where `make install` puts the versions of ``package-lock.json``."""

SERVED = {
    "exifr.js": "exifr/dist/lite.esm.mjs",
    "fflate.js": "fflate/esm/browser.js",
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "idb.js": "idb/build/index.js",
    "ol.js": "ol/dist/ol.js",
    "ol.css": "ol/ol.css",
    "proj4.js": "proj4/dist/proj4.js",
    "swagger.js": "swagger-ui-dist/swagger-ui-bundle.js",
    "swagger.css": "swagger-ui-dist/swagger-ui.css",
    "tus.js": "tus-js-client/dist/tus.min.js",
}
"""Name under ``/packages/`` → file of a package."""


def check_packages() -> None:
    """Check that the packages are installed.

    Raises:
        SettingsError: some files are missing; the message names them.
    """
    missing = [name for name in SERVED.values() if not (PACKAGES / name).is_file()]
    if missing:
        raise SettingsError(
            f"The pages need packages that are not in {PACKAGES}: {', '.join(missing)}. Run `make install` "
            "(or `npm ci` in the folder web)."
        )
