"""``tuban queue`` and ``tuban deliveries``: read the enforcement queue, and manage pending deliveries."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from cli.administration.jobs import ago
from cli.administration.service import open_service
from cli.language import say, term
from cli.listing import Column, Field, JsonOption, Listing, column, print_listing
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
    json: JsonOption = False,
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
        _list(numbers, limit, json)
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


DELIVERIES = Listing(
    "deliveries",
    (
        Field("id", "integer", "Number of the delivery."),
        Field("alert", "text", "Number of the alert."),
        Field("event_id", "text", "Id of the event."),
        Field("event_type", "text", "Type of the event, like tuban.alert.found."),
        Field("sequence", "integer", "Number of the event within the alert."),
        Field("target", "text", "queue, drop, or hook with its address without secrets."),
        Field("state", "text", "waiting or dead."),
        Field("attempts", "integer", "Number of attempts."),
        Field("next_at", "moment", "Next attempt of a waiting delivery."),
        Field("error", "text", "Error of the last attempt."),
        Field("created_at", "moment", "When the event occurred."),
    ),
    (
        column("delivery", "id"),
        column("alert"),
        Column("event", lambda row: f"{row['event_type'].removeprefix('tuban.alert.')} {row['sequence']}"),
        column("target"),
        Column("state", lambda row: term("job", row["state"])),
        column("attempts"),
        column("next"),
        column("error"),
    ),
)


def _list(numbers: list[int] | None, limit: int, as_json: bool) -> None:
    with open_service() as context:
        now = context.clock()
        with context.database.read() as session:
            listed = list_deliveries(session, limit=limit if numbers is None else 1_000_000)
    rows = [
        {
            "id": delivery.id,
            "alert": number,
            "event_id": delivery.event_id,
            "event_type": delivery.event["type"],
            "sequence": delivery.sequence,
            "target": shown_target(delivery.target),
            "state": delivery.state,
            "attempts": delivery.attempts,
            "next_at": delivery.next_at,
            "error": delivery.error,
            "created_at": delivery.created_at,
            "next": ago(delivery.next_at, now) if delivery.state == "waiting" else "",  # only in the table
        }
        for delivery, number in listed
        if numbers is None or delivery.id in numbers
    ]
    none = say("No waiting or dead deliveries.", "cli.no_deliveries")
    print_listing(DELIVERIES, rows, context.settings.zone, as_json=as_json, if_empty=none)
