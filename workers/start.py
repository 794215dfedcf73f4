"""What must hold before the service starts: each thing that does not is one clear line, and nothing is started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from configs.service import ServiceSettings
from store.lost_jobs import end_leases
from store.migrate import upgrade
from store.processes import forget_silent
from store.tables import Tick
from store.ticks import LEADER
from workers.broker import check_broker
from workers.context import Context
from workers.home import prepare_home
from workers.instance import alone_in


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
    with alone_in(settings.home.resolve(), kinds):
        context = Context.of(settings)
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
        end_leases(session, "", now)
        forget_silent(session, now)
        leader = session.get(Tick, (LEADER, ""))
        if leader is not None:
            session.delete(leader)
