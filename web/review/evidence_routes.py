"""Downloads of an alert's evidence: the sheet as PDF, and the signed bundle that can be verified offline."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response

from enforcement.evidence.bundle import write_bundle
from enforcement.evidence.sheet import EvidenceSheet, render_evidence_sheet
from enforcement.evidence.signing_key import load_or_create_signing_key
from service.context import Context
from store.access.rights import Viewer
from web.api.parameters import Number
from web.api.schemas import COMMON_ERRORS, NOT_FOUND
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.page import chosen_language
from web.review.evidence_data import bundle_data, bundle_files, sheet_data

router = APIRouter(prefix="/alerts/{number}", tags=["evidence"], responses=COMMON_ERRORS | NOT_FOUND)

_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.get("/sheet.pdf", response_class=Response, responses={200: {"content": {"application/pdf": _BINARY}}})
def sheet(
    request: Request, context: Service, viewer: CurrentUser, number: Number, language: Literal["zh", "en", ""] = ""
) -> Response:
    """Create the evidence sheet (PDF, A4), in the user's language unless another is requested."""
    chosen = chosen_language(request, language)
    data = _sheet_data(request, context, viewer, number, "made_sheet")
    name = f"{number}_{chosen}.pdf"
    headers = {"content-disposition": f'inline; filename="{name}"'}
    return Response(render_evidence_sheet(data, chosen), media_type="application/pdf", headers=headers)


@router.get("/bundle.zip", response_class=Response, responses={200: {"content": {"application/zip": _BINARY}}})
def bundle(request: Request, context: Service, viewer: CurrentUser, number: Number) -> Response:
    """Create the signed evidence bundle; `tuban verify` checks it on any computer."""
    data = _sheet_data(request, context, viewer, number, "made_bundle")
    with context.database.read() as session:
        files = bundle_files(context, alert_of(session, viewer, number))
    key = load_or_create_signing_key(context.settings.home)
    headers = {"content-disposition": f'attachment; filename="{number}.zip"'}
    return Response(write_bundle(bundle_data(data, files), key), media_type="application/zip", headers=headers)


def _sheet_data(request: Request, context: Context, viewer: Viewer, number: str, action: str) -> EvidenceSheet:
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        data = sheet_data(context, session, viewer, alert, context.settings.pages_url)
        code = alert.grid_code
    with context.database.write() as session:
        log_action(request, session, viewer, action, about=number, code=code)
    return data
