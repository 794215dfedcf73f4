"""The public form: report a suspected change without signing in, add attachments, and ask for the state.

It exists only while the setting ``public.form`` is on; otherwise its addresses are not found.
"""

from __future__ import annotations

import threading
from typing import Annotated

import shapely
from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse
from pydantic import ConfigDict, Field, SecretStr

from configs.texts import text
from enforcement.chain_settings import ChainValues
from enforcement.tips.tip_settings import read_tip_settings
from errors import TubanError
from service.context import Context
from store.access.audit_log import record_action
from store.chain_settings import read_chain_values
from store.evidence.evidence_files import files_of_owner
from store.scenes.scenes import smallest_area_at
from store.schema.chain.tip_tables import TipRow
from store.tips.informant_key import Informant, informant_key, signing_key
from store.tips.public_reports import (
    TooManyReports,
    asked_report,
    count_attempt,
    hash_code,
    public_area,
    report_by_code,
)
from store.tips.tip_steps import NewTip, add_tip, steps_of_tip
from web.auth.authentication import Service, client_address, same_origin
from web.http_errors import Conflict, HttpError, InvalidInput, NotFound
from web.maps.coordinates import CoordinateError, parse_coordinates
from web.page import language_of, localized, page
from web.plain_text import Plain, PlainModel
from web.public_form_tokens import new_token, read_ticket, read_token, upload_ticket
from web.tips.tip_file_routes import KIND, keep_upload

router = APIRouter(include_in_schema=False)

_CHECKS = threading.BoundedSemaphore(2)
"""Limit of attachments checked at a time: each needs a process."""


class ReportForm(PlainModel):
    """Fields of the form; ``website`` is hidden from people, so that only programs fill it in."""

    model_config = ConfigDict(extra="ignore")

    token: Annotated[str, Field(max_length=200)] = ""
    summary: Annotated[str, Field(max_length=6000)] = ""
    place: Annotated[str, Field(max_length=500)] = ""
    coordinates: Annotated[str, Field(max_length=200)] = ""
    happened: Annotated[str, Field(max_length=100)] = ""
    reported_party: Annotated[str, Field(max_length=300)] = ""
    name: Annotated[SecretStr, Field(max_length=100)] = SecretStr("")
    phone: Annotated[SecretStr, Field(max_length=50)] = SecretStr("")
    website: Annotated[str, Field(max_length=200)] = ""

    def informant(self) -> Informant:
        """Return the informant; nothing is required."""
        return Informant(self.name.get_secret_value().strip(), self.phone.get_secret_value().strip())

    def typed(self) -> dict[str, str]:
        """Return what was typed, to show it again in the form of the same browser."""
        return self.model_dump() | {"name": self.name.get_secret_value(), "phone": self.phone.get_secret_value()}


@router.get("/report")
def report_page(request: Request, context: Service) -> HTMLResponse:
    """Render the empty form."""
    return _form(request, context, _values(context), ReportForm())


@router.post("/report")
def report(request: Request, context: Service, form: Annotated[ReportForm, Form()]) -> HTMLResponse:
    """Register a report, and render its receipt; on a fault the form again, with what was typed."""
    values = _values(context)
    try:
        tip, code, new = _register(request, context, values, form)
    except (HttpError, TubanError) as error:
        status = error.status if isinstance(error, HttpError) else 429 if isinstance(error, TooManyReports) else 422
        message = error.message if isinstance(error, HttpError) else error.reason
        return _form(request, context, values, form, status, message)
    ticket = upload_ticket(signing_key(context.settings), tip.id, context.clock().timestamp())
    return _receipt(request, context, values, tip, code, ticket, new=new)


@router.post("/report/files/{ticket}")
def add_report_file(
    request: Request,
    context: Service,
    ticket: str,
    file: Annotated[UploadFile, File()],
    code: Annotated[str, Form(max_length=20), Plain] = "",
) -> HTMLResponse:
    """Add an attachment to a report; it stays in quarantine until a user has released it."""
    values = _values(context)
    tip_id = read_ticket(signing_key(context.settings), ticket, context.clock().timestamp())
    if tip_id is None:
        raise NotFound
    with context.database.read() as session:
        tip = session.get(TipRow, tip_id)
    if tip is None or tip.code_sha256 != hash_code(code):
        raise NotFound
    fault: str = ""
    if not _CHECKS.acquire(timeout=20):
        raise Conflict("reporting.busy")
    try:
        most = values.whole("public.file_mib") * 2**20
        keep_upload(request, context, file, tip.id, most_bytes=most, most_files=values.whole("public.files"), who=None)
    except (Conflict, TubanError) as error:
        fault = error.message if isinstance(error, Conflict) else error.reason
    finally:
        _CHECKS.release()
    return _receipt(request, context, values, tip, code, ticket, new=False, fault=fault)


