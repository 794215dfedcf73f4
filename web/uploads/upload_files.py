"""Files of uploads in progress, in ``home/uploads/BATCH/``.

``KEY.part`` contains the bytes received so far, so its length is the upload's offset: there is no second counter that
could be wrong after a crash. ``KEY.json`` contains the metadata that the client sent, ``KEY.lock`` is locked by the
request that writes. The file name that the client sent is never part of a path. ``batch.json`` stores what
was stated about the files of the batch; ``complete`` marks that no more files follow.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from configs.service import ServiceSettings
from imagery.conversion.given_metadata import NOTHING_GIVEN, GivenMetadata
from imagery.files.file_roles import is_hidden
from service.file_discovery import printable_name
from service.home import InsufficientDiskSpace, require_intake_space
from store.objects.folder import write_atomically

_ID = re.compile(r"([1-9][0-9]{0,17})-([0-9a-f]{48})")
LOCK_SUFFIX = ".lock"
CHECKED_SUFFIX = ".checked"
"""A body whose checksum is still to be compared."""
_KEY_LENGTH = 48
_MAX_METADATA_BYTES = 8192


@dataclass(frozen=True)
class Upload:
    """The upload of one file.

    Attributes:
        batch: id of its batch.
        key: 48 hexadecimal digits: 16 of the hash of its name, to find it quickly, and 32 random ones.
        name: file name given by the client, including folders.
        size: size of the complete file in bytes.
        sha256: SHA-256 of the content in hexadecimal, given by the client; "" if not given.
        modified: time of last modification given by the client, which identifies the file when the upload is resumed.
        part: path of the partial file.
        is_partial: whether it is a part of a file, to be concatenated with others.
    """

    batch: int
    key: str
    name: str
    size: int
    sha256: str
    modified: str
    part: Path
    is_partial: bool = False

    @property
    def id(self) -> str:
        """Id in the upload's URL."""
        return f"{self.batch}-{self.key}"

    @property
    def offset(self) -> int:
        """Bytes received; the full size once the file was submitted and removed from here."""
        try:
            return self.part.stat().st_size
        except FileNotFoundError:
            return self.size

    @property
    def complete(self) -> bool:
        """Whether all bytes were received."""
        return self.offset >= self.size


def folder_of(settings: ServiceSettings, batch: int) -> Path:
    """Return the folder with the uploads of a batch."""
    return settings.home.resolve() / "uploads" / str(int(batch))


def batch_of(upload_id: str) -> int | None:
    """Return the batch id contained in an upload id; None if the upload id is invalid."""
    match = _ID.fullmatch(upload_id)
    return int(match[1]) if match else None


