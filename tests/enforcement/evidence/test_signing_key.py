"""Signing keys: creation, file permissions and fingerprints."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from enforcement.evidence.signing_key import (
    NAME,
    fingerprint,
    load_or_create_signing_key,
    parse_fingerprint,
    public_pem,
)
from errors import SettingsError

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
SIGNER = fingerprint(KEY.public_key())


def test_key_is_created_once_readable_by_its_owner_only(tmp_path: Path) -> None:
    first = load_or_create_signing_key(tmp_path / "keys")
    again = load_or_create_signing_key(tmp_path / "keys")
    assert public_pem(first) == public_pem(again)
    assert stat.S_IMODE((tmp_path / "keys" / NAME).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "keys").iterdir()] == [NAME]


def test_concurrent_creation_gives_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(load_or_create_signing_key, [tmp_path] * 16))
    assert len({public_pem(key) for key in keys}) == 1


def test_key_readable_by_others_is_rejected(tmp_path: Path) -> None:
    load_or_create_signing_key(tmp_path)
    (tmp_path / NAME).chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        load_or_create_signing_key(tmp_path)


def test_file_without_a_key_raises(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("no key")
    (tmp_path / NAME).chmod(0o600)
    with pytest.raises(SettingsError, match="not a private key"):
        load_or_create_signing_key(tmp_path)


def test_fingerprint_is_parsed_from_text_or_key_file(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(public_pem(KEY))
    spaced = ":".join(SIGNER[at : at + 2].upper() for at in range(0, 64, 2))
    assert {parse_fingerprint(text) for text in (SIGNER, spaced, str(tmp_path / "key.pem"))} == {SIGNER}


@pytest.mark.parametrize("text", ["", "abc", SIGNER[:-1], "/dev/null", "\x00"])
def test_invalid_fingerprint_raises(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_fingerprint(text)
