"""The process that serves the pages: ``python -m web.server``, as `tuban up` starts it."""

from __future__ import annotations

import argparse
import os
import socket
import threading

import structlog
import uvicorn

from configs.service import ServiceSettings, read_service
from service.context import Context
from service.logs import log_version, set_up_logging
from service.process import exit_with_parent, process_name
from store.jobs.processes import record_heartbeat
from store.schema.database_errors import DatabaseError
from store.search.alert_columns import all_alerts
from web.app import make_app
from web.limits.connections import ConnectionTable, raise_file_limit

HEARTBEAT_SECONDS = 10.0

logger = structlog.get_logger("tuban.web")


def serve(settings: ServiceSettings, listening: socket.socket | None = None) -> None:
    """Serve until asked to stop; on a socket that listens already, which other processes may serve as well."""
    context = Context.from_settings(settings)
    stop = threading.Event()
    threading.Thread(target=_say_alive, args=(context, stop), daemon=True).start()
    threading.Thread(target=_know_alerts, args=(context,), daemon=True).start()
    try:
        table = ConnectionTable.from_settings(settings.web, raise_file_limit())
        config = uvicorn.Config(
            make_app(context),
            http=table.protocol(),
            ws="none",
            host=settings.web.address,
            port=settings.web.port,
            log_config=None,
            access_log=False,
            proxy_headers=bool(settings.web.trusted_proxies),
            forwarded_allow_ips=list(settings.web.trusted_proxies),
            server_header=False,
            timeout_graceful_shutdown=10,
        )
        server = uvicorn.Server(config)
        server.run(sockets=[listening] if listening is not None else None)
        if not server.started:
            raise SystemExit(3)
    finally:
        stop.set()
        context.database.close()


def _say_alive(context: Context, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            with context.database.write() as session:
                record_heartbeat(session, f"{process_name(os.getpid())}:web", "web", context.clock())
        except DatabaseError as error:
            logger.warning("the database does not answer", error=str(error).splitlines()[0])
        stop.wait(HEARTBEAT_SECONDS)


def _know_alerts(context: Context) -> None:
    """Read the alerts before the first request counts them: 100,000 take a second or two."""
    try:
        with context.database.read() as session:
            all_alerts(session)
    except DatabaseError as error:
        logger.warning("the database does not answer", error=str(error).splitlines()[0])


def main() -> None:
    """Arguments in, until the end."""
    parser = argparse.ArgumentParser(description="Serve Tuban's pages and API.")
    parser.add_argument("--port", type=int, help="default: web.port of the settings")
    parser.add_argument("--listening", type=int, help="number of an open socket that listens, instead of a port")
    parser.add_argument("--parent", type=int, help="process that this one ends with")
    given = parser.parse_args()
    settings = read_service()
    if given.port is not None:
        settings = settings.model_copy(update={"web": settings.web.model_copy(update={"port": given.port})})
    set_up_logging(settings)
    log_version("web")
    if given.parent is not None:
        exit_with_parent(given.parent)
    serve(settings, socket.socket(fileno=given.listening) if given.listening is not None else None)


if __name__ == "__main__":
    main()
