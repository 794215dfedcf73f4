"""Sign-in through the bureau's OpenID Connect server: authorization code flow with PKCE, by Authlib.

Only users that exist here can sign in: matched by the subject of an earlier sign-in, or by the login that their
administrator gave them and that the server confirms.
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
"""Signature algorithms with a key pair only: a signature by a shared secret can be forged with the settings file."""


class OpenIdError(TubanError):
    """The OpenID server is unavailable, or its response cannot be trusted."""


@dataclass(frozen=True)
class PendingSignIn:
    """A sign-in in progress, stored in an HTTP-only cookie."""

    address: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class VerifiedUser:
    """The user that the server confirmed: ``issuer|subject``, and the login of the configured claim."""

    subject: str
    login: str


def _discover(settings: OpenIdSettings) -> dict[str, Any]:
    try:
        address = f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        response = httpx.get(address, timeout=TIMEOUT_SECONDS, trust_env=False)
        response.raise_for_status()
        metadata: dict[str, Any] = response.json()
    except (httpx.HTTPError, json.JSONDecodeError) as error:
        raise OpenIdError(f"Unexpected response of the sign-in server {settings.issuer}: {error}.") from error
    if metadata.get("issuer") != settings.issuer:
        raise OpenIdError(f"The sign-in server's issuer is {metadata.get('issuer')!r}; expected {settings.issuer!r}.")
    return metadata


def _client(settings: OpenIdSettings, redirect_uri: str) -> OAuth2Client:
    return OAuth2Client(
        settings.client_id,
        settings.client_secret.get_secret_value(),
        redirect_uri=redirect_uri,
        scope="openid profile",
        timeout=TIMEOUT_SECONDS,
        trust_env=False,  # a proxy in the environment is for the internet, and the server is in the intranet
        code_challenge_method="S256",
    )


def begin_sign_in(settings: OpenIdSettings, redirect_uri: str) -> PendingSignIn:
    """Create a sign-in request.

    Args:
        settings: of the OpenID server.
        redirect_uri: URL of this service to which the server sends the browser afterwards.

    Returns:
        The request; the browser is to be redirected to its ``address``.

    Raises:
        OpenIdError: the server is unavailable.
    """
    verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    metadata = _discover(settings)
    with _client(settings, redirect_uri) as client:
        address, state = client.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
        )
    return PendingSignIn(address, state, nonce, verifier)


def complete_sign_in(settings: OpenIdSettings, redirect_uri: str, pending: PendingSignIn, code: str) -> VerifiedUser:
    """Exchange the authorization code for the user's identity.

    Raises:
        OpenIdError: the server is unavailable, or the ID token has expired or a wrong signature, audience or nonce.
    """
    metadata = _discover(settings)
    try:
        with _client(settings, redirect_uri) as client:
            token = client.fetch_token(metadata["token_endpoint"], code=code, code_verifier=pending.verifier)
        keys = httpx.get(metadata["jwks_uri"], timeout=TIMEOUT_SECONDS, trust_env=False)
        keys.raise_for_status()
        claims = jwt.decode(token["id_token"], KeySet.import_key_set(keys.json()), algorithms=ALGORITHMS).claims
        jwt.JWTClaimsRegistry(
            leeway=60,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": pending.nonce},
        ).validate(claims)
    except (httpx.HTTPError, OAuthError, JoseError, KeyError, ValueError) as error:
        raise OpenIdError(f"The sign-in server's response cannot be trusted: {error}.") from error
    return VerifiedUser(f"{settings.issuer}|{claims['sub']}"[:400], str(claims.get(settings.login_claim, "")))
