"""Read alerts from a running service through its OGC API - Features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload
from urllib.parse import urlsplit

import httpx

from configs.network_addresses import is_internal
from errors import OutputError, SettingsError

if TYPE_CHECKING:
    import geopandas

PAGE = 500
"""Alerts of one request."""

_TIMEOUT_SECONDS = 60.0


class Alerts(Sequence[dict[str, Any]]):
    """Alerts as GeoJSON features: longitude and latitude, properties as the service publishes them."""

    def __init__(self, features: Sequence[dict[str, Any]]) -> None:
        """Made by :func:`read_alerts`."""
        self._features = list(features)

    def __len__(self) -> int:
        """Return the number of alerts."""
        return len(self._features)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Alerts: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | Alerts:
        """Return one feature, or some of them as alerts of their own."""
        return Alerts(self._features[index]) if isinstance(index, slice) else self._features[index]

    def to_geodataframe(self) -> geopandas.GeoDataFrame:
        """Return one row per alert: its properties, its number as ``id`` and its outline, in EPSG:4326.

        Raises:
            SettingsError: geopandas is not installed (``pip install 'tuban[geopandas]'``).
        """
        try:
            import geopandas
            from shapely.geometry import shape
        except ImportError as error:
            raise SettingsError("to_geodataframe() needs geopandas: pip install 'tuban[geopandas]'.") from error
        rows = [{"id": one["id"], **one["properties"], "geometry": shape(one["geometry"])} for one in self._features]
        columns = None if rows else ["id", "geometry"]
        return geopandas.GeoDataFrame(rows, columns=columns, geometry="geometry", crs="EPSG:4326")


def read_alerts(url: str, key: str, *, client: httpx.Client | None = None, **filters: Any) -> Alerts:
    """Read all alerts that the key's user may see.

    Args:
        url: of the service, like ``http://10.1.2.3:8000``.
        key: an API key of one's account page.
        client: to send the requests with, for own certificates or proxies; by default a plain one.
        filters: query parameters of ``/api/ogc/collections/alerts/items``: ``states``, ``kinds``, ``bbox``,
            ``datetime`` … Sequences become comma-separated.

    Raises:
        SettingsError: the service does not answer there, the key is not known, or a filter is refused.
        OutputError: the service failed.
    """
    query = {name: _text(value) for name, value in filters.items() if value is not None}
    internal = is_internal(urlsplit(url).hostname or "")  # a proxy in the environment is for the internet
    sender = client or httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=not internal)
    try:
        return Alerts(list(_features(sender, url.rstrip("/"), key, {"limit": str(PAGE)} | query)))
    finally:
        if client is None:
            sender.close()


def _features(client: httpx.Client, base: str, key: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
    address: str | None = f"{base}/api/ogc/collections/alerts/items"
    parameters: dict[str, str] | None = query
    while address is not None:
        page = _get(client, address, key, parameters)
        yield from page["features"]
        following = next((link["href"] for link in page.get("links", ()) if link.get("rel") == "next"), None)
        # the host of the caller's address, not that of the link: the service may not know the name it is reached by
        address = None if following is None else f"{base}/api/ogc/{following.partition('/api/ogc/')[2]}"
        parameters = None


def _get(client: httpx.Client, address: str, key: str, parameters: dict[str, str] | None) -> dict[str, Any]:
    try:
        answer = client.get(address, params=parameters, headers={"Authorization": f"Bearer {key}"})
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise SettingsError(f"No service answers at {address}: {error}.") from error
    if answer.status_code == 401:
        raise SettingsError("The API key is not known, has expired or was revoked. Create one on the account page.")
    if not answer.is_success:
        try:
            said = str(answer.json()["detail"])
        except (ValueError, KeyError, TypeError):
            said = f"no service of Tuban answers there (status {answer.status_code})"
        raise (OutputError if answer.status_code >= 500 else SettingsError)(said)
    page: dict[str, Any] = answer.json()
    if not isinstance(page, dict) or not isinstance(page.get("features"), list):
        raise SettingsError(f"{address} is no collection of alerts.")
    return page


def _text(value: Any) -> str:
    return value if isinstance(value, str) or not isinstance(value, Sequence) else ",".join(map(str, value))
