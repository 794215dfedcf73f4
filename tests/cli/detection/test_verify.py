"""``tuban verify`` prints each check, and its exit code is the outcome."""

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


def exit_code(bundle: Path, key: str | None = None, json: bool = False) -> int:
    with pytest.raises(typer.Exit) as exit_info:
        verify(bundle, key, json)
    return exit_info.value.exit_code


def test_a_good_bundle_of_the_trusted_key_exits_with_0(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle.parent / "key.pem").write_bytes(public_pem(KEY))
    assert exit_code(bundle, str(bundle.parent / "key.pem")) == 0
    output = capsys.readouterr().out
    assert "the trusted key" in output
    assert [line.split()[0] for line in output.splitlines()[:-1]] == ["ok"] * 7


def test_without_a_key_the_signer_is_not_verified(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(bundle) == 0
    output = capsys.readouterr().out
    assert "open   signer" in output
    assert fingerprint(KEY.public_key()) in output


def test_another_key_exits_with_1(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(bundle, "0" * 64) == 1
    assert "WRONG  signer" in capsys.readouterr().out


def test_a_damaged_bundle_exits_with_1_and_names_the_failed_check(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle.write_bytes(bundle.read_bytes()[:-30])
    assert exit_code(bundle) == 1
    assert "WRONG  archive" in capsys.readouterr().out


def test_as_json_it_is_one_object(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(bundle, json=True) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["good"], record["alert"], record["trusted"]) == (True, ALERT.number, None)
    assert "signer" in [check["name"] for check in record["checks"]]


def test_an_unreadable_key_is_a_wrong_argument(bundle: Path) -> None:
    with pytest.raises(SettingsError) as error_info:
        verify(bundle, "nothing", False)
    assert error_info.value.exit_code == 2
