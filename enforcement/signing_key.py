"""The key that evidence bundles are signed with (Ed25519), and the fingerprints by which people tell keys apart."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from errors import OutputError, SettingsError

NAME = "signing_key.pem"
_OTHERS = 0o077
_MOST_BYTES = 10_000


def load_or_make_signing_key(folder: Path) -> Ed25519PrivateKey:
    """Read the private key of an installation, or make it when there is none yet.

    It lies in ``folder`` as ``signing_key.pem``, readable by its owner only. Of several processes that make it at once,
    one wins, and all get its key.

    Raises:
        SettingsError: the file is no such key, or others may read it.
        OutputError: it cannot be written.
    """
    place = folder / NAME
    if not place.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _make(place)
        except OSError as error:
            raise OutputError(f"The signing key {place} cannot be written: {error.strerror or error}.") from error
    try:
        if place.stat().st_mode & _OTHERS:
            raise SettingsError(
                f"Others may read the signing key {place}: chmod 600 it, or remove it to get a new one."
            )
        key = load_pem_private_key(place.read_bytes(), password=None)
    except OSError as error:
        raise SettingsError(f"The signing key {place} cannot be read: {error.strerror or error}.") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"{place} is no private key without a password: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{place} is no Ed25519 key: remove it, and a new one is made.")
    return key


def _make(place: Path) -> None:
    """Write a new key beside its place and link it there: it is there whole, and never in place of another's."""
    data = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    beside = place.with_name(f".{place.name}-{secrets.token_hex(6)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was quicker: its key is taken
            os.link(beside, place)
    finally:
        beside.unlink()


def public_pem(key: Ed25519PrivateKey) -> bytes:
    """The public half of a key, as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 over the key's SubjectPublicKeyInfo (DER): 64 hexadecimal letters, as ``openssl`` tells it too."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def read_public_key(pem: bytes) -> Ed25519PublicKey:
    """Read a public key.

    Raises:
        SettingsError: it is no Ed25519 key in PEM.
    """
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError("This is no public key: expected PEM, -----BEGIN PUBLIC KEY-----.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError("This public key is not of the kind Ed25519.")
    return key


def fingerprint_given(text: str) -> str:
    """The fingerprint that a person named: itself, or the path of a public key.

    Args:
        text: 64 hexadecimal letters, colons and spaces between them allowed; or the path of a PEM file.

    Raises:
        SettingsError: it is neither.
    """
    bare = re.sub(r"[:\s]", "", text).lower()
    if re.fullmatch(r"[0-9a-f]{64}", bare):
        return bare
    path = Path(text)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SettingsError(f"{text} is too large to be a public key.")
        pem = path.read_bytes()
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{text!r} is neither a fingerprint (64 hexadecimal letters) nor a public key that can be read."
        ) from error
    return fingerprint(read_public_key(pem))
