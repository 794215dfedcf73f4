"""Password hashing: argon2id with the default parameters of argon2-cffi (RFC 9106, low memory)."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_PASSWORD_LENGTH = 10

_hasher = PasswordHasher()
_DUMMY_HASH = _hasher.hash("a password that no user has")


def hash_password(password: str) -> str:
    """Return the hash of a password, to be stored."""
    return _hasher.hash(password)


def is_password(stored: str, password: str) -> bool:
    """Return whether a password matches the stored hash.

    With an empty hash it takes equally long, so that timing does not reveal whether a user exists.
    """
    try:
        return _hasher.verify(stored or _DUMMY_HASH, password) and bool(stored)
    except (VerificationError, InvalidHashError):
        return False
