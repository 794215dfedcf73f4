"""``tuban verify`` tells each check, and its exit code tells the outcome."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cli.detection.verify import verify
from enforcement.evidence.bundle import Bundle, write_bundle
from enforcement.evidence.signing_key import fingerprint, public_pem
from errors import SettingsError
from tests.enforcement.evidence.test_bundle import log
from tests.enforcement.evidence.test_sheet import ALERT

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "alert.zip"
    path.write_bytes(write_bundle(Bundle(ALERT, log(), dt.datetime(2026, 11, 24, tzinfo=dt.UTC)), KEY))
    return path


def code_of(bundle: Path, key: str | None = None, json: bool = False) -> int:
    with pytest.raises(typer.Exit) as left:
        verify(bundle, key, json)
    return left.value.exit_code


def test_a_good_bundle_of_the_trusted_key_leaves_with_0(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle.parent / "key.pem").write_bytes(public_pem(KEY))
    assert code_of(bundle, str(bundle.parent / "key.pem")) == 0
    told = capsys.readouterr().out
    assert "the trusted key" in told
    assert [line.split()[0] for line in told.splitlines()[:-1]] == ["ok"] * 7


def test_without_a_key_it_says_that_the_signer_is_open(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(bundle) == 0
    told = capsys.readouterr().out
    assert "open   signer" in told
    assert fingerprint(KEY.public_key()) in told


def test_another_key_leaves_with_1(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(bundle, "0" * 64) == 1
    assert "WRONG  signer" in capsys.readouterr().out


def test_a_damaged_bundle_leaves_with_1_and_says_what_is_wrong(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle.write_bytes(bundle.read_bytes()[:-30])
    assert code_of(bundle) == 1
    assert "WRONG  archive" in capsys.readouterr().out


def test_as_json_it_is_one_object(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(bundle, json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["good"], told["alert"], told["trusted"]) == (True, ALERT.number, None)
    assert "signer" in [check["name"] for check in told["checks"]]


def test_a_key_that_cannot_be_read_is_a_wrong_argument(bundle: Path) -> None:
    with pytest.raises(SettingsError) as found:
        verify(bundle, "nothing", False)
    assert found.value.exit_code == 2
