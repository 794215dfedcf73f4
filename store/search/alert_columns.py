"""In-memory columns of all alerts as of the latest revision, for counting and sorting without a query.

Every page shows the number of alerts of each state, the number left to review and an alert's position in the list; a
zoomed-out map draws all alerts as clusters. Milliseconds of processor time for a county of 100,000 alerts, by
``python -m benchmarks.counting`` on a busy machine (columns / SQL / SQL with two dedicated covering indexes):

=========================  ==================  ==================
..                         PostgreSQL          SQLite
=========================  ==================  ==================
facets of the list         2.5 / 46 / 47       1.4 / 25 / 29
alerts left                4.3 / 43 / 29       1.2 / 27 / 33
neighbours of one alert    5.4 / 80 / 42       2.1 / 33 / 36
map of the county          7.1 / 89 / 96       6.0 / 251 / 250
=========================  ==================  ==================

The page goal is 300 ms at the 95th percentile for 20 inspectors on two cores (``benchmarks/README.md``). They request
5.7 rounds of two lists, an alert and a map per second: counting takes 0.15 of the two cores with columns, 1.7 in SQL
with covering indexes on PostgreSQL. Under the same load, pages that count in SQL took 4 to 13 times as long at the
median. For a single village, SQL is as fast.

Cost: 1.3 to 1.7 s at the start of a process, 25 ms after a transaction that wrote one alert. Columns are never stale:
each transaction reads the revision first (:mod:`store.schema.alert_revision`), and grids written since are read again.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from store.schema.alert_revision import ALL, grids_since, revision_of, wrote_alerts
from store.schema.tables import AlertRow

NO_DAY = -1
"""Value of a missing day in a column of days."""

MAX_GRIDS_IN_QUERY = 500
"""With more changed grids than this, all alerts are read again instead of only those of the grids."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

IntColumn = NDArray[np.int64]
FloatColumn = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Categories:
    """The distinct strings of a column, each with a permanent integer code."""

    def __init__(self) -> None:
        """Start without any category."""
        self.names: list[str] = []
        self._codes: dict[str, int] = {}

    def code(self, name: str) -> int:
        """Return the code of a category, adding it if it is new."""
        code = self._codes.get(name)
        if code is None:
            code = self._codes[name] = len(self.names)
            self.names.append(name)
        return code

    def matching(self, predicate: Callable[[str], bool]) -> Mask:
        """Return, for each code, whether its category satisfies ``predicate``."""
        return np.fromiter(map(predicate, list(self.names)), np.bool_)


@dataclass(frozen=True)
class AlertColumns:
    """Immutable columns of :class:`store.schema.tables.AlertRow`, each of shape (n,), in no particular order.

    Attributes:
        revision: the columns are of this revision or a later one.
        categories: of ``kind``, ``state``, ``change_type``, ``grid_code``, ``assignee`` and ``site``, stored as codes.
        id, number, score, area_m2, …: as in the table. Times are microseconds since 1970 in UTC, days are ordinals.
    """

    revision: int
    categories: dict[str, Categories]
    id: IntColumn
    number: NDArray[np.object_]
    kind: IntColumn
    state: IntColumn
    change_type: IntColumn
    grid_code: IntColumn
    assignee: IntColumn
    site: IntColumn
    score: FloatColumn
    area_m2: FloatColumn
    legal_weight: IntColumn
    sources_seen: IntColumn
    over_cap: Mask
    last_date: IntColumn
    due_on: IntColumn
    created_at: IntColumn
    west: FloatColumn
    south: FloatColumn
    east: FloatColumn
    north: FloatColumn

    def matching(self, column: str, predicate: Callable[[str], bool]) -> Mask:
        """Return which alerts have a category in ``column`` that satisfies ``predicate``."""
        by_code = self.categories[column].matching(predicate)
        return by_code[getattr(self, column)] if len(by_code) else np.zeros(len(self.id), np.bool_)


CATEGORY_COLUMNS = ("kind", "state", "change_type", "grid_code", "assignee", "site")
_COLUMNS = tuple(field.name for field in fields(AlertColumns) if field.name not in ("revision", "categories"))
DAY_COLUMNS = ("last_date", "due_on")
_FLOAT_COLUMNS = ("score", "area_m2", "west", "south", "east", "north")


def to_column_value(value: Any) -> Any:
    """Convert a value of the table to that of a column: times and days to integers, the rest unchanged."""
    if isinstance(value, dt.datetime):
        return (value - _EPOCH) // _MICROSECOND
    return value.toordinal() if isinstance(value, dt.date) else value


class _ColumnCache:
    """The columns of one database's alerts, shared by all threads of a process."""

    def __init__(self) -> None:
        self.categories = {name: Categories() for name in CATEGORY_COLUMNS}
        self.lock = threading.Lock()
        self.latest: AlertColumns | None = None

    def read(self, session: Session) -> AlertColumns:
        revision = revision_of(session)
        cached = self.latest
        if cached is not None and cached.revision >= revision:
            return cached
        with self.lock:
            cached = self.latest
            if cached is not None and cached.revision >= revision:
                return cached
            alerts = self._refresh(session, cached, revision)
            if not wrote_alerts(session):  # uncommitted rows must not reach other transactions
                self.latest = alerts
            return alerts

    def _refresh(self, session: Session, cached: AlertColumns | None, revision: int) -> AlertColumns:
        grids = grids_since(session, cached.revision) if cached is not None else {ALL}
        query = select(*(getattr(AlertRow, name) for name in _COLUMNS))
        if cached is None or ALL in grids or len(grids) > MAX_GRIDS_IN_QUERY:
            return self._columns(session.execute(query), revision)
        changed = self._columns(session.execute(query.where(AlertRow.grid_code.in_(grids))), revision)
        unchanged = cached.matching("grid_code", lambda code: code not in grids)
        joined = {name: np.concatenate([getattr(cached, name)[unchanged], getattr(changed, name)]) for name in _COLUMNS}
        return AlertColumns(revision, self.categories, **joined)

    def _columns(self, rows: Iterable[Any], revision: int) -> AlertColumns:
        columns = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=False)) or dict.fromkeys(_COLUMNS, ())
        return AlertColumns(
            revision, self.categories, **{name: self._column(name, column) for name, column in columns.items()}
        )

    def _column(self, name: str, column: Sequence[Any]) -> Any:
        if name in CATEGORY_COLUMNS:
            return np.fromiter(map(self.categories[name].code, column), np.int64, len(column))
        if name in DAY_COLUMNS:
            return np.fromiter(
                (NO_DAY if day is None else to_column_value(day) for day in column), np.int64, len(column)
            )
        if name == "created_at":
            return np.fromiter(map(to_column_value, column), np.int64, len(column))
        if name == "number":
            return np.fromiter(column, np.object_, len(column))
        return np.array(column, np.float64 if name in _FLOAT_COLUMNS else np.bool_ if name == "over_cap" else np.int64)


_caches: WeakKeyDictionary[Engine, _ColumnCache] = WeakKeyDictionary()
_caches_lock = threading.Lock()


def all_alerts(session: Session) -> AlertColumns:
    """Return the alerts as this transaction sees them, or a later revision. The first call reads the whole table."""
    engine = session.get_bind().engine
    with _caches_lock:
        cache = _caches.setdefault(engine, _ColumnCache())
    return cache.read(session)