@router.post("/report/state")
def report_state(
    request: Request,
    context: Service,
    number: Annotated[str, Form(max_length=40), Plain] = "",
    code: Annotated[str, Form(max_length=20), Plain] = "",
) -> HTMLResponse:
    """Render the state of a report, for who has its receipt number and code."""
    values = _values(context)
    key = signing_key(context.settings)
    try:
        with context.database.write() as session:
            count_attempt(session, "ask", client_address(request), key, values, context.clock())
            tip = asked_report(session, number, code)
            steps = steps_of_tip(session, tip.id) if tip is not None else []
    except TooManyReports as error:
        return _form(request, context, values, ReportForm(), 429, error.reason)
    if tip is None:
        return _form(request, context, values, ReportForm(), 404, "reporting.unknown")
    answer = next((entry.note for entry in reversed(steps) if entry.what == "answer"), "")
    response = page(request, "report_state.html", tip=tip, answer=answer, table=read_tip_settings())
    response.headers["cache-control"] = "no-store"
    return response


def _register(request: Request, context: Context, values: ChainValues, form: ReportForm) -> tuple[TipRow, str, bool]:
    """Register a report; return it with its code, and whether it is new."""
    now, key = context.clock(), signing_key(context.settings)
    token = read_token(key, form.token, now.timestamp())
    if token is None or not same_origin(request):
        raise InvalidInput("reporting.expired")
    if form.website:
        raise InvalidInput("reporting.robot")
    if token.age < values.whole("public.least_seconds"):
        raise InvalidInput("reporting.too_fast")
    lon = lat = None
    if form.coordinates.strip():
        try:
            found = parse_coordinates(form.coordinates)
        except CoordinateError as error:
            raise InvalidInput(text(error.key, language_of(request), **error.values)) from None
        lon, lat = found.lon, found.lat
    secret = informant_key(context.settings)
    with context.database.write() as session:
        existing = report_by_code(session, token.code)
        if existing is not None:
            return existing, token.code, False
        count_attempt(session, "report", client_address(request), key, values, now)
        area = smallest_area_at(session, shapely.Point(lon, lat)) if lon is not None and lat is not None else None
        informant = form.informant()
        tip = add_tip(
            session,
            NewTip(
                channel=read_tip_settings().public_channel,
                summary=form.summary,
                area_code=area.code if area else public_area(session, values),
                place=form.place,
                lon=lon,
                lat=lat,
                radius_m=values.whole("tips.point_error_m") if lon is not None else 0,
                happened=form.happened,
                reported_party=form.reported_party,
                anonymous=not informant,
            ),
            informant,
            secret,
            origin="public",
            who="",
            now=now,
            settings=context.settings,
            code_sha256=hash_code(token.code),
        )
        # without the sender's address: nothing in the log may identify the informant
        record_action(session, who="public", what="reported", now=now, about=tip.number, code=tip.area_code)
    return tip, token.code, True


def _values(context: Context) -> ChainValues:
    """Return the chain settings while the form is on.

    Raises:
        NotFound: it is off.
    """
    with context.database.read() as session:
        values = read_chain_values(session)
    if not values.flag("public.form"):
        raise NotFound
    return values


def _form(
    request: Request, context: Context, values: ChainValues, form: ReportForm, status: int = 200, fault: str = ""
) -> HTMLResponse:
    token = new_token(signing_key(context.settings), context.clock().timestamp())
    response = page(
        request, "report.html", status, token=token, form=form.typed(), fault=localized(request, fault) if fault else ""
    )
    response.headers["cache-control"] = "no-store"
    return response


def _receipt(
    request: Request,
    context: Context,
    values: ChainValues,
    tip: TipRow,
    code: str,
    ticket: str,
    *,
    new: bool,
    fault: str = "",
) -> HTMLResponse:
    with context.database.read() as session:
        files = files_of_owner(session, KIND, tip.id)
    response = page(
        request,
        "report_receipt.html",
        201 if new else 422 if fault else 200,
        tip=tip,
        code=code,
        ticket=ticket,
        files=files,
        most_files=values.whole("public.files"),
        most_mib=values.whole("public.file_mib"),
        fault=localized(request, fault) if fault else "",
    )
    response.headers["cache-control"] = "no-store"
    return response
