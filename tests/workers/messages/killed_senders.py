"""Kill workers while messages go out, and verify that each person got each text: none lost, few of them twice.

A long run: ``python -m tests.workers.messages.killed_senders --people 500 --kills 12`` (``--database``: an empty one
with PostGIS; ``--broker redis``). A killed worker was sending at most one text, which is sent again.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from configs.service import ServiceSettings
from service.broker import check_broker
from service.context import Context
from service.home import prepare_home
from store.access.users import add_user
from store.messages.preferences import Preferences, save_preferences
from store.messages.writing import add_collection, write_message
from store.schema.chain.message_tables import MessageRow, SendingRow
from store.schema.migrate import upgrade
from tests.brokers import OwnRedis
from tests.workers.messages.servers import LOOPBACK, MailServer, mail_server
from tests.workers.runtime.own_process import OwnProcess, environment_of
from workers.runtime.reaper import reap

WORKERS = 2
_QUEUES = ("--queues", "deliver", "--processes", "1")


@dataclass
class Outcome:
    """What arrived: ``kills`` workers were killed, ``twice`` texts arrived twice, in ``seconds``."""

    people: int
    kills: int
    twice: int
    seconds: float


@contextmanager
def prepared(folder: Path, mail: MailServer, people: int, broker: str, database: str) -> Iterator[Context]:
    """A service with one message to each of several people."""
    settings = ServiceSettings.model_validate(
        {
            "home": folder / "home",
            "broker": broker,
            "database": database,
            "jobs": {"lease_seconds": 2, "heartbeat_seconds": 0.5, "attempts": 50, "retry_seconds": [0.2, 1]},
            "limits": {"free_disk_mib": 0},
            "delivery": {"allowed_hosts": LOOPBACK, "queue": ""},
            "notices": {
                "mail": {
                    "host": "127.0.0.1",
                    "port": mail.port,
                    "security": "none",
                    "sender": "tuban@bureau.example",
                    "recipients": ["duty@bureau.example"],
                }
            },
        }
    )
    prepare_home(settings)
    context = Context.from_settings(settings)
    upgrade(context.database)
    check_broker(settings)
    now = context.clock()
    with context.database.write() as session:
        for number in range(people):
            person = add_user(session, login=f"p{number}", name="", role="village", code=f"330106{number:06d}", now=now)
            address = f"p{number}@bureau.example"
            # quiet hours in the past, so that those of the bureau do not apply at night
            begin = (now.astimezone(settings.zone) - dt.timedelta(hours=3)).strftime("%H:%M")
            end = (now.astimezone(settings.zone) - dt.timedelta(hours=2)).strftime("%H:%M")
            save_preferences(session, person.id, Preferences(email=address, quiet_from=begin, quiet_to=end), now)
            write_message(session, [person], "tip_assigned", event="e", now=now, content={"tip": number}, waits=True)
            add_collection(session, person.id, now, at=now, digest=True)
    yield context
    context.database.close()


def run(context: Context, mail: MailServer, people: int, kills: int, seconds: float, seed: int = 1) -> Outcome:
    """Send all messages while workers are killed.

    Raises:
        AssertionError: a message was lost, or more texts arrived twice than workers were killed.
    """
    rng, killed, started = random.Random(seed), 0, time.monotonic()
    thresholds = [people * (number + 1) // (kills + 1) for number in range(kills)]
    with ExitStack() as stack:
        environment = environment_of(context.settings)
        workers = [
            stack.enter_context(OwnProcess(environment, "workers.runtime.worker", _QUEUES)) for _ in range(WORKERS)
        ]
        reaped = 0.0
        while _unsettled(context, people):
            assert time.monotonic() - started < seconds, f"{len(mail.received)} of {people} after {seconds} s"
            if killed < kills and len(mail.received) >= thresholds[killed]:
                rng.choice(workers).kill(rng)
                killed += 1
            for worker in workers:
                worker.restart_if_ended()
            if time.monotonic() - reaped > 0.5:
                reap(context)
                reaped = time.monotonic()
            time.sleep(0.02)
    arrived = Counter(recipient for recipient, *_ in mail.received)
    assert arrived.keys() == {f"p{number}@bureau.example" for number in range(people)}
    by_id = Counter(message_id for _, message_id, *_ in mail.received)
    twice = sum(count - 1 for count in by_id.values())
    assert len(by_id) == people  # a repeated text has the id of the first
    assert twice <= killed, by_id.most_common(3)
    return Outcome(people, killed, twice, time.monotonic() - started)


def _unsettled(context: Context, people: int) -> bool:
    with context.database.read() as session:
        accepted = select(func.count()).select_from(SendingRow).where(SendingRow.state == "accepted")
        open_messages = select(func.count()).select_from(MessageRow).where(MessageRow.collected_at.is_(None))
        return session.scalar(accepted) != people or session.scalar(open_messages) != 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.workers.messages.killed_senders", description=__doc__)
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--broker", choices=("files", "redis"), default="files")
    parser.add_argument("--database", default="", help='"": SQLite; or an empty one with PostGIS')
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mail = stack.enter_context(mail_server())
        broker = ""
        if options.broker == "redis":
            redis = OwnRedis()
            stack.callback(redis.stop)
            broker = redis.url
        context = stack.enter_context(prepared(folder, mail, options.people, broker, options.database))
        print(run(context, mail, options.people, options.kills, 1800))


if __name__ == "__main__":
    main()
