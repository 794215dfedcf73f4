"""A bundle is as it was signed, or what is wrong with it is told."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from enforcement.evidence.bundle import SEALS, Bundle, write_bundle
from enforcement.evidence.bundle_check import BundleReport, verify_bundle
from enforcement.evidence.signing_key import fingerprint, public_pem
from enforcement.hash_chain import GENESIS_HASH, Row, row_hash
from errors import OutputError, SettingsError
from tests.enforcement.evidence.test_sheet import ALERT

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
SIGNER = fingerprint(KEY.public_key())
STATES = ("", "new", "triaged", "published")
PIXELS = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3)

Files = dict[str, bytes]


def log() -> list[Row]:
    rows: list[Row] = []
    for sequence, (before, after) in enumerate(pairwise(STATES), 1):
        fields = {
            "alert": ALERT.number,
            "sequence": sequence,
            "at": dt.datetime(2026, 11, 21, sequence, tzinfo=dt.UTC),
            "who": "李工",
            "role": "county",
            "from_state": before,
            "to_state": after,
            "why": "派发核查",
            "evidence": {"m2": 1 / 3},
        }
        previous = rows[-1].hash if rows else GENESIS_HASH
        rows.append(Row(sequence, fields, previous, row_hash(previous, fields)))
    return rows


def made(**other: Any) -> bytes:
    bundle = Bundle(
        alert=ALERT,
        log=log(),
        created_at=dt.datetime(2026, 11, 24, 1, 0, tzinfo=dt.UTC),
        sheets={"zh": b"%PDF-1.4 zh", "en": b"%PDF-1.4 en"},
        pictures={"before": PIXELS, "after": PIXELS[::-1]},
        tool_version="1.2.3",
    )
    return write_bundle(dataclasses.replace(bundle, **other), KEY)


def unzipped(data: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: Files) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return held.getvalue()


def signed(files: Files, key: Ed25519PrivateKey = KEY, **manifest: Any) -> Files:
    """List and sign the files as they are now, as a forger with a key of their own can."""
    told = json.loads(files["manifest.json"])
    rest = {name: data for name, data in files.items() if name not in SEALS}
    told["files"] = [
        {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in rest.items()
    ]
    told |= {"signed_by": fingerprint(key.public_key()), **manifest}
    text = json.dumps(told).encode()
    return {"manifest.json": text, "manifest.sig": key.sign(text), "public_key.pem": public_pem(key), **rest}


def checked(tmp_path: Path, data: bytes | Files, trusted_key: str | None = None) -> BundleReport:
    path = tmp_path / "bundle.zip"
    path.write_bytes(data if isinstance(data, bytes) else zipped(data))
    return verify_bundle(path, trusted_key)


def wrong(report: BundleReport) -> dict[str, str]:
    return {check.name: check.words for check in report.checks if check.good is False}


def test_a_bundle_as_it_was_written_is_good(tmp_path: Path) -> None:
    report = checked(tmp_path, made(), SIGNER)
    assert wrong(report) == {}
    assert report.good
    assert (report.alert, report.tool_version, report.trusted) == (ALERT.number, "1.2.3", True)
    assert report.last_hash == log()[-1].hash


def test_who_signed_is_told_and_that_no_key_was_named(tmp_path: Path) -> None:
    report = checked(tmp_path, made())
    assert (report.good, report.signer, report.trusted) == (True, SIGNER, None)
    assert any(SIGNER in check.words and "not compared" in check.words for check in report.checks)


def test_it_holds_what_it_promises() -> None:
    files = unzipped(made())
    assert sorted(files) == [
        "after.png", "alert.geojson", "before.png", "log.json", "manifest.json", "manifest.sig", "public_key.pem",
        "sheet_en.pdf", "sheet_zh.pdf",
    ]  # fmt: skip
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(files["before.png"]))), PIXELS)
    assert json.loads(files["alert.geojson"])["id"] == ALERT.number


def test_the_same_alert_and_moment_make_the_same_bytes() -> None:
    assert made() == made()


def test_an_alert_without_steps_and_pictures_is_good(tmp_path: Path) -> None:
    assert checked(tmp_path, made(log=(), sheets={}, pictures={})).good


def test_a_log_cut_off_at_its_end_is_good_only_with_another_last_hash(tmp_path: Path) -> None:
    report = checked(tmp_path, made(log=log()[:2]))
    assert report.good
    assert report.last_hash != log()[-1].hash


@pytest.mark.parametrize("name", ["alert.geojson", "log.json", "before.png", "sheet_zh.pdf"])
def test_a_changed_file_is_found(tmp_path: Path, name: str) -> None:
    files = unzipped(made())
    files[name] = files[name].replace(b"1", b"2", 1) if b"1" in files[name] else files[name] + b" "
    assert f"{name} was changed" in wrong(checked(tmp_path, files))["files"]


def test_a_missing_file_is_found(tmp_path: Path) -> None:
    files = unzipped(made())
    del files["after.png"]
    assert wrong(checked(tmp_path, files)) == {"files": "after.png is missing"}


def test_an_added_file_is_found(tmp_path: Path) -> None:
    files = unzipped(made()) | {"more.txt": b"trust me"}
    assert wrong(checked(tmp_path, files)) == {"files": "more.txt is not in the manifest"}


def test_a_changed_manifest_is_found(tmp_path: Path) -> None:
    files = unzipped(made())
    files["manifest.json"] = files["manifest.json"].replace(b"2026-11-24", b"2026-11-23")
    assert list(wrong(checked(tmp_path, files))) == ["signature"]


def test_a_signature_of_another_key_is_found(tmp_path: Path) -> None:
    files = unzipped(made())
    files["manifest.sig"] = Ed25519PrivateKey.generate().sign(files["manifest.json"])
    report = checked(tmp_path, files, SIGNER)
    assert list(wrong(report)) == ["signature", "signer"]
    assert (report.signer, report.trusted) == ("", False)


def test_who_signs_a_forgery_with_a_key_of_their_own_is_not_the_trusted_one(tmp_path: Path) -> None:
    forger = Ed25519PrivateKey.generate()
    report = checked(tmp_path, signed(unzipped(made()), forger), SIGNER)
    assert list(wrong(report)) == ["signer"]
    assert report.trusted is False
    assert report.signer == fingerprint(forger.public_key())


def test_another_public_key_put_in_is_found(tmp_path: Path) -> None:
    files = unzipped(made()) | {"public_key.pem": public_pem(Ed25519PrivateKey.generate())}
    assert list(wrong(checked(tmp_path, files))) == ["signature"]


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig", "public_key.pem"])
def test_without_one_of_its_seals_it_is_no_bundle(tmp_path: Path, name: str) -> None:
    files = unzipped(made())
    del files[name]
    assert f"{name} is missing" in wrong(checked(tmp_path, files))["manifest"]


def _log_of(files: Files) -> Any:
    return json.loads(files["log.json"])


def _change_step(told: Any) -> None:
    told["rows"][1]["fields"]["why"] = "for another reason"


def _remove_step(told: Any) -> None:
    del told["rows"][1]


def _cut_off(told: Any) -> None:
    del told["rows"][2]


def _exchange(told: Any) -> None:
    told["rows"][0], told["rows"][1] = told["rows"][1], told["rows"][0]


@pytest.mark.parametrize("tamper", [_change_step, _remove_step, _cut_off, _exchange])
def test_a_broken_log_is_found_even_when_all_is_signed_again(tmp_path: Path, tamper: Callable[[Any], None]) -> None:
    files = unzipped(made())
    told = _log_of(files)
    tamper(told)
    files["log.json"] = json.dumps(told).encode()
    assert list(wrong(checked(tmp_path, signed(files)))) == ["log"]


def test_the_log_of_another_alert_is_found(tmp_path: Path) -> None:
    files = unzipped(made()) | {"log.json": unzipped(made(alert=dataclasses.replace(ALERT, number="X1")))["log.json"]}
    assert "of the alert X1" in wrong(checked(tmp_path, signed(files)))["log"]


def test_another_alert_than_the_manifest_names_is_found(tmp_path: Path) -> None:
    assert list(wrong(checked(tmp_path, signed(unzipped(made()), alert="X1")))) == ["alert", "log"]


def test_a_bundle_of_the_first_format_is_still_checked(tmp_path: Path) -> None:
    files = unzipped(made())
    files["lead.geojson"] = files.pop("alert.geojson")
    told = json.loads(files["log.json"])
    files["log.json"] = json.dumps({"lead": told.pop("alert"), **told}).encode()
    manifest = json.loads(files["manifest.json"])
    files["manifest.json"] = json.dumps({"lead": manifest.pop("alert"), **manifest}).encode()
    report = checked(tmp_path, signed(files, format_version=1))
    assert wrong(report) == {}
    assert report.alert == ALERT.number


def test_a_later_format_is_refused_with_its_number(tmp_path: Path) -> None:
    assert "tuban-evidence-bundle 3" in wrong(checked(tmp_path, signed(unzipped(made()), format_version=3)))["manifest"]


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"a": 1, "a": 2}', b'{"a": NaN}', b"\xff", b"[" * 100_000])
def test_a_manifest_that_is_none_is_told(tmp_path: Path, text: bytes) -> None:
    assert list(wrong(checked(tmp_path, unzipped(made()) | {"manifest.json": text}))) == ["manifest"]


def test_words_of_strangers_cannot_move_the_cursor(tmp_path: Path) -> None:
    report = checked(tmp_path, signed(unzipped(made()), alert="\x1b[2J\u202e"))
    assert "\x1b" not in report.alert + "".join(check.words for check in report.checks)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/b", "C:\\x", "x\x00y", ".hidden", "folder/", "图.png"])
def test_hostile_names_are_refused(tmp_path: Path, name: str) -> None:
    held = io.BytesIO(made())
    with zipfile.ZipFile(held, "a") as archive:
        entry = zipfile.ZipInfo("x")
        entry.filename = name
        archive.writestr(entry, b"")
    assert list(wrong(checked(tmp_path, held.getvalue()))) == ["archive"]


@pytest.mark.parametrize("name", ["log.json", "LOG.json"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(tmp_path: Path, name: str) -> None:
    held = io.BytesIO(made())
    with zipfile.ZipFile(held, "a") as archive:
        archive.writestr(name, b"{}")
    assert "twice" in wrong(checked(tmp_path, held.getvalue()))["archive"]


def test_a_link_is_refused(tmp_path: Path) -> None:
    held = io.BytesIO(made())
    with zipfile.ZipFile(held, "a") as archive:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, b"/etc/passwd")
    assert "link" in wrong(checked(tmp_path, held.getvalue()))["archive"]


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    files = unzipped(made()) | {"bomb.bin": bytes(2**22)}
    assert "bomb" in wrong(checked(tmp_path, files))["archive"]


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    files = unzipped(made()) | {f"f{n}": b"" for n in range(100)}
    assert "109 files" in wrong(checked(tmp_path, files))["archive"]


def test_something_put_behind_before_or_between_is_refused(tmp_path: Path) -> None:
    data = made()
    at = data.index(b"PK\x03\x04", 10)
    for changed in (data + b"x", b"x" + data, data[:at] + b"hidden" + data[at:]):
        assert list(wrong(checked(tmp_path, changed))) == ["archive"]


def test_a_comment_is_refused(tmp_path: Path) -> None:
    held = io.BytesIO(made())
    with zipfile.ZipFile(held, "a") as archive:
        archive.comment = b"checked by the ministry"
    assert list(wrong(checked(tmp_path, held.getvalue()))) == ["archive"]


def test_a_bundle_cut_off_anywhere_is_told(tmp_path: Path) -> None:
    data = made()
    for length in range(0, len(data), 97):
        assert not checked(tmp_path, data[:length]).good


def test_a_bundle_with_any_byte_turned_is_told(tmp_path: Path) -> None:
    data = bytearray(made(sheets={}, pictures={}))
    good = []
    for at in range(0, len(data), 13):
        data[at] ^= 0xFF
        good += [at] if checked(tmp_path, bytes(data)).good else []
        data[at] ^= 0xFF
    # what may differ is what no reader uses: versions, times and attributes in the headers of the zip
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        contents = [(e.header_offset + 30, e.header_offset + 30 + e.compress_size) for e in archive.infolist()]
    assert not [at for at in good if any(start <= at < end for start, end in contents)]


def test_a_bundle_that_is_not_there_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        verify_bundle(tmp_path / "none.zip")


def test_a_bundle_that_nobody_could_check_is_not_written() -> None:
    with pytest.raises(OutputError, match="plain names"):
        made(pictures={"../before": PIXELS})
