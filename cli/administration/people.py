"""``tuban people``: who signs in to the pages, for the person who looks after the machine."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.administration.service import service
from errors import SettingsError
from store.access.audit_log import record_action
from store.access.rights import Viewer
from store.access.users import add_token, add_user, end_sessions, invite, user_by_login, users_under
from store.schema.user_tables import User

people_app = typer.Typer(
    name="people",
    help="Add people, list them, and make the links by which they set their password.\n\n"
    "The same is on the page People, for administrators.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

EVERYTHING = Viewer("command", "command", "city", "", True, 0)


@people_app.command("list")
def list_people() -> None:
    """List everybody."""
    table = Table("sign-in name", "name", "role", "code", "administrator", "active")
    with service() as context, context.database.read() as session:
        for person in users_under(session, EVERYTHING):
            flags = ("yes" if person.administrator else "", "yes" if person.active else "no")
            table.add_row(person.login, person.name, person.role, person.code or "all", *flags)
    Console(highlight=False).print(table)


@people_app.command("add")
def add(
    login: Annotated[str, typer.Argument(help="The name by which they sign in.")],
    role: Annotated[str, typer.Option(help="village, township, county or city.")],
    code: Annotated[str, typer.Option(help="Administrative code: rights on whatever lies under it; empty: all.")] = "",
    name: Annotated[str, typer.Option(help="For other people.")] = "",
    administrator: Annotated[bool, typer.Option(help="May manage people under the code.")] = False,
) -> None:
    """Add a person, and print the link by which they set their password (it works for three days)."""
    with service() as context, context.database.write() as session:
        now = context.clock()
        person = add_user(
            session, login=login, name=name or login, role=role, code=code, administrator=administrator, now=now
        )
        secret = invite(session, person.id, now)
        record_action(session, who="command", what="added_person", about=login, code=code, now=now)
        _print_link(context.settings.public_url, context.settings.web.port, secret)


@people_app.command("link")
def link(login: Annotated[str, typer.Argument(help="The person's sign-in name.")]) -> None:
    """Print a new link by which a person sets their password; they are signed out everywhere once it is used."""
    with service() as context, context.database.write() as session:
        person = _person(user_by_login(session, login), login)
        secret = invite(session, person.id, context.clock())
        record_action(session, who="command", what="invited", about=login, code=person.code, now=context.clock())
        _print_link(context.settings.public_url, context.settings.web.port, secret)


@people_app.command("token")
def token(
    login: Annotated[str, typer.Argument(help="For whom the program acts.")],
    name: Annotated[str, typer.Option(help="What the key is for.")],
    days: Annotated[int, typer.Option(min=1, help="How long it works.")] = 365,
) -> None:
    """Make a key by which a program acts for a person; it is printed once."""
    with service() as context, context.database.write() as session:
        person = _person(user_by_login(session, login), login)
        key = add_token(session, person.id, name, context.clock(), days)
        record_action(session, who="command", what="made_token", about=login, code=person.code, now=context.clock())
    typer.echo(key)


@people_app.command("stop")
def stop(login: Annotated[str, typer.Argument(help="The person's sign-in name.")]) -> None:
    """Let a person no longer sign in; what they did stays in the logs."""
    with service() as context, context.database.write() as session:
        person = _person(user_by_login(session, login), login)
        person.active = False
        end_sessions(session, person.id)
        record_action(session, who="command", what="stopped_person", about=login, code=person.code, now=context.clock())


def _person(found: User | None, login: str) -> User:
    if found is None:
        raise SettingsError(f"Nobody has the sign-in name {login!r}; `tuban people list` lists everybody.")
    return found


def _print_link(public_url: str, port: int, secret: str) -> None:
    typer.echo(f"{public_url.rstrip('/') or f'http://127.0.0.1:{port}'}/welcome/{secret}")
