"""Evidence bundles: content, signature, and detection of every change."""

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

from enforcement.evidence.bundle import SIGNATURE_FILES, Bundle, write_bundle
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


def build_bundle(**other: Any) -> bytes:
    bundle = Bundle(
        alert=ALERT,
        log=log(),
        created_at=dt.datetime(2026, 11, 24, 1, 0, tzinfo=dt.UTC),
        sheets={"zh": b"%PDF-1.4 zh", "en": b"%PDF-1.4 en"},
        pictures={"before": PIXELS, "after": PIXELS[::-1]},
        tool_version="1.2.3",
    )
    return write_bundle(dataclasses.replace(bundle, **other), KEY)


def unzip(data: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zip_files(files: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def sign(files: Files, key: Ed25519PrivateKey = KEY, **manifest: Any) -> Files:
    """Write a new manifest of the files and sign it, as a forger can with their own key."""
    content = json.loads(files["manifest.json"])
    others = {name: data for name, data in files.items() if name not in SIGNATURE_FILES}
    content["files"] = [
        {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in others.items()
    ]
    content |= {"signed_by": fingerprint(key.public_key()), **manifest}
    text = json.dumps(content).encode()
    return {"manifest.json": text, "manifest.sig": key.sign(text), "public_key.pem": public_pem(key), **others}


def verify_bytes(tmp_path: Path, data: bytes | Files, trusted_key: str | None = None) -> BundleReport:
    path = tmp_path / "bundle.zip"
    path.write_bytes(data if isinstance(data, bytes) else zip_files(data))
    return verify_bundle(path, trusted_key)


def failures(report: BundleReport) -> dict[str, str]:
    return {check.name: check.words for check in report.checks if check.good is False}


def test_unchanged_bundle_is_valid(tmp_path: Path) -> None:
    report = verify_bytes(tmp_path, build_bundle(), SIGNER)
    assert failures(report) == {}
    assert report.good
    assert (report.alert, report.tool_version, report.trusted) == (ALERT.number, "1.2.3", True)
    assert report.last_hash == log()[-1].hash


def test_signer_is_reported_as_not_compared_without_a_trusted_key(tmp_path: Path) -> None:
    report = verify_bytes(tmp_path, build_bundle())
    assert (report.good, report.signer, report.trusted) == (True, SIGNER, None)
    assert any(SIGNER in check.words and "not compared" in check.words for check in report.checks)


def test_bundle_contains_all_files() -> None:
    files = unzip(build_bundle())
    assert sorted(files) == [
        "after.png", "alert.geojson", "before.png", "log.json", "manifest.json", "manifest.sig", "public_key.pem",
        "sheet_en.pdf", "sheet_zh.pdf",
    ]  # fmt: skip
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(files["before.png"]))), PIXELS)
    assert json.loads(files["alert.geojson"])["id"] == ALERT.number


def test_equal_input_gives_equal_bytes() -> None:
    assert build_bundle() == build_bundle()


def test_bundle_without_transitions_and_pictures_is_valid(tmp_path: Path) -> None:
    assert verify_bytes(tmp_path, build_bundle(log=(), sheets={}, pictures={})).good


def test_log_truncated_before_signing_has_another_last_hash(tmp_path: Path) -> None:
    report = verify_bytes(tmp_path, build_bundle(log=log()[:2]))
    assert report.good
    assert report.last_hash != log()[-1].hash


@pytest.mark.parametrize("name", ["alert.geojson", "log.json", "before.png", "sheet_zh.pdf"])
def test_changed_file_is_detected(tmp_path: Path, name: str) -> None:
    files = unzip(build_bundle())
    files[name] = files[name].replace(b"1", b"2", 1) if b"1" in files[name] else files[name] + b" "
    assert f"{name} was changed" in failures(verify_bytes(tmp_path, files))["files"]


def test_missing_file_is_detected(tmp_path: Path) -> None:
    files = unzip(build_bundle())
    del files["after.png"]
    assert failures(verify_bytes(tmp_path, files)) == {"files": "after.png is missing"}


