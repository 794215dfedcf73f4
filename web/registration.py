"""How far apart two dates show the same ground: what a scan measured, at one place."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from affine import Affine
from pyproj import Transformer
from pyproj.exceptions import ProjError

from errors import TubanError
from inference.align_field import Lattice, ShiftField
from inference.array_file import unpack
from inference.prepared_file import SCHEMA
from store.objects import ObjectMissing
from store.tables import Scan
from workers.context import Context

_FARTHEST_M = 500.0  # a shift longer than this is no registration
_KEPT = 64  # fields kept; some kilobytes each


class _Registered(NamedTuple):
    field: ShiftField
    to_ground: Affine
    crs: str


_known: OrderedDict[tuple[str, int, str], _Registered | None] = OrderedDict()
_turn = Lock()


def shift_at(context: Context, scan: Scan, place: tuple[float, float], crs: str) -> tuple[float, float]:
    """Where the earlier image of a scan shows the ground of a place, as a step from the place.

    Args:
        context: where objects are.
        scan: ended or not.
        place: longitude, latitude in degrees.
        crs: in which the step is told, like ``EPSG:3857``.

    Returns:
        metres east and north; (0, 0) where the scan kept no registration.
    """
    registered = _registered(context, scan)
    if registered is None:
        return 0.0, 0.0
    try:
        x, y = Transformer.from_crs("EPSG:4490", registered.crs, always_xy=True).transform(*place)
        column, row = ~registered.to_ground @ (x, y)
        dx, dy = registered.field.at(np.array([[column, row]], np.float64))[0].tolist()
        there = registered.to_ground @ (column + dx, row + dy)
        out = Transformer.from_crs(registered.crs, crs, always_xy=True)
        (here_x, there_x), (here_y, there_y) = out.transform((x, there[0]), (y, there[1]))
    except ProjError:
        return 0.0, 0.0
    step = float(there_x - here_x), float(there_y - here_y)
    return step if np.hypot(*step) < _FARTHEST_M else (0.0, 0.0)


def _registered(context: Context, scan: Scan) -> _Registered | None:
    key = (context.settings.objects_url, scan.id, scan.settings_sha256)
    with _turn:
        if key in _known:
            _known.move_to_end(key)
            return _known[key]
    found = _read(context, scan)
    with _turn:
        _known[key] = found
        while len(_known) > _KEPT:
            _known.popitem(last=False)
    return found


def _read(context: Context, scan: Scan) -> _Registered | None:
    crs = (scan.result.get("grid") or {}).get("crs")
    if not crs:
        return None
    try:
        record, arrays = unpack(SCHEMA, context.objects.read(f"scans/{scan.id}/prepared.npz"))
        lattice = None if record["lattice"] is None else Lattice(**record["lattice"])
        centre: tuple[float, float] = tuple(record["centre"])
        field = ShiftField(centre, arrays["affine"], lattice, arrays.get("nodes"))
        affine: list[Any] = record["grid"]["affine"]
        return _Registered(field, Affine(*affine), str(crs))
    except ObjectMissing:
        return None
    except (TubanError, KeyError, TypeError):  # a picture is better a little off than not there
        return None
