"""Settings of one webhook: its address and its signing secret."""

from __future__ import annotations

from base64 import b64decode
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

STANDARD_SECRET = "whsec_"
"""Prefix of secrets of the Standard Webhooks specification; the base64-encoded key follows it."""


class HookSettings(BaseModel):
    """Address of a webhook, and the secret that signs its requests.

    While a secret is replaced, ``previous_secret`` also signs, so that the receiver may change over at any time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, Field(max_length=390)]
    secret: Annotated[SecretStr, Field(min_length=16)]
    previous_secret: Annotated[SecretStr, Field(min_length=16)] | None = None

    @field_validator("url")
    @classmethod
    def _validate_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or not url.isprintable():
            raise ValueError("expected https://host/path, without a user name")
        parts.port  # noqa: B018  (raises ValueError for an invalid port)
        return url

    @field_validator("secret", "previous_secret")
    @classmethod
    def _validate_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        is_standard = secret is not None and secret.get_secret_value().startswith(STANDARD_SECRET)
        if secret is not None and is_standard and not 24 <= len(_decode_key(secret)) <= 64:
            raise ValueError(f"expected {STANDARD_SECRET} followed by base64 of 24 to 64 bytes, or another prefix")
        return secret

    @property
    def secrets(self) -> list[SecretStr]:
        """All secrets that sign, the current one first."""
        return [self.secret] if self.previous_secret is None else [self.secret, self.previous_secret]

    @property
    def keys(self) -> list[bytes]:
        """Keys of the Standard Webhooks signatures: decoded from ``whsec_…``, or the UTF-8 bytes of a plain secret."""
        return [_key_of(secret) for secret in self.secrets]


class BodyHookSettings(HookSettings):
    """A web hook of a receiving body: it gets the events of what is shared with that body, with its fields only."""

    body: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{1,39}$")]


def _key_of(secret: SecretStr) -> bytes:
    text = secret.get_secret_value()
    return _decode_key(secret) if text.startswith(STANDARD_SECRET) else text.encode()


def _decode_key(secret: SecretStr) -> bytes:
    """Decode the key of ``whsec_…``, with or without padding; b"" for invalid base64."""
    encoded = secret.get_secret_value().removeprefix(STANDARD_SECRET).rstrip("=")
    try:
        return b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        return b""
