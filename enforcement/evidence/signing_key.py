"""The key that evidence bundles are signed with (Ed25519), and the fingerprints by which people tell keys apart."""

from __future__ import annotations

import hashlib
import re
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

from configs.secret_file import load_or_create_secret
from errors import SettingsError

NAME = "signing_key.pem"
_MOST_BYTES = 10_000


def load_or_create_signing_key(folder: Path) -> Ed25519PrivateKey:
    """Read the private key of an installation, or make it when there is none yet.

    It lies in ``folder`` as ``signing_key.pem``, readable by its owner only. Of several processes that make it at once,
    one wins, and all get its key.

    Raises:
        SettingsError: the file is no such key, or others may read it.
        OutputError: it cannot be written.
    """
    place = folder / NAME
    data = load_or_create_secret(place, _new_key, "signing key")
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"{place} is no private key without a password: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{place} is no Ed25519 key: remove it, and a new one is made.")
    return key


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


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
