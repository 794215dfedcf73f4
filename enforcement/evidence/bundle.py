"""The evidence bundle: one alert in one signed zip that anybody can check without a server.

::

    manifest.json    names, sizes and SHA-256 of all other files, the alert's number, who made it and when
    manifest.sig     Ed25519 over the bytes of manifest.json
    public_key.pem   by which the signature can be checked; who holds its private half is for people to know
    alert.geojson     the alert (RFC 7946)
    log.json         its steps, each with the hash of the one before
    sheet_zh.pdf …   evidence sheets
    before.png …     pictures

A signature shows that nothing was changed since the signing, not that what was signed is true.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from PIL import Image

from enforcement.alert import STATEMENT, Alert, alert_feature
from enforcement.evidence.safe_zip import MOST_BYTES, MOST_FILE_BYTES, MOST_FILES, is_plain_name
from enforcement.evidence.signing_key import fingerprint, public_pem
from enforcement.hash_chain import GENESIS_HASH, Row, canonical_json
from errors import OutputError

FORMAT = "tuban-evidence-bundle"
FORMAT_VERSION = 2
MANIFEST, SIGNATURE, PUBLIC_KEY = "manifest.json", "manifest.sig", "public_key.pem"
ALERT, LOG = "alert.geojson", "log.json"
ALERT_V1 = "lead.geojson"
"""Name of the alert's file in bundles of format version 1, which are still checked."""
SEALS = (MANIFEST, SIGNATURE, PUBLIC_KEY)
"""Files that the manifest does not list: itself, and what it is checked by."""


@dataclass(frozen=True)
class Bundle:
    """What goes into a bundle.

    Attributes:
        alert: the alert.
        log: its whole log, oldest first; ``fields`` exactly as they were hashed.
        created_at: aware moment.
        sheets: evidence sheets, PDF, by language: ``zh``, ``en``.
        pictures: uint8 H×W×3 by name, like ``before``.
        tool_version: of the software; the installed one, if "".
    """

    alert: Alert
    log: Sequence[Row]
    created_at: dt.datetime
    sheets: Mapping[str, bytes] = field(default_factory=dict)
    pictures: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    tool_version: str = ""


def write_bundle(bundle: Bundle, key: Ed25519PrivateKey) -> bytes:
    """Make a bundle; equal input gives equal bytes.

    Raises:
        OutputError: it would be larger than what :func:`enforcement.evidence.bundle_check.verify_bundle` reads, a name is no
            plain one, or the moment has no time zone.
    """
    if bundle.created_at.tzinfo is None:
        raise OutputError("The moment at which a bundle is made has no time zone: give an aware one.")
    files = _files(bundle)
    _check(files)
    manifest = _json(
        {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "tool": "tuban",
            "tool_version": bundle.tool_version or _installed(),
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
    sealed = {MANIFEST: manifest, SIGNATURE: key.sign(manifest), PUBLIC_KEY: public_pem(key), **files}
    return _zipped(sealed, bundle.created_at)


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
    return files


def _check(files: Mapping[str, bytes]) -> None:
    """Refuse to write what nobody could check."""
    if bad := [name for name in files if not is_plain_name(name)]:
        raise OutputError(f"A bundle's files have plain names of letters, digits, - and _; not {bad[0]!r}.")
    sizes = [len(data) for data in files.values()]
    if len(files) + len(SEALS) > MOST_FILES or max(sizes) > MOST_FILE_BYTES or sum(sizes) > MOST_BYTES // 2:
        raise OutputError(
            f"The bundle would hold {len(files)} files of {sum(sizes) / 2**20:,.0f} MiB, more than can be checked: "
            "leave out pictures."
        )


def _zipped(files: Mapping[str, bytes], moment: dt.datetime) -> bytes:
    stamp = moment.astimezone(dt.UTC)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, (max(stamp.year, 1980), *stamp.timetuple()[1:6]))
            entry.create_system = 3  # Unix on every machine, so that the bytes are the same
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return held.getvalue()


def _png(pixels: NDArray[np.uint8]) -> bytes:
    held = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(held, "PNG")
    return held.getvalue()


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def _installed() -> str:
    try:
        return version("tuban")
    except PackageNotFoundError:
        return "unknown"
