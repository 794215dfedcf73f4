"""Pages of receiving bodies: what was shared with them, as a list and as a file; suppliers see places only."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from enforcement.evidence.sheet_texts import SheetTexts
from enforcement.sharing.fields import shown_columns, shown_values
from service.home import temporary_folder
from service.sharing.packages import stops_csv, write_body_package
from store.sharing.bodies import SUPPLIER
from store.sharing.service_stops import SUPPLIER_FIELDS, stops_for, supplier_values
from store.views.shared_alerts import shared_alerts
from web.auth.authentication import CurrentUser, Service
from web.http_errors import NotFound
from web.page import chosen_language, page
from web.row_ids import Id
from web.sharing.partner_access import CurrentBody, log_read

router = APIRouter(include_in_schema=False, prefix="/shared")

PAGE_SIZE = 50


@router.get("")
def shared_page(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    body: CurrentBody,
    before: Annotated[Id | None, Query()] = None,
) -> HTMLResponse:
    """Render what was shared with the user's body; ``before``: only shares with a smaller id."""
    language = chosen_language(request, "")
    column = 0 if language == "zh" else 1
    with context.database.write() as session:
        if body.kind == SUPPLIER:
            stops = [supplier_values(row) for row in stops_for(session, body, context.today)]
            log_read(request, session, body, viewer.login, "page", "", len(stops))
            headings = [names[column] for names in SUPPLIER_FIELDS.values()]
            return page(request, "shared.html", body=body, headings=headings, stops=stops, rows=[], next_id=None)
        found = shared_alerts(session, body, before_id=before, limit=PAGE_SIZE + 1)
        shown, more = found[:PAGE_SIZE], len(found) > PAGE_SIZE
        log_read(request, session, body, viewer.login, "page", f"before={before}" if before else "", len(shown))
        texts = SheetTexts(language)
        columns = [one for one in shown_columns(body.fields) if one.name not in ("number", "statement")]
        rows = [
            (one.share, one.alert.number, shown_values(one.alert, one.determination, body.fields, texts))
            for one in shown
        ]
        next_id = shown[-1].share.id if more else None
        determined = "determination" in body.fields
    return page(
        request, "shared.html", body=body, columns=columns, column=column, determined=determined, rows=rows,
        stops=None, next_id=next_id,
    )  # fmt: skip


@router.get("/package.gpkg")
def package(request: Request, context: Service, viewer: CurrentUser, body: CurrentBody) -> Response:
    """Return everything that the body sees now as a GeoPackage."""
    if body.kind == SUPPLIER:
        raise NotFound
    with tempfile.TemporaryDirectory(dir=temporary_folder(context.settings)) as folder:
        path = Path(folder) / f"{body.key}.gpkg"
        with context.database.write() as session:
            rows = write_body_package(session, body, path)
            log_read(request, session, body, viewer.login, "file", path.name, rows)
        content = path.read_bytes()
    headers = {"content-disposition": f'attachment; filename="{body.key}.gpkg"', "cache-control": "no-store"}
    return Response(content, media_type="application/geopackage+sqlite3", headers=headers)


@router.get("/places.csv")
def places(request: Request, context: Service, viewer: CurrentUser, body: CurrentBody) -> Response:
    """Return the places that a supplier must not serve as CSV."""
    if body.kind != SUPPLIER:
        raise NotFound
    with context.database.write() as session:
        text, rows = stops_csv(session, body, context, chosen_language(request, ""))
        log_read(request, session, body, viewer.login, "file", "places.csv", rows)
    headers = {"content-disposition": f'attachment; filename="{body.key}.csv"', "cache-control": "no-store"}
    return Response(text.encode(), media_type="text/csv; charset=utf-8", headers=headers)
