"""``tuban people``: manage the users of the pages from the server."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.administration.service import open_service
from cli.language import role_name, say
from cli.listing import Column, Field, JsonOption, Listing, column, print_listing
from errors import SettingsError
from service.home import served_pages_url
from store.access.api_keys import MAX_DAYS, add_key, revoke_keys
from store.access.audit_log import record_action
from store.access.rights import COMMAND
from store.access.sign_in_limits import forget_devices, unlock
from store.access.users import add_user, end_sessions, invite, order_roles, user_by_login, users_under
from store.schema.database import Session
from store.schema.user_tables import User

people_app = typer.Typer(
    name="people",
    help="Add and list users, and create the links with which they set their password.\n\n"
    "Administrators can do the same on the page People.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


PEOPLE = Listing(
    "people list",
    (
        Field("login", "text", "Sign-in name."),
        Field("name", "text", "Display name."),
        Field("roles", "list", "Roles, the highest first."),
        Field("code", "text", "Administrative code that the rights are limited to; empty: all."),
        Field("administrator", "boolean", "Whether the user may manage users, areas and layers."),
        Field("active", "boolean", "Whether the user may sign in."),
        Field("created_at", "moment", "When the user was added."),
        Field("signed_in_at", "moment", "Last sign-in.", optional=True),
    ),
    (
        column("sign-in name", "login"),
        column("name"),
        Column("role", lambda row: [role_name(role) for role in row["roles"]]),
        Column("code", lambda row: row["code"] or say("all", "cli.all")),
        Column("administrator", lambda row: say("yes", "cli.yes") if row["administrator"] else ""),
        Column("active", lambda row: say("yes", "cli.yes") if row["active"] else say("no", "cli.no")),
    ),
)


@people_app.command("list")
def list_people(json: JsonOption = False) -> None:
    """List all users."""
    with open_service() as context, context.database.read() as session:
        rows = [
            {
                "login": user.login,
                "name": user.name,
                "roles": [user.role, *user.other_roles],
                "code": user.code,
                "administrator": user.administrator,
                "active": user.active,
                "created_at": user.created_at,
                "signed_in_at": user.signed_in_at,
            }
            for user in users_under(session, COMMAND)
        ]
    print_listing(PEOPLE, rows, context.settings.zone, as_json=json)


@people_app.command("add")
def add(
    login: Annotated[str, typer.Argument(help="Sign-in name.")],
    role: Annotated[
        list[str], typer.Option(help="leader, village, township, county or city; repeat for several roles.")
    ],
    code: Annotated[
        str, typer.Option(help="Administrative code that the rights are limited to; empty: unrestricted.")
    ] = "",
    name: Annotated[str, typer.Option(help="Display name; default: the sign-in name.")] = "",
    administrator: Annotated[bool, typer.Option(help="May manage users and cameras under the code.")] = False,
) -> None:
    """Add a user and print the link with which they set their password (valid for three days).

    Example: tuban people add wang --role township --code 330199101 --name 王某
    """
    with open_service() as context, context.database.write() as session:
        now = context.clock()
        highest, *others = order_roles(role)
        user = add_user(
            session,
            login=login,
            name=name or login,
            role=highest,
            other_roles=others,
            code=code,
            administrator=administrator,
            now=now,
        )
        secret = invite(session, user.id, now)
        granted = {"role": highest, "other_roles": others, "code": code, "administrator": administrator}
        record_action(session, who="command", what="added_person", about=login, code=code, detail=granted, now=now)
        _print_link(served_pages_url(context.settings), secret)


@people_app.command("link")
def link(login: Annotated[str, typer.Argument(help="Sign-in name of the user.")]) -> None:
    """Print a new password link for a user. Using it ends all their sessions."""
    with open_service() as context, context.database.write() as session:
        user = _require_user(session, login)
        secret = invite(session, user.id, context.clock())
        record_action(session, who="command", what="invited", about=login, code=user.code, now=context.clock())
        _print_link(served_pages_url(context.settings), secret)


@people_app.command("token")
def token(
    login: Annotated[str, typer.Argument(help="Sign-in name of the user the program acts for.")],
    name: Annotated[str, typer.Option(help="Purpose of the key.")],
    days: Annotated[int, typer.Option(min=1, max=MAX_DAYS, help="Days until the key expires.")] = MAX_DAYS,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="read, upload, review, steps or administer; repeat for several. Default: read and upload."),
    ] = None,
) -> None:
    """Create an API key with which a program acts for a user. It is printed once and cannot be shown again."""
    scopes = scope or ["read", "upload"]
    with open_service() as context, context.database.write() as session:
        user = _require_user(session, login)
        key = add_key(session, user, name, context.clock(), days=days, scopes=scopes)
        record_action(
            session,
            who="command",
            what="made_token",
            about=login,
            code=user.code,
            detail={"scopes": scopes, "days": days},
            now=context.clock(),
        )
    typer.echo(key)


@people_app.command("stop")
def stop(login: Annotated[str, typer.Argument(help="Sign-in name of the user.")]) -> None:
    """Deactivate a user, end their sessions and revoke their API keys. Their actions stay in the logs."""
    with open_service() as context, context.database.write() as session:
        user = _require_user(session, login)
        user.active = False
        end_sessions(session, user.id)
        revoke_keys(session, user.id, context.clock())
        forget_devices(session, user.id)
        record_action(session, who="command", what="stopped_person", about=login, code=user.code, now=context.clock())


@people_app.command("unlock")
def unlock_person(login: Annotated[str, typer.Argument(help="Sign-in name that was entered.")]) -> None:
    """Forget failed sign-ins of a name, so that the next attempt is not delayed."""
    with open_service() as context, context.database.write() as session:
        count = unlock(session, login)
        user = user_by_login(session, login)
        code = user.code if user is not None else ""
        record_action(session, who="command", what="unlocked_person", about=login, code=code, now=context.clock())
    typer.echo(say(f"{count} failed attempts of {login} are forgotten.", "cli.unlocked", count=count, login=login))


def _require_user(session: Session, login: str) -> User:
    user = user_by_login(session, login)
    if user is None:
        raise SettingsError(
            f"There is no user {login!r}. `tuban people list` lists all users.", "cli.no_user", login=login
        )
    return user


def _print_link(pages_url: str, secret: str) -> None:
    typer.echo(f"{pages_url}/welcome/{secret}")
