"""Seconds by phase, and rows and bytes by table."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import func, inspect, select, text

from store.schema.database import Database
from store.schema.tables import Base


@dataclass(frozen=True)
class TableSize:
    """Rows and bytes of a table with its indexes."""

    name: str
    rows: int
    bytes: int


@dataclass
class Measured:
    """Seconds of each phase: ``wall`` and of this process's CPU time."""

    wall: Counter[str] = field(default_factory=Counter)
    cpu: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the seconds of a block."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.wall[name] += time.perf_counter() - wall  # type: ignore[assignment]
            self.cpu[name] += time.process_time() - cpu  # type: ignore[assignment]


def table_sizes(database: Database) -> list[TableSize]:
    """Return the tables that have rows, largest first."""
    sizes: dict[str, int] = {}
    with database.read() as session:
        present = set(inspect(session.connection()).get_table_names())
        tables = [table for table in Base.metadata.sorted_tables if table.name in present]
        if database.sqlite:
            try:
                pages = session.execute(
                    text(
                        "SELECT m.tbl_name, SUM(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name "
                        "GROUP BY m.tbl_name"
                    )
                )
                sizes = {name: int(size) for name, size in pages}
            except Exception:
                session.rollback()
        else:
            query = text("SELECT pg_total_relation_size(CAST(:name AS regclass))")
            sizes = {table.name: int(session.scalar(query, {"name": table.name}) or 0) for table in tables}
        found = [
            TableSize(
                table.name, session.scalar(select(func.count()).select_from(table)) or 0, sizes.get(table.name, 0)
            )
            for table in tables
        ]
    return sorted((size for size in found if size.rows), key=lambda size: (-size.bytes, -size.rows))


def database_bytes(database: Database) -> int:
    """Return the size of the whole database."""
    with database.read() as session:
        if database.sqlite:
            pages, size = session.scalar(text("PRAGMA page_count")), session.scalar(text("PRAGMA page_size"))
            return int(pages or 0) * int(size or 0)
        return int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0)
