"""Checking an evidence bundle that comes from strangers: in memory, step by step, each step told."""

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
    FORMAT,
    FORMAT_VERSION,
    LOG,
    MANIFEST,
    PUBLIC_KEY,
    SEALS,
    SIGNATURE,
)
from enforcement.evidence.safe_zip import HostileZip, read_sealed_zip
from enforcement.evidence.signing_key import fingerprint, read_public_key
from enforcement.hash_chain import GENESIS_HASH, Row, verify
from errors import SettingsError

_MOST_TEXT = 200
_MOST_WORDS = 1000  # of one check
Checksum = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1, max_length=_MOST_TEXT)]
AlertNumber = Annotated[Text, Field(validation_alias=AliasChoices("alert", "lead"))]
"""Format version 1 called an alert a "lead"."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: archive, manifest, signature, signer, files, alert, log.
        good: whether it is as it should be; None: could not be told, or was not asked for.
        words: for people.
    """

    name: str
    good: bool | None
    words: str


@dataclass(frozen=True)
class BundleReport:
    """What came of checking a bundle.

    Attributes:
        alert: number of the alert; "" when the manifest cannot be read.
        created_at: ISO 8601, as the manifest says.
        tool_version: as the manifest says.
        signer: fingerprint of the key whose signature is good; "" when none is.
        trusted: whether that key is the one that the caller named; None: the caller named none.
        last_hash: of the log, to be compared with a printed sheet.
        checks: in the order in which they were made.
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
        """Whether nothing is wrong. With ``trusted`` None that means whole, not whose."""
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


class _Wrong(Exception):  # noqa: N818  (an answer within this file)
    """A check failed; the message says why."""


def verify_bundle(path: Path, trusted_key: str | None = None) -> BundleReport:
    """Check a bundle: archive, manifest, signature, signer, every file, the alert, the log.

    Nothing is unpacked to the disk. What is wrong is told in the report, not raised.

    Args:
        path: of the bundle.
        trusted_key: fingerprint that the signer must have (:func:`enforcement.evidence.signing_key.fingerprint_given`); None:
            any key is taken, and the report says so.

    Raises:
        SettingsError: there is no file to be read.
    """
    checks: list[Check] = []
    try:
        files = read_sealed_zip(path)
    except OSError as error:
        raise SettingsError(f"The bundle {path} cannot be read: {error.strerror or error}.") from error
    except HostileZip as error:
        return _report(None, [Check("archive", False, f"not opened further: {error}")], "", None, "")
    total = sum(map(len, files.values()))
    checks.append(Check("archive", True, f"{len(files)} plain files, {total:,} bytes, nothing hidden"))
    try:
        manifest = _manifest(files)
    except _Wrong as error:
        return _report(None, [*checks, Check("manifest", False, str(error))], "", None, "")
    checks.append(
        Check(
            "manifest",
            True,
            f"alert {manifest.alert}, made {manifest.created_at} by {manifest.tool} {manifest.tool_version}",
        )
    )
    signer = _tell(checks, "signature", lambda: _signature(files, manifest))
    checks.append(_signer(signer, trusted_key))
    _tell(checks, "files", lambda: _listed(files, manifest))
    _tell(checks, "alert", lambda: _alert(files, manifest))
    last_hash = _tell(checks, "log", lambda: _log(files, manifest))
    trusted = None if trusted_key is None else signer == trusted_key
    return _report(manifest, checks, signer, trusted, last_hash)


def _report(
    manifest: _Manifest | None, checks: list[Check], signer: str, trusted: bool | None, last_hash: str
) -> BundleReport:
    told = (manifest.alert, manifest.created_at, manifest.tool_version) if manifest else ("", "", "")
    shown = tuple(Check(check.name, check.good, _shown(check.words)) for check in checks)
    alert, created_at, tool_version = map(_shown, told)
    return BundleReport(alert, created_at, tool_version, signer, trusted, last_hash, shown)


def _shown(text: str) -> str:
    """Words of strangers fit for a terminal: without what would move its cursor or turn the reading direction."""
    return "".join(letter if letter.isprintable() else "�" for letter in text[:_MOST_WORDS])


def _tell(checks: list[Check], name: str, look: Callable[[], tuple[str, str]]) -> str:
    """Make one check and note its outcome; return what it found, "" when it failed."""
    try:
        found, words = look()
    except _Wrong as error:
        checks.append(Check(name, False, str(error)))
        return ""
    checks.append(Check(name, True, words))
    return str(found)


def _manifest(files: Mapping[str, bytes]) -> _Manifest:
    if missing := [name for name in SEALS if name not in files]:
        raise _Wrong(f"{', '.join(missing)} is missing: this is no evidence bundle, or not all of it")
    manifest: _Manifest = _parsed(files, MANIFEST, _Manifest)
    if manifest.format != FORMAT or not 1 <= manifest.format_version <= FORMAT_VERSION:
        raise _Wrong(
            f"the format is {manifest.format} {manifest.format_version}; this version checks {FORMAT} {FORMAT_VERSION}"
        )
    return manifest


def _signature(files: Mapping[str, bytes], manifest: _Manifest) -> tuple[str, str]:
    try:
        key = read_public_key(files[PUBLIC_KEY])
        key.verify(files[SIGNATURE], files[MANIFEST])
    except SettingsError as error:
        raise _Wrong(f"{PUBLIC_KEY}: {error}") from error
    except InvalidSignature as error:
        raise _Wrong("the manifest was changed after it was signed, or was signed by another key") from error
    signer = fingerprint(key)
    if manifest.signed_by != signer:
        raise _Wrong(f"the manifest names the key {manifest.signed_by}, but was signed by {signer}")
    return signer, "Ed25519, good: the manifest is as it was signed"


def _signer(signer: str, trusted_key: str | None) -> Check:
    if not signer:
        return Check("signer", None if trusted_key is None else False, "nobody: there is no good signature")
    if trusted_key is None:
        return Check("signer", None, f"{signer}; not compared with any key: anybody can sign with a key of their own")
    if signer != trusted_key:
        return Check("signer", False, f"{signer}, which is not the trusted key {trusted_key}")
    return Check("signer", True, f"{signer}, the trusted key")


def _listed(files: Mapping[str, bytes], manifest: _Manifest) -> tuple[str, str]:
    listed = {file.name: file for file in manifest.files}
    wrong = []
    if len(listed) < len(manifest.files):
        wrong.append("the manifest lists a file twice")
    wrong += [f"{name} is missing" for name in listed if name not in files or name in SEALS]
    wrong += [f"{name} is not in the manifest" for name in files if name not in listed and name not in SEALS]
    for name, file in listed.items():
        data = files.get(name)
        if data is not None and (len(data) != file.size or hashlib.sha256(data).hexdigest() != file.sha256):
            wrong.append(f"{name} was changed")
    if wrong:
        raise _Wrong("; ".join(wrong))
    return "", f"all {len(listed)} are as the manifest lists them (size, SHA-256), none missing, none besides"


def _alert(files: Mapping[str, bytes], manifest: _Manifest) -> tuple[str, str]:
    name = ALERT_V1 if manifest.format_version == 1 else ALERT
    feature = _json(files, name)
    if not isinstance(feature, dict) or feature.get("type") != "Feature" or feature.get("id") != manifest.alert:
        raise _Wrong(f"{name} is not the alert {manifest.alert}")
    return "", f"{name} is the alert that the manifest names"


def _log(files: Mapping[str, bytes], manifest: _Manifest) -> tuple[str, str]:
    log = _parsed(files, LOG, _Log)
    if log.alert != manifest.alert:
        raise _Wrong(f"{LOG} is of the alert {log.alert}, not {manifest.alert}")
    rows = [Row(row.sequence, row.fields, row.previous_hash, row.hash) for row in log.rows]
    bad = verify(rows)
    if bad is not None:
        raise _Wrong(f"step {bad} is missing or is not as it was written")
    for row in rows:
        if row.fields.get("alert", manifest.alert) != manifest.alert:
            raise _Wrong(f"step {row.sequence} is of the alert {row.fields['alert']!r}")
    for before, row in pairwise(rows):
        if row.fields.get("from_state") != before.fields.get("to_state"):
            raise _Wrong(f"step {row.sequence} does not begin where step {before.sequence} ended")
    last = rows[-1].hash if rows else GENESIS_HASH
    if log.last_hash != last:
        raise _Wrong(f"the log ends at {last}, not at {log.last_hash}: steps were taken off")
    return last, f"{len(rows)} steps, each holding the hash of the one before; the last one: {last}"


def _parsed(files: Mapping[str, bytes], name: str, model: type[Any]) -> Any:
    try:
        return model.model_validate(_json(files, name))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _Wrong(f"{name} is not what it should be: {where}: {first['msg']}") from error


def _json(files: Mapping[str, bytes], name: str) -> Any:
    if name not in files:
        raise _Wrong(f"{name} is missing")
    try:
        return json.loads(files[name].decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise _Wrong(f"{name} is no JSON that can be read: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name that is there twice means one thing to one reader and another to the next."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name is there twice")
    return dict(pairs)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")
