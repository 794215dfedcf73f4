"""PostgreSQL behind pgbouncer, which assigns a server to each transaction: nothing may rest on a session."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from store.jobs.queue import add_job, claim
from store.schema.counters import next_number
from store.schema.database import Database
from store.schema.migrate import current_revision, head_revision, upgrade
from tests.workers.embedded import NOW

PGBOUNCER = shutil.which("pgbouncer")
SERVERS = 2

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer (a package of Debian) is not installed")


@pytest.fixture
def pooler(postgresql: Database) -> Iterator[int]:
    """Port of a pgbouncer in transaction mode with :data:`SERVERS` connections to the server."""
    url = make_url(postgresql.url)
    login = f"user={url.username}" + (f" password={url.password}" if url.password else "")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # it drops the rights of root
        settings = Path(folder, "pgbouncer.ini")
        settings.write_text(
            f"[databases]\n* = host={url.host} port={url.port or 5432} {login}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n"
            f"default_pool_size = {SERVERS}\nmax_client_conn = 100\n"
        )
        assert PGBOUNCER is not None
        user = ("-u", "nobody") if os.geteuid() == 0 else ()
        running = subprocess.Popen([PGBOUNCER, "-q", *user, str(settings)], stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert running.poll() is None, "pgbouncer did not start"
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            yield port
        finally:
            running.terminate()
            running.wait(30)


def _through(port: int, url: str) -> Database:
    return Database(make_url(url).set(host="127.0.0.1", port=port).render_as_string(hide_password=False))


def test_many_clients_share_few_servers_and_each_job_runs_once(postgresql: Database, pooler: int) -> None:
    with postgresql.write() as session:
        keys = map(str, range(12))
        added = [add_job(session, kind="k", queue="scan", payload={}, unique_key=key, now=NOW) for key in keys]
    clients = [_through(pooler, postgresql.url) for _ in range(4)]

    def work(number: int) -> tuple[list[int], list[int]]:
        database, claimed, numbers = clients[number % len(clients)], [], []
        for job_id in added:
            assert job_id is not None
            with database.write() as session:
                if claim(session, job_id, f"here:{number}", NOW, 60) is not None:
                    claimed.append(job_id)
                numbers.append(next_number(session, "test"))
            with database.read() as session:  # the same statement again and again, which psycopg would prepare
                assert session.scalar(text("SELECT count(*) FROM jobs WHERE id = :id"), {"id": job_id}) == 1
        return claimed, numbers

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    assert sorted(job_id for claimed, _ in results for job_id in claimed) == sorted(filter(None, added))
    numbers = sorted(number for _, given in results for number in given)
    assert numbers == list(range(1, 8 * len(added) + 1))
    for client in clients:
        client.close()


def test_limits_of_a_transaction_do_not_stay_on_the_server(postgresql: Database, pooler: int) -> None:
    database = _through(pooler, postgresql.url)
    with database.write() as session:
        assert session.scalar(text("SHOW statement_timeout")) == "40s"
    with database.engine.connect() as connection:  # of another program that shares the servers
        assert connection.scalar(text("SHOW statement_timeout")) == "0"
        assert connection.scalar(text("SHOW transaction_isolation")) == "read committed"
        assert connection.scalar(text("SELECT count(*) FROM pg_prepared_statements")) == 0
        locks = "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory'"
        assert connection.scalar(text(f"{locks} AND datname = current_database()")) == 0
    database.close()


@pytest.mark.slow
def test_migrations_run_through_the_pooler(postgresql_url: str, pooler: int) -> None:
    database = _through(pooler, postgresql_url)
    upgrade(database)
    assert current_revision(database) == head_revision()
    database.close()
