"""Cookie of a browser that has signed in before: a secret, signed so that an invented one is recognised at once.

The database decides which user's device a secret is (:mod:`store.access.sign_in_limits`). The signature is verified
before the database is asked, so strangers cannot occupy the places that are reserved for known devices.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from configs.secret_file import load_or_create_secret

KEY_FILE = "device_key"
"""In home. A cookie that another machine has signed, or a version before signatures, is valid but has no place."""


def sign_device(home: Path, secret: str) -> str:
    """Return the value of the cookie for a device's secret.

    Raises:
        SettingsError: the key is unreadable, or readable by other users.
        OutputError: the key cannot be written.
    """
    return f"{secret}.{_signature(home, secret)}"


def read_device(home: Path, value: str) -> tuple[str, bool]:
    """Return the secret in a cookie ("" if there is none), and whether its signature is right.

    Raises:
        SettingsError: the key is unreadable, or readable by other users.
        OutputError: the key cannot be written.
    """
    secret, _, signature = value.partition(".")
    return secret, bool(signature) and hmac.compare_digest(signature.encode(), _signature(home, secret).encode())


def _signature(home: Path, secret: str) -> str:
    key = load_or_create_secret(home / KEY_FILE, lambda: secrets.token_bytes(32), "key of known devices")
    return hmac.new(key, secret.encode(), hashlib.sha256).hexdigest()
