"""Settings of one web hook: its address, and the key that its secret stands for."""

from __future__ import annotations

from base64 import b64decode
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

STANDARD_SECRET = "whsec_"
"""What a secret of the Standard Webhooks specification begins with; base64 of the key follows."""


class HookSettings(BaseModel):
    """One web hook: where it goes, and the secret that signs what is sent there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, Field(max_length=390)]
    secret: Annotated[SecretStr, Field(min_length=16)]

    @field_validator("url")
    @classmethod
    def _known_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or not url.isprintable():
            raise ValueError("expected https://host/path, without a user's name in it")
        parts.port  # noqa: B018  (raises ValueError when it is no number of a port)
        return url

    @field_validator("secret")
    @classmethod
    def _known_secret(cls, secret: SecretStr) -> SecretStr:
        if secret.get_secret_value().startswith(STANDARD_SECRET) and not 24 <= len(_key_in(secret)) <= 64:
            raise ValueError(f"expected {STANDARD_SECRET} with base64 of 24 to 64 bytes after it, or another beginning")
        return secret

    @property
    def key(self) -> bytes:
        """Key of the Standard Webhooks signature: what ``whsec_…`` encodes, or a plain secret's UTF-8 bytes."""
        secret = self.secret.get_secret_value()
        return _key_in(self.secret) if secret.startswith(STANDARD_SECRET) else secret.encode()


def _key_in(secret: SecretStr) -> bytes:
    """The key that ``whsec_…`` encodes, with or without padding; b"": it is no base64."""
    encoded = secret.get_secret_value().removeprefix(STANDARD_SECRET).rstrip("=")
    try:
        return b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        return b""
