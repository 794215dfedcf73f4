"""CPU time of a local PostgreSQL server."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import text

from store.schema.database import Database


def process_cpu_ms(pid: int) -> float:
    """Return the CPU time of a process of this machine since it started, in milliseconds; 0: it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def backend_cpu_ms(database: Database) -> float:
    """Return the CPU time of the processes that serve the connections to a database on this machine, except our own."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with database.read() as session:
        pids = list(session.scalars(text(query)))
    return sum(process_cpu_ms(pid) for pid in pids)
