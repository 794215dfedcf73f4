"""Evidence bundle: an alert in a signed zip file that can be verified without a server.

::

    manifest.json    names, sizes and SHA-256 of all other files, alert number, software version, time of creation
    manifest.sig     Ed25519 signature of the bytes of manifest.json
    public_key.pem   key that verifies the signature; its owner has to be established by other means
    alert.geojson    the alert (RFC 7946)
    log.json         its transitions, linked by a hash chain
    sheet_zh.pdf …   evidence sheets
    before.png …     pictures
    outlines.json    outlines that people drew or corrected: who, when, why; only if there are any
    files.json       evidence files of the steps: name, checksum, record; whether the bundle holds them
    file_UID.jpg …   their original bytes, with the checksum that log.json names

A signature proves that nothing was changed after the signing, not that the signed content is true.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from PIL import Image

from configs.version import program_version
from enforcement.alert import STATEMENT, Alert, alert_feature
from enforcement.evidence.outline_history import OutlineChange, outline_changes_json
from enforcement.evidence.safe_zip import MAX_BYTES, MAX_FILE_BYTES, MAX_FILES, is_plain_name
from enforcement.evidence.signing_key import fingerprint, public_pem
from enforcement.hash_chain import GENESIS_HASH, Row, canonical_json
from errors import OutputError

FORMAT = "tuban-evidence-bundle"
FORMAT_VERSION = 2
MANIFEST, SIGNATURE, PUBLIC_KEY = "manifest.json", "manifest.sig", "public_key.pem"
ALERT, LOG = "alert.geojson", "log.json"
FILES, FILE_PREFIX = "files.json", "file_"
OUTLINES = "outlines.json"
ALERT_V1 = "lead.geojson"
"""Name of the alert's file in bundles of format version 1, which are still accepted."""
SIGNATURE_FILES = (MANIFEST, SIGNATURE, PUBLIC_KEY)
"""Files that the manifest does not list: itself, its signature and the key."""


@dataclass(frozen=True)
class BundleFile:
    """An evidence file.

    Attributes:
        uid: its id in the log.
        extension: of its name in the bundle, like ``jpg``.
        about: name, type, size, sha256, who, times and record, as plain JSON.
        content: original bytes; None: not in the bundle, because it would be too large to be verified.
    """

    uid: str
    extension: str
    about: Mapping[str, Any]
    content: bytes | None

    @property
    def name(self) -> str:
        """Name in the bundle."""
        return f"{FILE_PREFIX}{self.uid}.{self.extension}"


@dataclass(frozen=True)
class Bundle:
    """Content of a bundle.

    Attributes:
        alert: the alert.
        log: its complete log, oldest first; ``fields`` exactly as they were hashed.
        created_at: timezone-aware time.
        sheets: evidence sheets, PDF, by language: ``zh``, ``en``.
        pictures: uint8 H×W×3 by name, like ``before``.
        files: evidence files of the steps, oldest first.
        outlines: outlines that people drew or corrected, oldest first.
        tool_version: version of the software; "": the installed one.
    """

    alert: Alert
    log: Sequence[Row]
    created_at: dt.datetime
    sheets: Mapping[str, bytes] = field(default_factory=dict)
    pictures: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    files: Sequence[BundleFile] = ()
    outlines: Sequence[OutlineChange] = ()
    tool_version: str = ""


def write_bundle(bundle: Bundle, key: Ed25519PrivateKey) -> bytes:
    """Create a bundle; equal input gives equal bytes.

    Raises:
        OutputError: the bundle exceeds the limits of :func:`enforcement.evidence.bundle_check.verify_bundle`, a file
            name is not plain, or the time has no time zone.
    """
    if bundle.created_at.tzinfo is None:
        raise OutputError("The time of creation of a bundle has no time zone: pass a timezone-aware time.")
    files = _files(bundle)
    _validate(files)
    manifest = _json(
        {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "tool": "tuban",
            "tool_version": bundle.tool_version or program_version(),
            "alert": bundle.alert.number,
            "statement": {"zh": STATEMENT[0], "en": STATEMENT[1]},
            "created_at": bundle.created_at.astimezone(dt.UTC).isoformat(timespec="seconds"),
            "signed_by": fingerprint(key.public_key()),
            "files": [
                {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                for name, data in files.items()
            ],
        }
    )
    signed = {MANIFEST: manifest, SIGNATURE: key.sign(manifest), PUBLIC_KEY: public_pem(key), **files}
    return _zip(signed, bundle.created_at)


def _files(bundle: Bundle) -> dict[str, bytes]:
    rows = [
        {
            "sequence": row.sequence,
            "fields": json.loads(canonical_json(dict(row.fields))),
            "previous_hash": row.previous_hash,
            "hash": row.hash,
        }
        for row in bundle.log
    ]
    last = bundle.log[-1].hash if bundle.log else GENESIS_HASH
    files = {
        ALERT: _json(alert_feature(bundle.alert)),
        LOG: _json({"alert": bundle.alert.number, "last_hash": last, "rows": rows}),
    }
    for language, sheet in sorted(bundle.sheets.items()):
        files[f"sheet_{language}.pdf"] = sheet
    for name, pixels in sorted(bundle.pictures.items()):
        files[f"{name}.png"] = _png(pixels)
    if bundle.outlines:
        files[OUTLINES] = _json({"alert": bundle.alert.number, "outlines": outline_changes_json(bundle.outlines)})
    if bundle.files:
        listed = [{**file.about, "file": file.uid, "in": file.name if file.content else None} for file in bundle.files]
        files[FILES] = _json({"alert": bundle.alert.number, "files": listed})
        files |= {file.name: file.content for file in bundle.files if file.content}
    return files


def _validate(files: Mapping[str, bytes]) -> None:
    """Reject content that verification would reject."""
    if invalid := [name for name in files if not is_plain_name(name)]:
        raise OutputError(f"A bundle's files have plain names of letters, digits, - and _; not {invalid[0]!r}.")
    sizes = [len(data) for data in files.values()]
    if len(files) + len(SIGNATURE_FILES) > MAX_FILES or max(sizes) > MAX_FILE_BYTES or sum(sizes) > MAX_BYTES // 2:
        raise OutputError(
            f"The bundle would hold {len(files)} files of {sum(sizes) / 2**20:,.0f} MiB, more than can be verified: "
            "omit pictures."
        )


def _zip(files: Mapping[str, bytes], created_at: dt.datetime) -> bytes:
    timestamp = created_at.astimezone(dt.UTC)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, (max(timestamp.year, 1980), *timestamp.timetuple()[1:6]))
            entry.create_system = 3  # Unix on all platforms, for equal bytes
            entry.external_attr = 0o100644 << 16
            entry.compress_type = (
                zipfile.ZIP_STORED
                if name.endswith((".png", ".jpg", ".heic", ".webp", ".docx"))
                else zipfile.ZIP_DEFLATED
            )
            archive.writestr(entry, data)
    return buffer.getvalue()


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    return buffer.getvalue()


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()
