"""Version of the installed program."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def program_version() -> str:
    """Return the version of the installed package; ``unknown`` if it runs without being installed."""
    try:
        return version("tuban")
    except PackageNotFoundError:
        return "unknown"
