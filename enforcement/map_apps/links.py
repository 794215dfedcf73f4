"""Links that hand a place over to a map app for navigation, in the coordinates of that app."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import quote

from pydantic import Field

from enforcement.map_apps.coordinates import System, display_position
from enforcement.settings import BilingualName, StrictModel, read_settings


class MapApp(BilingualName):
    """A map app: its address with ``{lon}``, ``{lat}`` and ``{name}``, and the coordinates that it expects."""

    system: System
    address: Annotated[str, Field(pattern=r"^(https://|geo:).*\{l(on|at)\}")]


class NavigationSettings(StrictModel):
    """All of ``configs/navigation.yaml``."""

    apps: dict[str, MapApp] = {}  # noqa: RUF012


class NavigationLink(NamedTuple):
    """A link to a map app; ``name`` in Chinese and English."""

    app: str
    name: BilingualName
    address: str


@cache
def read_navigation(path: Path = Path("navigation.yaml")) -> NavigationSettings:
    """Read ``configs/navigation.yaml``, once per process.

    Raises:
        SettingsError: the file is invalid.
    """
    return read_settings(path, NavigationSettings)


def navigation_links(lon: float, lat: float, name: str) -> list[NavigationLink]:
    """Return the links of all map apps to a place; longitude and latitude in EPSG:4490."""
    links = []
    for app, settings in read_navigation().apps.items():
        east, north = display_position(lon, lat, settings.system)
        values = {"lon": f"{east:.6f}", "lat": f"{north:.6f}", "name": quote(name, safe="")}
        address = settings.address
        for key, value in values.items():
            address = address.replace(f"{{{key}}}", value)
        links.append(NavigationLink(app, settings, address))
    return links