def test_added_file_is_detected(tmp_path: Path) -> None:
    files = unzip(build_bundle()) | {"more.txt": b"trust me"}
    assert failures(verify_bytes(tmp_path, files)) == {"files": "more.txt is not in the manifest"}


def test_changed_manifest_is_detected(tmp_path: Path) -> None:
    files = unzip(build_bundle())
    files["manifest.json"] = files["manifest.json"].replace(b"2026-11-24", b"2026-11-23")
    assert list(failures(verify_bytes(tmp_path, files))) == ["signature"]


def test_signature_of_another_key_is_detected(tmp_path: Path) -> None:
    files = unzip(build_bundle())
    files["manifest.sig"] = Ed25519PrivateKey.generate().sign(files["manifest.json"])
    report = verify_bytes(tmp_path, files, SIGNER)
    assert list(failures(report)) == ["signature", "signer"]
    assert (report.signer, report.trusted) == ("", False)


def test_forgery_signed_with_another_key_is_not_trusted(tmp_path: Path) -> None:
    forger = Ed25519PrivateKey.generate()
    report = verify_bytes(tmp_path, sign(unzip(build_bundle()), forger), SIGNER)
    assert list(failures(report)) == ["signer"]
    assert report.trusted is False
    assert report.signer == fingerprint(forger.public_key())


def test_replaced_public_key_is_detected(tmp_path: Path) -> None:
    files = unzip(build_bundle()) | {"public_key.pem": public_pem(Ed25519PrivateKey.generate())}
    assert list(failures(verify_bytes(tmp_path, files))) == ["signature"]


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig", "public_key.pem"])
def test_missing_signature_file_is_detected(tmp_path: Path, name: str) -> None:
    files = unzip(build_bundle())
    del files[name]
    assert f"{name} is missing" in failures(verify_bytes(tmp_path, files))["manifest"]


def _log_of(files: Files) -> Any:
    return json.loads(files["log.json"])


def _change_transition(content: Any) -> None:
    content["rows"][1]["fields"]["why"] = "for another reason"


def _remove_transition(content: Any) -> None:
    del content["rows"][1]


def _truncate(content: Any) -> None:
    del content["rows"][2]


def _swap_transitions(content: Any) -> None:
    content["rows"][0], content["rows"][1] = content["rows"][1], content["rows"][0]


@pytest.mark.parametrize("tamper", [_change_transition, _remove_transition, _truncate, _swap_transitions])
def test_tampered_log_is_detected_even_if_signed_again(tmp_path: Path, tamper: Callable[[Any], None]) -> None:
    files = unzip(build_bundle())
    content = _log_of(files)
    tamper(content)
    files["log.json"] = json.dumps(content).encode()
    assert list(failures(verify_bytes(tmp_path, sign(files)))) == ["log"]


def test_log_of_another_alert_is_detected(tmp_path: Path) -> None:
    other = unzip(build_bundle(alert=dataclasses.replace(ALERT, number="X1")))
    files = unzip(build_bundle()) | {"log.json": other["log.json"]}
    assert "belongs to the alert X1" in failures(verify_bytes(tmp_path, sign(files)))["log"]


def test_alert_that_differs_from_the_manifest_is_detected(tmp_path: Path) -> None:
    assert list(failures(verify_bytes(tmp_path, sign(unzip(build_bundle()), alert="X1")))) == ["alert", "log"]


def test_bundle_of_format_version_1_is_verified(tmp_path: Path) -> None:
    files = unzip(build_bundle())
    files["lead.geojson"] = files.pop("alert.geojson")
    content = json.loads(files["log.json"])
    files["log.json"] = json.dumps({"lead": content.pop("alert"), **content}).encode()
    manifest = json.loads(files["manifest.json"])
    files["manifest.json"] = json.dumps({"lead": manifest.pop("alert"), **manifest}).encode()
    report = verify_bytes(tmp_path, sign(files, format_version=1))
    assert failures(report) == {}
    assert report.alert == ALERT.number


