"""Registrations of scans, read from the object store once and kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from inference.stored_registration import StoredRegistration
from service.context import Context
from store.objects.object_store import ObjectNotFound
from store.schema.tables import Scan

_KEPT = 64  # registrations kept; some kilobytes each

_cache: OrderedDict[tuple[str, int, str], StoredRegistration | None] = OrderedDict()
_lock = Lock()


def shift_at(context: Context, scan: Scan, place: tuple[float, float], crs: str) -> tuple[float, float]:
    """Return how far from a place the earlier image of a scan shows the ground of that place.

    Args:
        context: where objects are.
        scan: ended or not.
        place: longitude, latitude in degrees.
        crs: in which the shift is given, like ``EPSG:3857``.

    Returns:
        metres east and north; (0, 0) where the scan stored no registration.
    """
    registration = _registration(context, scan)
    return (0.0, 0.0) if registration is None else registration.shift_at(place, crs)


def _registration(context: Context, scan: Scan) -> StoredRegistration | None:
    key = (context.settings.objects_url, scan.id, scan.settings_sha256)
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    found = _read(context, scan)
    with _lock:
        _cache[key] = found
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
    return found


def _read(context: Context, scan: Scan) -> StoredRegistration | None:
    crs = (scan.result.get("grid") or {}).get("crs")
    if not crs:
        return None
    try:
        content = context.objects.read(f"scans/{scan.id}/prepared.npz")
    except ObjectNotFound:
        return None
    return StoredRegistration.from_plan_file(content, str(crs))
