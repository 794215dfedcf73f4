"""All alerts as NumPy columns in memory, as of their last revision: counted and sorted without a query.

Each page says how many alerts there are of each state, how many are left, and where in the list one stands; a map from
afar draws all of them as clusters. Milliseconds of processor time for a county of 100,000 alerts, by
``python -m benchmarks.counting`` on a busy machine (columns / SQL / SQL with two covering indexes made for it):

=========================  ==================  ==================
..                         PostgreSQL          SQLite
=========================  ==================  ==================
facets of the list         2.5 / 46 / 47       1.4 / 25 / 29
alerts left                4.3 / 43 / 29       1.2 / 27 / 33
neighbours of one alert    5.4 / 80 / 42       2.1 / 33 / 36
map of the county          7.1 / 89 / 96       6.0 / 251 / 250
=========================  ==================  ==================

The page goal is 300 ms at the 95th percentile for 20 inspectors on two cores (``benchmarks/README.md``). They ask for
5.7 rounds of two lists, an alert and a map a second: counting them takes 0.15 of the two cores from columns, 1.7 in SQL
with covering indexes on PostgreSQL. Measured together under the same load, pages counted in SQL took 4 to 13 times as
long at the median. For a village, SQL is as fast.

What it costs: 1.3 to 1.7 s at the start of a process, 25 ms after a transaction that wrote one alert. Columns are
never stale: each transaction asks for the revision first (:mod:`store.schema.alert_revision`), and grids that were written since
are read again.
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
"""Stands in columns of days where there is none."""

GRIDS_AT_ONCE = 500
"""More grids than this are not asked for by name: all alerts are read again."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

Whole = NDArray[np.int64]
Real = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Words:
    """Words that a column holds, each as a number that it keeps."""

    def __init__(self) -> None:
        """None yet."""
        self.all: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, word: str) -> int:
        """That of a word, which is added."""
        known = self._numbers.get(word)
        if known is None:
            known = self._numbers[word] = len(self.all)
            self.all.append(word)
        return known

    def such(self, wanted: Callable[[str], bool]) -> Mask:
        """For the number of each word whether it is wanted."""
        return np.fromiter(map(wanted, list(self.all)), np.bool_)


@dataclass(frozen=True)
class AlertColumns:
    """Columns of :class:`store.schema.tables.AlertRow`, all of one length (n,), in no order. Never changed.

    Attributes:
        revision: as of which they are, or later.
        words: of ``kind``, ``state``, ``change_type``, ``grid_code`` and ``assignee``, which are told by number.
        id, number, score, area_m2, …: as there. Moments are microseconds since 1970 in UTC, days are ordinals.
    """

    revision: int
    words: dict[str, Words]
    id: Whole
    number: NDArray[np.object_]
    kind: Whole
    state: Whole
    change_type: Whole
    grid_code: Whole
    assignee: Whole
    score: Real
    area_m2: Real
    legal_weight: Whole
    sources_seen: Whole
    over_cap: Mask
    last_date: Whole
    due_on: Whole
    created_at: Whole
    west: Real
    south: Real
    east: Real
    north: Real

    def such(self, column: str, wanted: Callable[[str], bool]) -> Mask:
        """AlertColumns whose word in a column is wanted."""
        known = self.words[column].such(wanted)
        return known[getattr(self, column)] if len(known) else np.zeros(len(self.id), np.bool_)


WORD_COLUMNS = ("kind", "state", "change_type", "grid_code", "assignee")
_COLUMNS = tuple(field.name for field in fields(AlertColumns) if field.name not in ("revision", "words"))
DAY_COLUMNS = ("last_date", "due_on")
_REALS = ("score", "area_m2", "west", "south", "east", "north")


def to_column_value(value: Any) -> Any:
    """Return a value as columns hold it: moments and days as whole numbers, the rest as it is."""
    if isinstance(value, dt.datetime):
        return (value - _EPOCH) // _MICROSECOND
    return value.toordinal() if isinstance(value, dt.date) else value


class _Board:
    """What one process knows of the alerts of one database."""

    def __init__(self) -> None:
        self.words = {name: Words() for name in WORD_COLUMNS}
        self.turn = threading.Lock()
        self.latest: AlertColumns | None = None

    def read(self, session: Session) -> AlertColumns:
        revision = revision_of(session)
        kept = self.latest
        if kept is not None and kept.revision >= revision:
            return kept
        with self.turn:
            kept = self.latest
            if kept is not None and kept.revision >= revision:
                return kept
            alerts = self._read_again(session, kept, revision)
            if not wrote_alerts(session):  # what is not committed is told to nobody else
                self.latest = alerts
            return alerts

    def _read_again(self, session: Session, kept: AlertColumns | None, revision: int) -> AlertColumns:
        grids = grids_since(session, kept.revision) if kept is not None else {ALL}
        query = select(*(getattr(AlertRow, name) for name in _COLUMNS))
        if kept is None or ALL in grids or len(grids) > GRIDS_AT_ONCE:
            return self._columns(session.execute(query), revision)
        read = self._columns(session.execute(query.where(AlertRow.grid_code.in_(grids))), revision)
        stays = kept.such("grid_code", lambda code: code not in grids)
        joined = {name: np.concatenate([getattr(kept, name)[stays], getattr(read, name)]) for name in _COLUMNS}
        return AlertColumns(revision, self.words, **joined)

    def _columns(self, rows: Iterable[Any], revision: int) -> AlertColumns:
        columns = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=False)) or dict.fromkeys(_COLUMNS, ())
        return AlertColumns(
            revision, self.words, **{name: self._column(name, column) for name, column in columns.items()}
        )

    def _column(self, name: str, column: Sequence[Any]) -> Any:
        if name in WORD_COLUMNS:
            return np.fromiter(map(self.words[name].number, column), np.int64, len(column))
        if name in DAY_COLUMNS:
            return np.fromiter(
                (NO_DAY if day is None else to_column_value(day) for day in column), np.int64, len(column)
            )
        if name == "created_at":
            return np.fromiter(map(to_column_value, column), np.int64, len(column))
        if name == "number":
            return np.fromiter(column, np.object_, len(column))
        return np.array(column, np.float64 if name in _REALS else np.bool_ if name == "over_cap" else np.int64)


_boards: WeakKeyDictionary[Engine, _Board] = WeakKeyDictionary()
_making = threading.Lock()


def all_alerts(session: Session) -> AlertColumns:
    """The alerts as this transaction sees them, or later ones. The first time all of them are read."""
    engine = session.get_bind().engine
    with _making:
        board = _boards.setdefault(engine, _Board())
    return board.read(session)
