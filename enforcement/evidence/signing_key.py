"""Signing key of evidence bundles (Ed25519), and fingerprints of public keys."""

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
_MAX_BYTES = 10_000


def load_or_create_signing_key(folder: Path) -> Ed25519PrivateKey:
    """Read the private key of an installation; create it if it is missing.

    The key is stored as ``signing_key.pem`` in ``folder``, readable by its owner only. Concurrent processes all get the
    same key.

    Raises:
        SettingsError: the file is not an Ed25519 key, or is readable by other users.
        OutputError: the file cannot be written.
    """
    path = folder / NAME
    data = load_or_create_secret(path, _generate_key, "signing key")
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"{path} is not a private key without a password: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{path} is not an Ed25519 key: delete it to create a new one.")
    return key


def _generate_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: Ed25519PrivateKey) -> bytes:
    """Encode the public key of a private key as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of the key's SubjectPublicKeyInfo (DER): 64 hexadecimal digits, as ``openssl`` computes it."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def read_public_key(pem: bytes) -> Ed25519PublicKey:
    """Parse a public key.

    Raises:
        SettingsError: not an Ed25519 key in PEM.
    """
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError("The data is not a public key: expected PEM, -----BEGIN PUBLIC KEY-----.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError("The public key is not an Ed25519 key.")
    return key


def parse_fingerprint(text: str) -> str:
    """Return the fingerprint given as text or as the path of a public key.

    Args:
        text: 64 hexadecimal digits, optionally with colons and spaces; or the path of a PEM file.

    Raises:
        SettingsError: neither of them.
    """
    digits = re.sub(r"[:\s]", "", text).lower()
    if re.fullmatch(r"[0-9a-f]{64}", digits):
        return digits
    path = Path(text)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SettingsError(f"{text} is too large to be a public key.")
        pem = path.read_bytes()
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{text!r} is neither a fingerprint (64 hexadecimal digits) nor a readable public key."
        ) from error
    return fingerprint(read_public_key(pem))