def test_later_format_version_is_rejected(tmp_path: Path) -> None:
    report = verify_bytes(tmp_path, sign(unzip(build_bundle()), format_version=3))
    assert "tuban-evidence-bundle 3" in failures(report)["manifest"]


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"a": 1, "a": 2}', b'{"a": NaN}', b"\xff", b"[" * 100_000])
def test_invalid_manifest_is_rejected(tmp_path: Path, text: bytes) -> None:
    assert list(failures(verify_bytes(tmp_path, unzip(build_bundle()) | {"manifest.json": text}))) == ["manifest"]


def test_control_characters_of_untrusted_text_are_replaced(tmp_path: Path) -> None:
    report = verify_bytes(tmp_path, sign(unzip(build_bundle()), alert="\x1b[2J\u202e"))
    assert "\x1b" not in report.alert + "".join(check.words for check in report.checks)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/b", "C:\\x", "x\x00y", ".hidden", "folder/", "图.png"])
def test_unsafe_names_are_rejected(tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO(build_bundle())
    with zipfile.ZipFile(buffer, "a") as archive:
        entry = zipfile.ZipInfo("x")
        entry.filename = name
        archive.writestr(entry, b"")
    assert list(failures(verify_bytes(tmp_path, buffer.getvalue()))) == ["archive"]


@pytest.mark.parametrize("name", ["log.json", "LOG.json"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_name_is_rejected(tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO(build_bundle())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(name, b"{}")
    assert "twice" in failures(verify_bytes(tmp_path, buffer.getvalue()))["archive"]


def test_link_is_rejected(tmp_path: Path) -> None:
    buffer = io.BytesIO(build_bundle())
    with zipfile.ZipFile(buffer, "a") as archive:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, b"/etc/passwd")
    assert "link" in failures(verify_bytes(tmp_path, buffer.getvalue()))["archive"]


def test_zip_bomb_is_rejected(tmp_path: Path) -> None:
    files = unzip(build_bundle()) | {"bomb.bin": bytes(2**22)}
    assert "bomb" in failures(verify_bytes(tmp_path, files))["archive"]


def test_too_many_files_are_rejected(tmp_path: Path) -> None:
    files = unzip(build_bundle()) | {f"f{n}": b"" for n in range(100)}
    assert "109 files" in failures(verify_bytes(tmp_path, files))["archive"]


def test_data_outside_the_files_is_rejected(tmp_path: Path) -> None:
    data = build_bundle()
    at = data.index(b"PK\x03\x04", 10)
    for changed in (data + b"x", b"x" + data, data[:at] + b"hidden" + data[at:]):
        assert list(failures(verify_bytes(tmp_path, changed))) == ["archive"]


def test_archive_comment_is_rejected(tmp_path: Path) -> None:
    buffer = io.BytesIO(build_bundle())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"checked by the ministry"
    assert list(failures(verify_bytes(tmp_path, buffer.getvalue()))) == ["archive"]


def test_truncated_bundle_is_invalid(tmp_path: Path) -> None:
    data = build_bundle()
    for length in range(0, len(data), 97):
        assert not verify_bytes(tmp_path, data[:length]).good


def test_any_changed_content_byte_is_detected(tmp_path: Path) -> None:
    data = bytearray(build_bundle(sheets={}, pictures={}))
    good = []
    for at in range(0, len(data), 13):
        data[at] ^= 0xFF
        good += [at] if verify_bytes(tmp_path, bytes(data)).good else []
        data[at] ^= 0xFF
    # unused header fields of the zip may differ: versions, times, attributes
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        contents = [(e.header_offset + 30, e.header_offset + 30 + e.compress_size) for e in archive.infolist()]
    assert not [at for at in good if any(start <= at < end for start, end in contents)]


def test_missing_bundle_raises(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        verify_bundle(tmp_path / "none.zip")


def test_bundle_with_an_unsafe_name_is_not_written() -> None:
    with pytest.raises(OutputError, match="plain names"):
        build_bundle(pictures={"../before": PIXELS})
