"""Cache of scans' registrations, read from the object store."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from inference.stored_registration import StoredRegistration
from service.context import Context
from store.objects.object_store import ObjectNotFound
from store.schema.tables import Scan

_MAX_CACHED = 64  # registrations of a few kilobytes each

_cache: OrderedDict[tuple[str, int, str], StoredRegistration | None] = OrderedDict()
_lock = Lock()


def shift_at(context: Context, scan: Scan, place: tuple[float, float], crs: str) -> tuple[float, float]:
    """Return the registration shift of a scan's earlier image at a place.

    Args:
        context: settings and object store.
        scan: the scan, in any state.
        place: longitude, latitude in degrees.
        crs: CRS of the shift, like ``EPSG:3857``.

    Returns:
        Metres east and north by which the earlier image shows the ground displaced; (0, 0) without a registration.
    """
    registration = _registration(context, scan)
    return (0.0, 0.0) if registration is None else registration.shift_at(place, crs)


def _registration(context: Context, scan: Scan) -> StoredRegistration | None:
    key = (context.settings.objects_url, scan.id, scan.settings_sha256)
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    registration = _read(context, scan)
    with _lock:
        _cache[key] = registration
        while len(_cache) > _MAX_CACHED:
            _cache.popitem(last=False)
    return registration


def _read(context: Context, scan: Scan) -> StoredRegistration | None:
    crs = (scan.result.get("grid") or {}).get("crs")
    if not crs:
        return None
    try:
        content = context.objects.read(f"scans/{scan.id}/prepared.npz")
    except ObjectNotFound:
        return None
    return StoredRegistration.from_plan_file(content, str(crs))