def clean_name(name: str) -> str:
    """Return a file name with ``/`` between folders and without ``..``; "" if it is then empty or hidden."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    cleaned = printable_name("/".join(parts))
    return "" if is_hidden(cleaned) else cleaned


def create_batch_folder(settings: ServiceSettings, batch: int, given: GivenMetadata) -> None:
    """Create the folder of a batch and store what was stated about its files."""
    folder = folder_of(settings, batch)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "batch.json", json.dumps(given.to_json()).encode())


def given_for_batch(settings: ServiceSettings, batch: int) -> GivenMetadata:
    """Return what was stated about the files of a batch."""
    try:
        return GivenMetadata.from_json(json.loads((folder_of(settings, batch) / "batch.json").read_bytes()))
    except (OSError, ValueError):
        return NOTHING_GIVEN


def add_upload(
    settings: ServiceSettings,
    batch: int,
    name: str,
    size: int,
    sha256: str = "",
    modified: str = "",
    is_partial: bool = False,
) -> Upload:
    """Create an upload. It replaces one of the same name, whose URL the client has evidently lost.

    A part of a file has no name and replaces nothing.

    Raises:
        InsufficientDiskSpace: the file does not fit on the disk beside the space to be kept free.
    """
    require_intake_space(settings)
    home = settings.home.resolve()
    if shutil.disk_usage(home).free - size < settings.limits.intake_mib * 2**20:
        raise InsufficientDiskSpace(f"{name} has {size / 2**20:,.0f} MiB, more than there is room for on the server.")
    folder = folder_of(settings, batch)
    name_hash = hashlib.sha256(name.encode()).hexdigest()[:16]
    for path in [] if is_partial else folder.glob(f"{name_hash}*.json"):
        previous = _read(settings, batch, path.stem)
        if previous is not None:
            remove_upload(previous)
    key = name_hash + secrets.token_hex(16)
    metadata = {"name": name, "size": size, "sha256": sha256, "modified": modified[:40], "is_partial": is_partial}
    (folder / f"{key}.part").touch()
    write_atomically(folder / f"{key}.json", json.dumps(metadata).encode())
    return Upload(batch, key, name, size, sha256, modified[:40], folder / f"{key}.part", is_partial)


def concatenate(upload: Upload, parts: list[Upload]) -> None:
    """Fill an upload with the bytes of complete parts, in this order, and delete the parts."""
    with upload.part.open("wb") as file:
        for part in parts:
            with part.part.open("rb") as source:
                shutil.copyfileobj(source, file, 2**20)
        file.flush()
        os.fsync(file.fileno())
    for part in parts:
        remove_upload(part)


def find_upload(settings: ServiceSettings, upload_id: str) -> Upload | None:
    """Return the upload with this id, without checking whose it is."""
    match = _ID.fullmatch(upload_id)
    return _read(settings, int(match[1]), match[2]) if match else None


def list_uploads(settings: ServiceSettings, batch: int) -> list[Upload]:
    """Return all uploads of a batch, by name, without parts of files."""
    keys = [path.stem for path in folder_of(settings, batch).glob("*.json") if len(path.stem) == _KEY_LENGTH]
    found = filter(None, (_read(settings, batch, key) for key in keys))
    return sorted((upload for upload in found if not upload.is_partial), key=lambda upload: upload.name)


def count_uploads(settings: ServiceSettings, batch: int) -> int:
    """Return the number of uploads of a batch, without reading their metadata."""
    return sum(len(path.stem) == _KEY_LENGTH for path in folder_of(settings, batch).glob("*.json"))


def remove_upload(upload: Upload) -> None:
    """Delete an upload with its metadata and lock file."""
    for suffix in (".json", ".part", LOCK_SUFFIX, CHECKED_SUFFIX):
        upload.part.with_suffix(suffix).unlink(missing_ok=True)


def mark_complete(settings: ServiceSettings, batch: int) -> None:
    """Store that no more files follow; a restarted server submits the batch."""
    folder = folder_of(settings, batch)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "complete", b"")


def is_complete(settings: ServiceSettings, batch: int) -> bool:
    """Return whether the client has announced that no more files follow."""
    return (folder_of(settings, batch) / "complete").exists()


def batches_on_disk(settings: ServiceSettings) -> Iterator[tuple[int, dt.datetime]]:
    """Yield each batch that has a folder, with the time at which data last arrived for it."""
    for folder in (settings.home.resolve() / "uploads").glob("*"):
        if not (folder.name.isascii() and folder.name.isdigit() and folder.is_dir()):
            continue
        times = [folder.stat().st_mtime]
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    times.append(entry.stat().st_mtime)
                except FileNotFoundError:
                    continue
        yield int(folder.name), dt.datetime.fromtimestamp(max(times), dt.UTC)


def remove_batch_folder(settings: ServiceSettings, batch: int) -> None:
    """Delete the folder of a batch with all its uploads."""
    shutil.rmtree(folder_of(settings, batch), ignore_errors=True)


def upload_progress(upload: Upload) -> dict[str, object]:
    """Return what the client may know of its upload, as JSON."""
    values = {name: value for name, value in asdict(upload).items() if name in ("name", "size", "modified", "sha256")}
    return {"id": upload.id, **values, "offset": upload.offset}


def _read(settings: ServiceSettings, batch: int, key: str) -> Upload | None:
    folder = folder_of(settings, batch)
    try:
        with (folder / f"{key}.json").open("rb") as file:
            metadata = json.loads(file.read(_MAX_METADATA_BYTES))
        return Upload(
            batch,
            key,
            metadata["name"],
            metadata["size"],
            metadata["sha256"],
            metadata["modified"],
            folder / f"{key}.part",
            metadata.get("is_partial", False),
        )
    except (OSError, ValueError, KeyError):
        return None
