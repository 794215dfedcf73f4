"""Size of the body of routes that take files, decided before the body is read."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request

from enforcement.documents.package import MAX_BYTES as MAX_TEMPLATE_BYTES
from service.context import Context
from store.chain_settings import read_chain_values
from store.tips.informant_key import signing_key
from web.http_errors import NotFound
from web.public_form_tokens import read_ticket

DESK_FILE_BYTES = 20 * 2**20
_FORM_BYTES = 64 * 1024  # of a multipart body besides its file


def report_file_bytes(request: Request, context: Context) -> int:
    """Return the largest body of an attachment of the public form.

    Raises:
        NotFound: the form is switched off, or the address contains no valid ticket of a report.
    """
    ticket = request.scope["path"].rpartition("/")[2]
    if read_ticket(signing_key(context.settings), ticket, context.clock().timestamp()) is None:
        raise NotFound
    with context.database.read() as session:
        values = read_chain_values(session)
    if not values.flag("public.form"):
        raise NotFound
    return values.whole("public.file_mib") * 2**20 + _FORM_BYTES


def desk_file_bytes(request: Request, context: Context) -> int:
    """Return the largest body of an attachment that a signed-in user adds to a tip."""
    return DESK_FILE_BYTES + _FORM_BYTES


def receipt_bytes(request: Request, context: Context) -> int:
    """Return the largest body of a scan of a document."""
    with context.database.read() as session:
        return read_chain_values(session).whole("evidence.file_mib") * 2**20 + _FORM_BYTES


def template_bytes(request: Request, context: Context) -> int:
    """Return the largest body of a template of documents."""
    return MAX_TEMPLATE_BYTES + _FORM_BYTES


FILE_BODIES: dict[str, Callable[[Request, Context], int]] = {
    "/report/files/{ticket}": report_file_bytes,
    "/tips/{tip_id}/files": desk_file_bytes,
    "/documents/{document_id}/receipts": receipt_bytes,
    "/documents/templates": template_bytes,
}
"""Path of a route → function that returns the largest body, or refuses the request."""
