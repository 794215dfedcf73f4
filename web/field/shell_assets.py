"""What the installable page consists of: the files that its service worker keeps, and their common version.

The version is a hash of all their contents, so any change installs a new service worker beside the old one. Only the
shell is replaced: drafts, photos and unsent steps are in IndexedDB, which no version deletes.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from configs.texts import LANGUAGES, texts_under
from configs.version import program_version
from web.front_end import PACKAGES, SERVED

STATIC = Path(__file__).parents[1] / "static"
TEMPLATE = Path(__file__).parents[1] / "templates" / "field.html"
WORKER = STATIC / "field" / "service_worker.js"

_PACKAGES = ("exifr.js", "fflate.js", "idb.js", "ol.css", "ol.js", "tus.js")
_SHARED = ("theme.js", "tuban.css", "icon.svg")


def page_texts() -> dict[str, dict[str, str]]:
    """Return the texts of the page by language: it has both, because the language may be changed without a network."""
    return {language: texts_under("field", language) for language in LANGUAGES}


@cache
def asset_paths() -> tuple[str, ...]:
    """List the paths of all files of the page without the prefix, the page itself first."""
    own = sorted(path.name for path in (STATIC / "field").iterdir() if path != WORKER and path.suffix != ".md")
    return (
        "/field",
        *(f"/packages/{name}" for name in _PACKAGES),
        *(f"/static/{name}" for name in _SHARED),
        *(f"/static/field/{name}" for name in own),
        "/manifest.webmanifest",
    )


@cache
def shell_version(root: str) -> str:
    """Return the version of the page: 16 hexadecimal digits of a hash of its files, texts and path.

    Args:
        root: path under which the pages are served; "" for none.
    """
    digest = hashlib.sha256(f"{root} {program_version()} {json.dumps(page_texts(), sort_keys=True)}".encode())
    files = [TEMPLATE, WORKER, *(PACKAGES / SERVED[name] for name in _PACKAGES), *(STATIC / name for name in _SHARED)]
    for path in [*files, *sorted((STATIC / "field").iterdir())]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def service_worker(root: str) -> str:
    """Return the script of the service worker with its version and file list."""
    values = {"version": shell_version(root), "root": root, "assets": [root + path for path in asset_paths()]}
    return f"const SHELL = {json.dumps(values)};\n{WORKER.read_text('utf-8')}"


def manifest(root: str, language: str) -> dict[str, Any]:
    """Return the web app manifest."""
    texts = texts_under("field", language)
    icons: list[dict[str, str]] = [
        {"src": f"{root}/static/field/icon-{side}.png", "sizes": f"{side}x{side}", "type": "image/png"}
        for side in (192, 512)
    ]
    return {
        "id": f"{root}/field",
        "name": texts["app_name"],
        "short_name": texts["app_short"],
        "description": texts["app_description"],
        "lang": "zh-CN" if language == "zh" else "en",
        "start_url": f"{root}/field",
        "scope": f"{root}/",
        "display": "standalone",
        "background_color": "#f4f6f5",
        "theme_color": "#12615a",
        "icons": [*icons, icons[1] | {"purpose": "maskable"}],
    }
