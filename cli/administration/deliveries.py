"""``tuban queue`` and ``tuban deliveries``: read the enforcement queue, and manage pending deliveries."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from cli.administration.jobs import ago
from cli.administration.service import open_service
from cli.language import headed, say, term
from configs.service import read_service
from errors import SettingsError
from store.alerts.outbox import UNSETTLED, drop, find_deliveries, list_deliveries, revive
from store.views.statistics import shown_target
from workers.delivery.alert_queue import read_queue


def queue(
    take: Annotated[
        bool, typer.Option("--take/--peek", help="Remove the messages from the queue, or leave them in it.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of messages, oldest first.")] = 10,
) -> None:
    """Print the messages of the enforcement queue as JSON (CloudEvents 1.0), one per line.

    With --take, a message is removed after it was printed. A broker is required; without one, events are files in the
    drop folder.

    Example: tuban queue --limit 1
    """
    for message in read_queue(read_service(), remove=take, limit=limit):
        sys.stdout.buffer.write(message + b"\n")
        sys.stdout.buffer.flush()


def deliveries(
    numbers: Annotated[
        list[int] | None, typer.Argument(help="Numbers of deliveries; without --revive or --drop they are listed.")
    ] = None,
    retry: Annotated[bool, typer.Option("--revive", help="Retry dead deliveries now.")] = False,
    discard: Annotated[
        bool, typer.Option("--drop", help="Discard deliveries, so that later events of the same alert are sent.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="With --revive: every dead delivery.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of listed deliveries, oldest first.")] = 50,
) -> None:
    """List waiting and dead deliveries; retry (--revive) or discard (--drop) them.

    A target receives the events of one alert in order. Events after a dead one wait until it is revived or dropped.

    Example: tuban deliveries --revive --all
    """
    if retry and discard:
        raise SettingsError("--revive and --drop exclude each other. Give one of them.", "cli.revive_or_drop")
    if every and (numbers or not retry):
        raise SettingsError("--all requires --revive and replaces the numbers.", "cli.all_revives")
    if not (retry or discard):
        _list(numbers, limit)
    elif numbers or every:
        _settle(numbers, retry=retry)
    else:
        raise SettingsError(
            "Give the numbers of the deliveries, as listed by `tuban deliveries`, or --revive --all.",
            "cli.which_deliveries",
        )


def _settle(numbers: list[int] | None, *, retry: bool) -> None:
    """Retry or discard deliveries; without numbers, all dead ones.

    Raises:
        SettingsError: some of them are not in a state for that; the others are done.
    """
    action = revive if retry else drop
    with open_service() as context, context.database.write() as session:
        unsettled = set(find_deliveries(session, states=UNSETTLED))
        requested = numbers or find_deliveries(session, states=("dead",))
        rejected = [one for one in requested if one not in unsettled or not action(session, one, context.clock())]
    console = Console(highlight=False, soft_wrap=True)
    count = len(requested) - len(rejected)
    revived, dropped = (
        say(f"{count} revived.", "cli.revived", count=count),
        say(f"{count} dropped.", "cli.dropped", count=count),
    )
    console.print(revived if retry else dropped)
    if rejected:
        listed = ", ".join(map(str, rejected))
        reason = "not dead, or no such delivery" if retry else "already delivered or dropped, or no such delivery"
        raise SettingsError(
            f"{listed}: {reason}. `tuban deliveries` lists waiting and dead deliveries.",
            "cli.not_settled",
            numbers=listed,
        )


def _list(numbers: list[int] | None, limit: int) -> None:
    with open_service() as context:
        now = context.clock()
        with context.database.read() as session:
            listed = list_deliveries(session, limit=limit if numbers is None else 1_000_000)
    table = headed("delivery", "alert", "event", "target", "state", "attempts", "next", "error")
    for delivery, number in listed:
        if numbers is not None and delivery.id not in numbers:
            continue
        cells = (
            str(delivery.id),
            number,
            f"{delivery.event['type'].removeprefix('tuban.alert.')} {delivery.sequence}",
            shown_target(delivery.target),
            term("job", delivery.state),
            str(delivery.attempts),
            ago(delivery.next_at, now) if delivery.state == "waiting" else "",
            delivery.error,
        )
        table.add_row(*map(Text, cells))  # plain text: a target's error message may contain brackets
    console = Console(highlight=False)
    console.print(table if table.row_count else say("No waiting or dead deliveries.", "cli.no_deliveries"))
