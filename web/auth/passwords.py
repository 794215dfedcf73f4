"""Passwords: argon2id, with the parameters that its library recommends (RFC 9106, low memory)."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST_LETTERS = 10

_hasher = PasswordHasher()
_NOBODY = _hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    """What is kept of a password."""
    return _hasher.hash(password)


def is_password(kept: str, given: str) -> bool:
    """Whether a password is the right one. Takes as long where nothing is kept: that a name exists cannot be timed."""
    try:
        return _hasher.verify(kept or _NOBODY, given) and bool(kept)
    except (VerificationError, InvalidHashError):
        return False
