"""Administration of receiving bodies: the list, a form for each, its users, and the log of their reads."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response

from enforcement.change_types import KINDS
from enforcement.sharing.blacklist_files import csv_text
from enforcement.sharing.fields import DEFAULT_FIELDS, FIELDS
from enforcement.sharing.matters import BODY_KINDS, DETERMINATIONS, LANDS
from enforcement.states import read_states
from enforcement.units import MU_M2
from errors import SettingsError
from service.sharing.jobs import add_write_job
from store.access.rights import Viewer, may_see
from store.alerts.outbox import announce_shares
from store.schema.chain.sharing_tables import BodyRow
from store.schema.database import Session
from store.sharing.access_log import last_reads, list_reads
from store.sharing.bodies import body_by_key, members_of, save_body, set_member, visible_bodies
from store.sharing.shares import apply_rules_to_all
from web.auth.audit_log import log_action
from web.auth.authentication import Administrator, Service
from web.http_errors import InvalidInput, NotFound
from web.page import language_of, page
from web.row_ids import Id

router = APIRouter(include_in_schema=False, prefix="/sharing")

Key = Annotated[str, Form(pattern="^[a-z0-9][a-z0-9-]{1,39}$")]
Names = Annotated[list[str], Form()]
READS = 100
MOST_READS = 50_000


@router.get("")
def bodies_page(
    request: Request, context: Service, viewer: Administrator, body: Annotated[str, Query(max_length=40)] = ""
) -> HTMLResponse:
    """Render the receiving bodies of the administrator's area and the form of one (``body``: its key)."""
    with context.database.read() as session:
        bodies = visible_bodies(session, viewer)
        members = members_of(session, [each.id for each in bodies])
        reads = last_reads(session, [each.id for each in bodies])
    chosen = next((each for each in bodies if each.key == body), None)
    return page(
        request,
        "sharing.html",
        bodies=bodies,
        chosen=chosen,
        members=members,
        reads=reads,
        kinds=BODY_KINDS,
        alert_kinds=KINDS,
        states=list(read_states().states),
        determinations=DETERMINATIONS,
        lands=LANDS,
        fields=FIELDS,
        default_fields=DEFAULT_FIELDS,
        mu_m2=MU_M2,
        hooks={hook.body for hook in context.settings.delivery.body_hooks},
    )


@router.post("")
def save(
    request: Request,
    context: Service,
    viewer: Administrator,
    key: Key,
    name: Annotated[str, Form(max_length=200)],
    kind: Annotated[str, Form(max_length=20)],
    code: Annotated[str, Form(max_length=12, pattern="^[0-9]*$")] = "",
    contact: Annotated[str, Form(max_length=300)] = "",
    kinds: Names = [],  # noqa: B006  (FastAPI copies it)
    states: Names = [],  # noqa: B006
    determinations: Names = [],  # noqa: B006
    fields: Names = [],  # noqa: B006
    land: Annotated[str, Form(max_length=20)] = "",
    least_mu: Annotated[float, Form(ge=0, le=1e6)] = 0,
    cases_only: Annotated[bool, Form()] = False,
    by_rule: Annotated[bool, Form()] = False,
    active: Annotated[bool, Form()] = False,
) -> Response:
    """Add a body or change it; its rule is applied to all alerts at once."""
    matters = {
        "kinds": kinds,
        "states": states,
        "determinations": determinations,
        "land": land,
        "min_land_m2": round(least_mu * MU_M2, 2),
        "cases_only": cases_only,
    }
    now = context.clock()
    with context.database.write() as session:
        existing = body_by_key(session, key)
        if not may_see(viewer, code) or (existing is not None and not may_see(viewer, existing.code)):
            raise NotFound
        try:
            row = save_body(
                session, key=key, name=name, kind=kind, code=code, matters=matters, fields=fields, by_rule=by_rule,
                contact=contact, active=active, who=viewer.login, now=now,
            )  # fmt: skip
        except SettingsError as error:
            raise InvalidInput(error.reason) from None
        changes = apply_rules_to_all(session, now, row)
        announce_shares(session, changes, context.settings, now)
        add_write_job(session, f"body {row.id} {now.isoformat()}", now)
        detail = {"matters": row.matters, "fields": row.fields, "active": row.active, "by_rule": row.by_rule}
        log_action(request, session, viewer, "saved_body", about=row.key, code=row.code, detail=detail)
    return Response(status_code=204, headers={"HX-Redirect": f"{context.settings.path_prefix}/sharing"})


@router.post("/{key}/members")
def add_member(
    request: Request, context: Service, viewer: Administrator, key: str, login: Annotated[str, Form(max_length=100)]
) -> Response:
    """Let a user with the role of a receiving body act for this one."""
    with context.database.write() as session:
        row = _body(session, viewer, key)
        try:
            user = set_member(session, row, login)
        except SettingsError as error:
            raise InvalidInput(error.reason) from None
        if not may_see(viewer, user.code):
            raise NotFound
        log_action(request, session, viewer, "added_member", about=row.key, code=row.code, detail={"login": user.login})
    return Response(status_code=204, headers={"HX-Redirect": f"{context.settings.path_prefix}/sharing?body={key}"})


@router.get("/reads")
def reads_page(
    request: Request,
    context: Service,
    viewer: Administrator,
    body: Annotated[str, Query(max_length=40)] = "",
    before: Annotated[Id | None, Query()] = None,
) -> HTMLResponse:
    """Render the log of reads, newest first."""
    with context.database.read() as session:
        body_id = _body(session, viewer, body).id if body else None
        rows = list_reads(session, viewer, body_id=body_id, before_id=before, limit=READS + 1)
    more = rows[READS - 1][0].id if len(rows) > READS else None
    return page(request, "sharing_reads.html", rows=rows[:READS], body=body, more=more)


@router.get("/reads.csv")
def reads_file(request: Request, context: Service, viewer: Administrator) -> Response:
    """Return the log of reads as CSV."""
    column = 0 if language_of(request) == "zh" else 1
    headings = (("时间", "共享单位", "账户", "方式", "内容", "行数", "地址"),
                ("Time", "Body", "User", "Way", "What", "Rows", "Address"))[column]  # fmt: skip
    with context.database.write() as session:
        rows = [
            (read.at.astimezone(context.settings.zone).isoformat(timespec="seconds"), body.name, read.who,
             read.channel, read.what, read.rows, read.address)
            for read, body in list_reads(session, viewer, limit=MOST_READS)
        ]  # fmt: skip
        log_action(request, session, viewer, "exported", about="share reads", detail={"rows": len(rows)})
    headers = {"content-disposition": 'attachment; filename="reads.csv"'}
    return Response(csv_text(headings, rows).encode(), media_type="text/csv; charset=utf-8", headers=headers)


def _body(session: Session, viewer: Viewer, key: str) -> BodyRow:
    row = body_by_key(session, key)
    if row is None or not may_see(viewer, row.code):
        raise NotFound
    return row
