"""Sign-in through the bureau's own OpenID Connect server: authorisation code with PKCE, by Authlib.

Only people who are known here may sign in: by the subject they had before, or by the login that their administrator
gave them and that the server vouches for.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

import httpx
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from configs.service import OpenIdSettings
from errors import TubanError

TIMEOUT_SECONDS = 10

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Of signatures by a key pair: one by a shared secret could be made by whoever knows our settings."""


class OpenIdError(TubanError):
    """The server cannot be asked, or what it answers cannot be trusted."""


@dataclass(frozen=True)
class Begun:
    """A sign-in under way; kept in a cookie that only the server reads."""

    address: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Vouched:
    """Whom the server vouches for: ``issuer|subject``, and the login it tells."""

    subject: str
    login: str


def _described(settings: OpenIdSettings) -> dict[str, Any]:
    try:
        answer = httpx.get(f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration", timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
    except (httpx.HTTPError, json.JSONDecodeError) as error:
        raise OpenIdError(f"The sign-in server {settings.issuer} does not answer as expected: {error}.") from error
    if found.get("issuer") != settings.issuer:
        raise OpenIdError(f"The sign-in server calls itself {found.get('issuer')!r}; expected {settings.issuer!r}.")
    return found


def _client(settings: OpenIdSettings, back: str) -> OAuth2Client:
    return OAuth2Client(
        settings.client_id,
        settings.client_secret.get_secret_value(),
        redirect_uri=back,
        scope="openid profile",
        timeout=TIMEOUT_SECONDS,
        code_challenge_method="S256",
    )


def begin(settings: OpenIdSettings, back: str) -> Begun:
    """Where the browser is to go.

    Args:
        settings: the server.
        back: our address that it returns to.

    Raises:
        OpenIdError: the server does not answer.
    """
    verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    described = _described(settings)
    with _client(settings, back) as client:
        address, state = client.create_authorization_url(
            described["authorization_endpoint"], code_verifier=verifier, nonce=nonce
        )
    return Begun(address, state, nonce, verifier)


def finish(settings: OpenIdSettings, back: str, begun: Begun, code: str) -> Vouched:
    """Ask the server whom the code is for.

    Raises:
        OpenIdError: it does not answer, or its answer is not signed for us, not for this sign-in, or out of date.
    """
    described = _described(settings)
    try:
        with _client(settings, back) as client:
            token = client.fetch_token(described["token_endpoint"], code=code, code_verifier=begun.verifier)
        keys = httpx.get(described["jwks_uri"], timeout=TIMEOUT_SECONDS)
        keys.raise_for_status()
        claims = jwt.decode(token["id_token"], KeySet.import_key_set(keys.json()), algorithms=ALGORITHMS).claims
        jwt.JWTClaimsRegistry(
            leeway=60,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": begun.nonce},
        ).validate(claims)
    except (httpx.HTTPError, OAuthError, JoseError, KeyError, ValueError) as error:
        raise OpenIdError(f"The sign-in server's answer cannot be trusted: {error}.") from error
    return Vouched(f"{settings.issuer}|{claims['sub']}"[:400], str(claims.get(settings.login_claim, "")))
