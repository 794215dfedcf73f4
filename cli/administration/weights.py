"""``tuban weights``: versions of own weights, and which of them the service uses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.administration.service import open_service
from cli.language import head, say
from cli.listing import Column, Field, JsonOption, Listing, column, print_listing
from cli.progress import scan_progress
from errors import SettingsError
from service.installed_weights import shipped_weights
from service.weights.administration import WorseWeights, add_file, use_previous, use_version
from service.weights.comparison import Comparison
from store.weights.own_weights import SHIPPED, all_weights, uses, weights_in_use

weights_app = typer.Typer(
    name="weights",
    help="List, add and use weights that were trained on own reviews.\n\n"
    "They are kept in database and object store, so they are in backups and survive upgrades.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

WHO = "command"


WEIGHTS = Listing(
    "weights list",
    (
        Field("version", "text", "Version number, or shipped."),
        Field("name", "text", "Name."),
        Field("sha256", "text", "Checksum; empty for the shipped weights."),
        Field("added_at", "moment", "When they were added.", optional=True),
        Field("added_by", "text", "By whom."),
        Field("in_use", "boolean", "Whether the service uses them."),
        Field("comparison", "object", "Last comparison with the weights used before.", optional=True),
    ),
    (
        column("version"),
        column("name"),
        Column("sha256", lambda row: row["sha256"][:12]),
        Column("added", lambda row: f"{row['added_at']:%Y-%m-%d} {row['added_by']}" if row["added_at"] else ""),
        Column("in use", lambda row: say("yes", "cli.yes") if row["in_use"] else ""),
        Column(
            "compared with those used before",
            lambda row: "" if row["comparison"] is None else _describe(row["comparison"]),
        ),
    ),
)


@weights_app.command("list")
def list_weights(
    card: Annotated[int | None, typer.Option(help="Print the model card of this version instead.")] = None,
    json: JsonOption = False,
) -> None:
    """List the shipped weights and all own versions, with their last comparison to the weights used before.

    Exit codes: 0 listed, 2 there is no such version or no database.
    """
    console = Console(highlight=False, soft_wrap=True)
    with open_service() as context, context.database.read() as session:
        rows, log, current = all_weights(session), uses(session), weights_in_use(session)
        zone = context.settings.zone
    if card is not None:
        found = next((row for row in rows if row.id == card), None)
        if found is None:
            message = f"There is no version {card}; `tuban weights list` lists all."
            raise SettingsError(message, "weights.unknown", version=card)
        without = say("This version was added without a model card.", "cli.weights_no_card")
        console.print(found.card or without, markup=False)
        return
    in_use = None if current is None else current.id
    listed: list[dict[str, Any]] = [
        {
            "version": SHIPPED,
            "name": shipped_weights().name,
            "sha256": "",
            "added_at": None,
            "added_by": "",
            "in_use": in_use is None,
            "comparison": None,
        }
    ]
    for row in rows:
        last = next((use for use in log if use.weights_id == row.id and use.comparison.get("rendered")), None)
        listed.append(
            {
                "version": str(row.id),
                "name": row.name,
                "sha256": row.sha256,
                "added_at": row.added_at.astimezone(zone),
                "added_by": row.added_by,
                "in_use": row.id == in_use,
                "comparison": None if last is None else last.comparison,
            }
        )
    print_listing(WEIGHTS, listed, zone, as_json=json)


@weights_app.command("add")
def add(
    file: Annotated[Path, typer.Argument(help="NAME.safetensors in the folder that `tuban export` wrote.")],
) -> None:
    """Add weights with their card as a new version. They are not used yet.

    Example: tuban weights add weights/own.safetensors

    Exit codes: 0 added, 2 no weights file, or added before; see the message.
    """
    with open_service() as context:
        version = add_file(context, file, WHO)
    text = f"{file.name} is version {version}. `tuban weights use {version}` compares it with the weights in use."
    added = say(text, "cli.weights_added", file=file.name, version=version)
    Console(highlight=False, soft_wrap=True).print(added, markup=False)


@weights_app.command("use")
def use(
    version: Annotated[str, typer.Argument(help="Version number, or `shipped`.")],
    force: Annotated[bool, typer.Option("--force", help="Use them although they are worse.")] = False,
) -> None:
    """Compare a version with the weights in use on held-back reviews and rendered pairs, and use it unless it is worse.

    Running workers load it for their next scan; scans that have begun finish with the former weights.

    Exit codes: 0 in use, 2 they are worse and --force was not given, or there is no such version.
    """
    number = _parse(version)
    console = Console(highlight=False, soft_wrap=True)
    with open_service() as context:
        try:
            with scan_progress() as progress:
                comparison = use_version(context, number, WHO, force=force, progress=progress)
        except WorseWeights as refused:
            _print(console, refused.comparison)
            raise
    _print(console, comparison)
    for sentence in comparison.worse:
        console.print(say(f"Worse: {sentence}.", "cli.weights_worse", what=sentence), markup=False)
    console.print(_in_use(number), markup=False)


@weights_app.command("back")
def back() -> None:
    """Return to the weights that were used before those in use, without a comparison.

    Exit codes: 0 returned, 2 no others were used before.
    """
    with open_service() as context:
        version = use_previous(context, WHO)
    Console(highlight=False, soft_wrap=True).print(_in_use(version), markup=False)


def _parse(version: str) -> int | None:
    if version == SHIPPED:
        return None
    if not (version.isascii() and version.isdigit()):
        message = f"The version is {version!r}; expected a number of `tuban weights list`, or {SHIPPED}."
        raise SettingsError(message, "weights.number", version=version, shipped=SHIPPED)
    return int(version)


def _in_use(version: int | None) -> str:
    if version is None:
        return say(f"In use now: the {SHIPPED} weights.", "cli.weights_shipped_used")
    return say(f"In use now: version {version}.", "cli.weights_used", version=version)


def _print(console: Console, comparison: Comparison) -> None:
    table = Table(
        head("measured on"),
        say(f"in use: {comparison.old}", "cli.weights_old", name=comparison.old),
        say(f"new: {comparison.new}", "cli.weights_new", name=comparison.new),
    )
    for output, (old, new) in comparison.rendered.items():
        label = say(f"rendered pairs, {output}, pixel F1", "cli.weights_rendered", output=output)
        table.add_row(label, f"{old:.3f}", f"{new:.3f}")
    reviews = comparison.reviews
    if reviews.alerts:
        text = f"{reviews.alerts} held-back reviews, judged as by the reviewers"
        measured = say(text, "cli.weights_reviews", alerts=reviews.alerts)
        table.add_row(measured, str(reviews.old), str(reviews.new))
    console.print(table)
    if not reviews.alerts:
        text = "No reviewed alert is held back yet, so only rendered pairs were compared."
        console.print(say(text, "cli.weights_no_reviews"))


def _describe(comparison: dict[str, object]) -> str:
    rendered = comparison.get("rendered")
    parts = []
    if isinstance(rendered, dict):
        parts = [f"{output} F1 {old:.3f} → {new:.3f}" for output, (old, new) in rendered.items()]
    reviews = comparison.get("reviews")
    if isinstance(reviews, dict) and (reviews["confirmed"] + reviews["rejected"]):
        parts.append(f"reviews {reviews['old']} → {reviews['new']} of {reviews['confirmed'] + reviews['rejected']}")
    return ", ".join(parts)
