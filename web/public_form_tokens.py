"""Tokens of the public form: signed with a time, so that no session is needed; a code derived from each.

Without a captcha, programs are kept away by a field that people do not see, by a minimum time between the form and its
return, by a token that only the form contains, and by limits per address and day. A form that is sent twice gives the
same code, and therefore the same receipt.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from typing import NamedTuple

MOST_SECONDS = 4 * 3600
"""Age from which a form has to be loaded again."""

TICKET_SECONDS = 3600
"""Time in which attachments can be added to a report."""

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_CODE_LETTERS = 8


class FormToken(NamedTuple):
    """A valid token: age in seconds, and the code of the report that it makes."""

    age: float
    code: str


def new_token(key: bytes, now: float | None = None) -> str:
    """Return the token of a new form."""
    body = f"{int(now if now is not None else time.time())}.{secrets.token_urlsafe(12)}"
    return f"{body}.{_sign(key, 'form', body)}"


def read_token(key: bytes, token: str, now: float) -> FormToken | None:
    """Return a token that this service has signed; None: it is none, or has expired."""
    body, _, signature = token.rpartition(".")
    if not body or not hmac.compare_digest(signature, _sign(key, "form", body)):
        return None
    age = now - int(body.partition(".")[0])
    return FormToken(age, code_of(key, token)) if -60 <= age <= MOST_SECONDS else None


def code_of(key: bytes, token: str) -> str:
    """Return the code of the report made with a token: 40 bits, like ``7KQM-P2XA``."""
    digest = int.from_bytes(hmac.new(key, b"code" + token.encode(), hashlib.sha256).digest()[:8], "big")
    letters = "".join(_ALPHABET[(digest >> (5 * place)) & 31] for place in range(_CODE_LETTERS))
    return f"{letters[:4]}-{letters[4:]}"


def upload_ticket(key: bytes, tip_id: int, now: float) -> str:
    """Return a ticket with which attachments can be added to a report for an hour."""
    body = f"{tip_id}.{int(now)}"
    return base64.urlsafe_b64encode(f"{body}.{_sign(key, 'files', body)}".encode()).decode().rstrip("=")


def read_ticket(key: bytes, ticket: str, now: float) -> int | None:
    """Return the id of the report of a ticket; None: it is none, or has expired."""
    try:
        words = base64.urlsafe_b64decode(ticket.encode() + b"=" * (-len(ticket) % 4)).decode()
    except (ValueError, binascii.Error):
        return None
    body, _, signature = words.rpartition(".")
    if not body or not hmac.compare_digest(signature.encode(), _sign(key, "files", body).encode()):
        return None
    tip_id, _, at = body.partition(".")
    return int(tip_id) if -60 <= now - int(at) <= TICKET_SECONDS else None


def _sign(key: bytes, purpose: str, body: str) -> str:
    return hmac.new(key, f"{purpose}:{body}".encode(), hashlib.sha256).hexdigest()[:40]
