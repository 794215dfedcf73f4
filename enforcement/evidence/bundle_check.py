"""Verify an untrusted evidence bundle in memory, with the result of each check."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from cryptography.exceptions import InvalidSignature
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from enforcement.evidence.bundle import (
    ALERT,
    ALERT_V1,
    FILE_PREFIX,
    FORMAT,
    FORMAT_VERSION,
    LOG,
    MANIFEST,
    PUBLIC_KEY,
    SIGNATURE,
    SIGNATURE_FILES,
)
from enforcement.evidence.safe_zip import UnsafeZip, read_safe_zip
from enforcement.evidence.signing_key import fingerprint, read_public_key
from enforcement.hash_chain import GENESIS_HASH, Row, verify
from errors import SettingsError

_MAX_TEXT = 200
_MAX_MESSAGE = 1000
Checksum = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1, max_length=_MAX_TEXT)]
AlertNumber = Annotated[Text, Field(validation_alias=AliasChoices("alert", "lead"))]
"""Format version 1 used the key "lead"."""


@dataclass(frozen=True)
class Check:
    """Result of one check; the attributes are keys of ``tuban verify --json``.

    Attributes:
        name: archive, manifest, signature, signer, files, alert, log; evidence, if there are evidence files.
        good: whether the check passed; None: not decided, because no trusted key was given.
        words: message for people.
    """

    name: str
    good: bool | None
    words: str


@dataclass(frozen=True)
class BundleReport:
    """Result of verifying a bundle; the attributes are keys of ``tuban verify --json``.

    Attributes:
        alert: alert number; "" if the manifest is unreadable.
        created_at: ISO 8601, according to the manifest.
        tool_version: according to the manifest.
        signer: fingerprint of the key of a valid signature; "" without one.
        trusted: whether that key is the trusted key; None: no trusted key was given.
        last_hash: last hash of the log, to be compared with a printed sheet.
        checks: results in the order of execution.
    """

    alert: str
    created_at: str
    tool_version: str
    signer: str
    trusted: bool | None
    last_hash: str
    checks: tuple[Check, ...]

    @property
    def good(self) -> bool:
        """Whether no check failed. With ``trusted`` None the bundle is intact, but its signer is not verified."""
        return all(check.good is not False for check in self.checks)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _File(_Strict):
    name: Text
    size: Annotated[int, Field(ge=0)]
    sha256: Checksum


class _Manifest(_Strict):
    format: Text
    format_version: int
    tool: Text
    tool_version: Text
    alert: AlertNumber
    statement: dict[str, str]
    created_at: Text
    signed_by: Checksum
    files: list[_File]


class _LogRow(_Strict):
    sequence: int
    fields: dict[str, Any]
    previous_hash: Checksum
    hash: Checksum


class _Log(_Strict):
    alert: AlertNumber
    last_hash: Checksum
    rows: list[_LogRow]


class _CheckFailed(Exception):  # noqa: N818  (a result, not a malfunction)
    """A check failed; the message is the reason."""


def verify_bundle(path: Path, trusted_key: str | None = None) -> BundleReport:
    """Verify a bundle: archive, manifest, signature, signer, files, alert and log.

    Nothing is unpacked to the disk. Failed checks are reported, not raised.

    Args:
        path: path of the bundle.
        trusted_key: fingerprint that the signer must have
            (:func:`enforcement.evidence.signing_key.parse_fingerprint`); None: any signer.

    Raises:
        SettingsError: the file cannot be read.
    """
    checks: list[Check] = []
    try:
        files = read_safe_zip(path)
    except OSError as error:
        raise SettingsError(f"The bundle {path} cannot be read: {error.strerror or error}.") from error
    except UnsafeZip as error:
        return _report(None, [Check("archive", False, f"rejected: {error}")], "", None, "")
    total = sum(map(len, files.values()))
    checks.append(Check("archive", True, f"{len(files)} plain files, {total:,} bytes, no hidden data"))
    try:
        manifest = _parse_manifest(files)
    except _CheckFailed as error:
        return _report(None, [*checks, Check("manifest", False, str(error))], "", None, "")
    checks.append(
        Check(
            "manifest",
            True,
            f"alert {manifest.alert}, created {manifest.created_at} by {manifest.tool} {manifest.tool_version}",
        )
    )
    signer = _run_check(checks, "signature", lambda: _check_signature(files, manifest))
    checks.append(_check_signer(signer, trusted_key))
    _run_check(checks, "files", lambda: _check_files(files, manifest))
    _run_check(checks, "alert", lambda: _check_alert(files, manifest))
    last_hash = _run_check(checks, "log", lambda: _check_log(files, manifest))
    if any(name.startswith(FILE_PREFIX) for name in files):
        _run_check(checks, "evidence", lambda: _check_evidence(files))
    trusted = None if trusted_key is None else signer == trusted_key
    return _report(manifest, checks, signer, trusted, last_hash)


def _report(
    manifest: _Manifest | None, checks: list[Check], signer: str, trusted: bool | None, last_hash: str
) -> BundleReport:
    fields = (manifest.alert, manifest.created_at, manifest.tool_version) if manifest else ("", "", "")
    sanitized = tuple(Check(check.name, check.good, _sanitize(check.words)) for check in checks)
    alert, created_at, tool_version = map(_sanitize, fields)
    return BundleReport(alert, created_at, tool_version, signer, trusted, last_hash, sanitized)


def _sanitize(text: str) -> str:
    """Replace control characters of untrusted text, such as terminal escapes and changes of the writing direction."""
    return "".join(character if character.isprintable() else "�" for character in text[:_MAX_MESSAGE])


def _run_check(checks: list[Check], name: str, check: Callable[[], tuple[str, str]]) -> str:
    """Run a check that returns (value, message), append its result and return the value; "" if it failed."""
    try:
        value, message = check()
    except _CheckFailed as error:
        checks.append(Check(name, False, str(error)))
        return ""
    checks.append(Check(name, True, message))
    return str(value)


def _parse_manifest(files: Mapping[str, bytes]) -> _Manifest:
    if missing := [name for name in SIGNATURE_FILES if name not in files]:
        raise _CheckFailed(f"{', '.join(missing)} is missing: this is not a complete evidence bundle")
    manifest: _Manifest = _parse(files, MANIFEST, _Manifest)
    if manifest.format != FORMAT or not 1 <= manifest.format_version <= FORMAT_VERSION:
        raise _CheckFailed(
            f"the format is {manifest.format} {manifest.format_version}; supported: {FORMAT} {FORMAT_VERSION}"
        )
    return manifest


def _check_signature(files: Mapping[str, bytes], manifest: _Manifest) -> tuple[str, str]:
    try:
        key = read_public_key(files[PUBLIC_KEY])
        key.verify(files[SIGNATURE], files[MANIFEST])
    except SettingsError as error:
        raise _CheckFailed(f"{PUBLIC_KEY}: {error}") from error
    except InvalidSignature as error:
        raise _CheckFailed("the manifest was changed after signing, or was signed by another key") from error
    signer = fingerprint(key)
    if manifest.signed_by != signer:
        raise _CheckFailed(f"the manifest names the key {manifest.signed_by}, but was signed by {signer}")
    return signer, "Ed25519, valid: the manifest is unchanged"


def _check_signer(signer: str, trusted_key: str | None) -> Check:
    if not signer:
        return Check("signer", None if trusted_key is None else False, "unknown: there is no valid signature")
    if trusted_key is None:
        return Check("signer", None, f"{signer}; not compared with a trusted key: anyone can sign with their own key")
    if signer != trusted_key:
        return Check("signer", False, f"{signer}, which is not the trusted key {trusted_key}")
    return Check("signer", True, f"{signer}, the trusted key")


def _check_files(files: Mapping[str, bytes], manifest: _Manifest) -> tuple[str, str]:
    listed = {file.name: file for file in manifest.files}
    errors = []
    if len(listed) < len(manifest.files):
        errors.append("the manifest lists a file twice")
    errors += [f"{name} is missing" for name in listed if name not in files or name in SIGNATURE_FILES]
    errors += [f"{name} is not in the manifest" for name in files if name not in listed and name not in SIGNATURE_FILES]
    for name, file in listed.items():
        data = files.get(name)
        if data is not None and (len(data) != file.size or hashlib.sha256(data).hexdigest() != file.sha256):
            errors.append(f"{name} was changed")
    if errors:
        raise _CheckFailed("; ".join(errors))
    return "", f"all {len(listed)} match the manifest (size, SHA-256), none missing, none added"


def _check_alert(files: Mapping[str, bytes], manifest: _Manifest) -> tuple[str, str]:
    name = ALERT_V1 if manifest.format_version == 1 else ALERT
    feature = _load_json(files, name)
    if not isinstance(feature, dict) or feature.get("type") != "Feature" or feature.get("id") != manifest.alert:
        raise _CheckFailed(f"{name} is not the alert {manifest.alert}")
    return "", f"{name} is the alert of the manifest"


def _check_log(files: Mapping[str, bytes], manifest: _Manifest) -> tuple[str, str]:
    log = _parse(files, LOG, _Log)
    if log.alert != manifest.alert:
        raise _CheckFailed(f"{LOG} belongs to the alert {log.alert}, not {manifest.alert}")
    rows = [Row(row.sequence, row.fields, row.previous_hash, row.hash) for row in log.rows]
    broken = verify(rows)
    if broken is not None:
        raise _CheckFailed(f"transition {broken} is missing or was changed")
    for row in rows:
        if row.fields.get("alert", manifest.alert) != manifest.alert:
            raise _CheckFailed(f"transition {row.sequence} belongs to the alert {row.fields['alert']!r}")
    for previous, row in pairwise(rows):
        if row.fields.get("from_state") != previous.fields.get("to_state"):
            raise _CheckFailed(
                f"transition {row.sequence} does not start from the state of transition {previous.sequence}"
            )
    last = rows[-1].hash if rows else GENESIS_HASH
    if log.last_hash != last:
        raise _CheckFailed(f"the log ends at {last}, not at {log.last_hash}: transitions were removed")
    return last, f"{len(rows)} transitions, hash chain intact; last hash: {last}"


def _check_evidence(files: Mapping[str, bytes]) -> tuple[str, str]:
    """Compare the evidence files with the checksums that the log names."""
    named: dict[str, str] = {}
    for row in _parse(files, LOG, _Log).rows:
        _collect(row.fields.get("evidence"), named)
    held = {name: data for name, data in files.items() if name.startswith(FILE_PREFIX)}
    errors = []
    for name, data in held.items():
        uid = name.removeprefix(FILE_PREFIX).rpartition(".")[0]
        if uid not in named:
            errors.append(f"{name} is not evidence of any step in {LOG}")
        elif hashlib.sha256(data).hexdigest() != named[uid]:
            errors.append(f"{name} differs from the file that was submitted")
    if errors:
        raise _CheckFailed("; ".join(errors))
    left_out = len(named) - len(held)
    return "", f"{len(held)} files are those that the steps name" + (f"; {left_out} are not here" if left_out else "")


def _collect(value: Any, found: dict[str, str]) -> None:
    """Collect id and checksum of the files named in the evidence of a step."""
    if isinstance(value, dict):
        if isinstance(value.get("file"), str) and isinstance(value.get("sha256"), str):
            found[value["file"]] = value["sha256"]
        else:
            for inner in value.values():
                _collect(inner, found)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, found)


def _parse(files: Mapping[str, bytes], name: str, model: type[Any]) -> Any:
    try:
        return model.model_validate(_load_json(files, name))
    except ValidationError as error:
        first = error.errors()[0]
        location = ".".join(map(str, first["loc"]))
        raise _CheckFailed(f"{name} is invalid: {location}: {first['msg']}") from error


def _load_json(files: Mapping[str, bytes], name: str) -> Any:
    if name not in files:
        raise _CheckFailed(f"{name} is missing")
    try:
        return json.loads(files[name].decode(), object_pairs_hook=_reject_duplicates, parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise _CheckFailed(f"{name} is not valid JSON: {error}") from error


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Reject duplicate keys, which parsers interpret differently."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("duplicate key")
    return dict(pairs)


def _reject_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not a JSON number")
