"""Pages of the templates: which is in use, earlier versions, upload with its check, and the fields."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import HTMLResponse, Response

from enforcement.documents.kinds import read_documents
from enforcement.documents.package import MAX_BYTES
from service.documents.templates import (
    check_and_try,
    choose_version,
    fill_sample,
    keep_template,
    template_file,
    template_in_use,
)
from store.access.rights import Viewer
from store.documents.found import may_read
from store.documents.templates import version, versions_of
from store.views.alert_view import user_names
from web.auth.audit_log import log_action
from web.auth.authentication import Administrator, CurrentUser, Service
from web.documents.document_access import DOCX, bytes_response, file_response
from web.http_errors import Forbidden, NotFound
from web.page import page

router = APIRouter(include_in_schema=False, prefix="/documents/templates")

Version = Annotated[int, Query(ge=1, le=10**6)]


@router.get("")
def template_list(
    request: Request, context: Service, viewer: CurrentUser, accepted: Annotated[int, Query(ge=0, le=10**6)] = 0
) -> HTMLResponse:
    """Render the templates; ``accepted``: version that was just uploaded."""
    if not may_read(viewer):
        raise Forbidden
    settings = read_documents()
    with context.database.read() as session:
        versions = versions_of(session)
        chosen = {row.kind: row for rows in versions.values() for row in rows if row.state == "used"}
        names = user_names(session, {row.who for rows in versions.values() for row in rows})
    files = {name: template_file(name) for name in settings.kinds if name not in chosen}
    return page(
        request,
        "document_templates.html",
        kinds=settings.kinds,
        used=chosen,
        sources={name: template.source for name, template in files.items()},
        versions=versions,
        names=names,
        may_change=_may_change(viewer),
        accepted=accepted,
        fields=_fields(),
    )


def _fields() -> list[dict[str, Any]]:
    settings = read_documents()
    lists = {"enclosures", *(name for name, field in settings.fields.items() if field.kind == "lines")}
    entries = [*settings.values.items(), *settings.fields.items()]
    return [{"name": name, "zh": each.zh, "en": each.en, "list": name in lists} for name, each in entries]


def _may_change(viewer: Viewer) -> bool:
    return viewer.administrator and not viewer.code


@router.post("")
def upload(
    request: Request,
    context: Service,
    viewer: Administrator,
    kind: Annotated[str, Form(max_length=40)],
    file: Annotated[UploadFile, File()],
) -> Response:
    """Check an uploaded template with a sample alert, and use it from now on.

    Raises:
        TemplateRefusedError: it cannot be used; the message names what is wrong and where.
    """
    if not _may_change(viewer):
        raise Forbidden("templates.only")
    if kind not in read_documents().kinds:
        raise NotFound
    checked = check_and_try(kind, file.file.read(MAX_BYTES + 1))
    name = (file.filename or "").replace("\\", "/").rpartition("/")[2].strip()[:200] or f"{kind}.docx"
    with context.database.write() as session:
        now = context.clock()
        row = keep_template(context, kind, name, checked, who=viewer.login, now=now, session=session)
        detail = {"version": row.version, "sha256": row.sha256, "name": name}
        log_action(request, session, viewer, "added_template", about=kind, detail=detail)
        address = f"/documents/templates?accepted={row.version}"
    return Response(status_code=204, headers={"HX-Redirect": f"{context.settings.path_prefix}{address}"})


@router.post("/{kind}/use")
def use(
    request: Request,
    context: Service,
    viewer: Administrator,
    kind: str,
    number: Annotated[int, Form(ge=0, le=10**6)],
) -> Response:
    """Use an earlier version; 0: the file of the working directory, or the shipped one."""
    if not _may_change(viewer) or kind not in read_documents().kinds:
        raise NotFound
    with context.database.write() as session:
        choose_version(session, kind, number)
        log_action(request, session, viewer, "used_template", about=kind, detail={"version": number})
    return Response(headers={"hx-refresh": "true"})


@router.get("/{kind}/file.docx")
def download(context: Service, viewer: CurrentUser, kind: str, number: Version | None = None) -> Response:
    """Download the template in use, or a version."""
    if kind not in read_documents().kinds or not may_read(viewer):
        raise NotFound
    with context.database.read() as session:
        if number is None:
            template = template_in_use(context, session, kind)
            return bytes_response(template.content, template.name, DOCX)
        row = version(session, kind, number)
    if row is None:
        raise NotFound
    return file_response(context, row.object_key, row.name, DOCX)


@router.get("/{kind}/sample.docx")
def sample(context: Service, viewer: CurrentUser, kind: str) -> Response:
    """Download the template in use, filled with a sample alert."""
    if kind not in read_documents().kinds or not may_read(viewer):
        raise NotFound
    with context.database.read() as session:
        template = template_in_use(context, session, kind)
    return bytes_response(fill_sample(kind, template.content), f"{kind}-sample.docx", DOCX)
