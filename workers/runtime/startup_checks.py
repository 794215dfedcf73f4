"""Checks before the service starts: each problem is reported in one line, and nothing is started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from configs.service import ServiceSettings
from service.broker import check_broker
from service.context import Context
from service.home import prepare_home
from service.installed_weights import check_detector
from service.instance import lock_home
from store.backup.safe_migration import safe_upgrade
from store.jobs.processes import remove_stale_processes
from store.jobs.recovery import expire_leases
from store.jobs.schedule_slots import LEADER
from store.schema.tables import ScheduleSlot


@contextmanager
def prepare_service(settings: ServiceSettings, kinds: Sequence[str]) -> Iterator[Context]:
    """Check and set up home folder, database, broker and object store; hold the home folder's locks.

    Args:
        settings: of the service.
        kinds: kinds of processes to run, ``worker`` or ``schedule``; only one instance of each may run per home folder.

    Raises:
        SettingsError: something is unusable, or another `tuban up` is running.
    """
    prepare_home(settings, intake=False)
    with lock_home(settings.home.resolve(), kinds):
        context = Context.from_settings(settings)
        try:
            context.objects.check()
            safe_upgrade(settings, context.database, context.objects, now=context.clock())
            if "worker" in kinds:
                check_detector(settings, context.database, context.objects)
            check_broker(settings)
            if context.database.sqlite and {"worker", "schedule"} <= set(kinds):
                _clear_stale_state(context)
            yield context
        finally:
            context.database.close()


def _clear_stale_state(context: Context) -> None:
    """End leases and remove heartbeats of dead processes: only this instance uses the database, so all have ended."""
    with context.database.write() as session:
        now = context.clock()
        expire_leases(session, "", now)
        remove_stale_processes(session, now)
        leader = session.get(ScheduleSlot, (LEADER, ""))
        if leader is not None:
            session.delete(leader)
