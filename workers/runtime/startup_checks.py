"""What must hold before the service starts: each thing that does not is one clear line, and nothing is started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from configs.service import ServiceSettings
from service.broker import check_broker
from service.context import Context
from service.home import prepare_home
from service.instance import lock_home
from store.jobs.processes import remove_stale_processes
from store.jobs.recovery import expire_leases
from store.jobs.schedule_slots import LEADER
from store.schema.migrate import upgrade
from store.schema.tables import ScheduleSlot


@contextmanager
def prepared(settings: ServiceSettings, kinds: Sequence[str]) -> Iterator[Context]:
    """Home, database, broker and objects, ready for the processes of the service.

    Args:
        settings: what to prepare.
        kinds: what is to run: ``worker``, ``schedule``; nobody else runs it in this home while this is open.

    Raises:
        SettingsError: something cannot be used, or another `tuban up` runs.
    """
    prepare_home(settings)
    with lock_home(settings.home.resolve(), kinds):
        context = Context.from_settings(settings)
        try:
            upgrade(context.database)
            check_broker(settings)
            context.objects.check()
            if context.database.sqlite and {"worker", "schedule"} <= set(kinds):
                _forget_the_dead(context)
            yield context
        finally:
            context.database.close()


def _forget_the_dead(context: Context) -> None:
    """The database is ours alone: whatever is said to run died with the machine, or with the last `tuban up`."""
    with context.database.write() as session:
        now = context.clock()
        expire_leases(session, "", now)
        remove_stale_processes(session, now)
        leader = session.get(ScheduleSlot, (LEADER, ""))
        if leader is not None:
            session.delete(leader)
