"""``tuban queue`` and ``tuban deliveries``: what reached the enforcement queue, and what waits to reach a target."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.administration.jobs import ago
from cli.administration.service import service
from configs.service import read_service
from errors import SettingsError
from service.publishing import publishing
from store.alerts.outbox import UNSETTLED, drop, find_deliveries, list_deliveries, revive
from store.views.statistics import shown_target
from workers.delivery.alert_queue import read_queue


def queue(
    take: Annotated[
        bool, typer.Option("--take/--peek", help="Take the messages out of the queue, or leave them there.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, the oldest first.")] = 10,
) -> None:
    """Print the messages of the enforcement queue, one JSON text (CloudEvents 1.0) a line.

    A message is taken only once it was printed. Needs a broker; without one, events are files in the drop folder.
    """
    for message in read_queue(read_service(), take=take, limit=limit):
        sys.stdout.buffer.write(message + b"\n")
        sys.stdout.buffer.flush()


def deliveries(
    numbers: Annotated[
        list[int] | None, typer.Argument(help="Deliveries to revive or drop; without both, they are listed.")
    ] = None,
    again: Annotated[bool, typer.Option("--revive", help="Send dead ones again, at once.")] = False,
    gone: Annotated[
        bool, typer.Option("--drop", help="Give them up, so that later events of the same alert go on.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="With --revive: every dead delivery.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="List at most this many, the oldest first.")] = 50,
) -> None:
    """List deliveries that wait or are dead; revive or drop them.

    Events of one alert reach a target in their order, so those after a dead one wait until it is revived or dropped.
    """
    if again and gone:
        raise SettingsError("Give --revive or --drop, not both.")
    if every and (numbers or not again):
        raise SettingsError("--all goes with --revive, and instead of numbers.")
    if not (again or gone):
        _list(numbers, limit)
    elif numbers or every:
        _settle(numbers, again)
    else:
        raise SettingsError("Name the deliveries as `tuban deliveries` lists them, or give --revive --all.")


def _settle(numbers: list[int] | None, again: bool) -> None:
    act = revive if again else drop
    with service() as context, publishing(context.database, context.settings) as session:
        known = set(find_deliveries(session, states=UNSETTLED))
        wanted = numbers or find_deliveries(session, states=("dead",))
        refused = [one for one in wanted if one not in known or not act(session, one, context.clock())]
    words = Console(highlight=False, soft_wrap=True)
    words.print(f"{len(wanted) - len(refused)} {'revived' if again else 'dropped'}.")
    if refused:
        listed = ", ".join(map(str, refused))
        wrong = "not dead, or no delivery at all" if again else "already delivered or dropped, or no delivery at all"
        raise SettingsError(f"{listed}: {wrong}. `tuban deliveries` lists what waits and what is dead.")


def _list(numbers: list[int] | None, limit: int) -> None:
    with service() as context:
        now = context.clock()
        with context.database.read() as session:
            found = list_deliveries(session, limit=limit if numbers is None else 1_000_000)
    table = Table("delivery", "alert", "event", "target", "state", "attempts", "next", "error")
    for delivery, number in found:
        if numbers is not None and delivery.id not in numbers:
            continue
        told = (
            str(delivery.id),
            number,
            f"{delivery.event['type'].removeprefix('tuban.alert.')} {delivery.sequence}",
            shown_target(delivery.target),
            delivery.state,
            str(delivery.attempts),
            ago(delivery.next_at, now) if delivery.state == "waiting" else "",
            delivery.error,
        )
        table.add_row(*map(Text, told))  # what a target answered is no markup
    words = Console(highlight=False)
    words.print(table if table.row_count else "No deliveries wait, and none are dead.")
