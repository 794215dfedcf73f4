"""Files while they are uploaded: ``home/uploads/BATCH/``, where each has its bytes and a note of what they are.

``KEY.part`` holds the bytes that came, so its length is how far the upload is: there is no second counter that a killed
server could leave behind. ``KEY.json`` holds what the person said of it, ``KEY.turn`` is locked by the request that
writes. What a person calls a file is never part of a path. ``batch.json`` keeps the day that was given, ``complete``
says that nothing more will come.
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
from imagery.files.file_roles import is_hidden
from service.file_discovery import printable_name
from service.home import InsufficientDiskSpace, require_disk_space
from store.objects.folder import write_atomically

_ID = re.compile(r"([1-9][0-9]{0,17})-([0-9a-f]{48})")
_KEY_LETTERS = 48
_NOTE_BYTES = 8192


@dataclass(frozen=True)
class Upload:
    """One file that is, or was, on its way.

    Attributes:
        batch: id of its batch.
        key: hexadecimal digits: 16 of its name, by which it is found among many, and 32 that cannot be guessed.
        name: as the person calls it, folders included.
        size: bytes when it is whole.
        sha256: of its content, in hexadecimal, as the sender says; "": not told.
        modified: when it was last changed, as the sender says, to know it again.
        part: where its bytes are.
    """

    batch: int
    key: str
    name: str
    size: int
    sha256: str
    modified: str
    part: Path

    @property
    def id(self) -> str:
        """By which it is addressed."""
        return f"{self.batch}-{self.key}"

    @property
    def offset(self) -> int:
        """Bytes that came; all of them, where they were handed over and are not here any more."""
        try:
            return self.part.stat().st_size
        except FileNotFoundError:
            return self.size

    @property
    def whole(self) -> bool:
        """Whether all bytes came."""
        return self.offset >= self.size


def folder_of(settings: ServiceSettings, batch: int) -> Path:
    """Where the files of a batch lie."""
    return settings.home.resolve() / "uploads" / str(int(batch))


def batch_of(upload_id: str) -> int | None:
    """Id of the batch in an upload's id; None: it is no id of ours."""
    found = _ID.fullmatch(upload_id)
    return int(found[1]) if found else None


def clean_name(name: str) -> str:
    """A name as it is kept: ``/`` between folders, none of them going up. "": nothing is left, or it is hidden."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    cleaned = printable_name("/".join(parts))
    return "" if is_hidden(cleaned) else cleaned


def begin_batch(settings: ServiceSettings, batch: int, date: dt.date | None) -> None:
    """Make the folder of a batch and keep the day."""
    folder = folder_of(settings, batch)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "batch.json", json.dumps({"date": date and date.isoformat()}).encode())


def date_of_batch(settings: ServiceSettings, batch: int) -> dt.date | None:
    """The day of acquisition that was given for a batch."""
    try:
        told = json.loads((folder_of(settings, batch) / "batch.json").read_bytes())["date"]
    except (OSError, ValueError, KeyError):
        return None
    return dt.date.fromisoformat(told) if told else None


def begin_upload(
    settings: ServiceSettings, batch: int, name: str, size: int, sha256: str = "", modified: str = ""
) -> Upload:
    """Make room for one file. An upload of the same name is replaced: its sender has lost its address.

    Raises:
        InsufficientDiskSpace: so many bytes do not fit on the disk beside the room that is kept free.
    """
    require_disk_space(settings)
    home = settings.home.resolve()
    if shutil.disk_usage(home).free - size < settings.limits.free_disk_mib * 2**20:
        raise InsufficientDiskSpace(f"{name} has {size / 2**20:,.0f} MiB, more than there is room for on the server.")
    folder = folder_of(settings, batch)
    of_name = hashlib.sha256(name.encode()).hexdigest()[:16]
    for path in folder.glob(f"{of_name}*.json"):
        other = _read(settings, batch, path.stem)
        if other is not None:
            remove_upload(other)
    key = of_name + secrets.token_hex(16)
    note = {"name": name, "size": size, "sha256": sha256, "modified": modified[:40]}
    (folder / f"{key}.part").touch()
    write_atomically(folder / f"{key}.json", json.dumps(note).encode())
    return Upload(batch, key, name, size, sha256, modified[:40], folder / f"{key}.part")


def find_upload(settings: ServiceSettings, upload_id: str) -> Upload | None:
    """The upload of that id; whose it is, is for the caller to ask."""
    found = _ID.fullmatch(upload_id)
    return _read(settings, int(found[1]), found[2]) if found else None


def list_uploads(settings: ServiceSettings, batch: int) -> list[Upload]:
    """All uploads of a batch, by name."""
    keys = [path.stem for path in folder_of(settings, batch).glob("*.json") if len(path.stem) == _KEY_LETTERS]
    return sorted(filter(None, (_read(settings, batch, key) for key in keys)), key=lambda upload: upload.name)


def count_uploads(settings: ServiceSettings, batch: int) -> int:
    """How many uploads a batch has, without reading them."""
    return sum(len(path.stem) == _KEY_LETTERS for path in folder_of(settings, batch).glob("*.json"))


def remove_upload(upload: Upload) -> None:
    """Forget an upload and its bytes."""
    for suffix in (".json", ".part", ".turn"):
        upload.part.with_suffix(suffix).unlink(missing_ok=True)


def mark_complete(settings: ServiceSettings, batch: int) -> None:
    """Keep that nothing more will come; a server that is started again goes on from here."""
    folder = folder_of(settings, batch)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "complete", b"")


def is_complete(settings: ServiceSettings, batch: int) -> bool:
    """Whether the person said that nothing more will come."""
    return (folder_of(settings, batch) / "complete").exists()


def batches_on_disk(settings: ServiceSettings) -> Iterator[tuple[int, dt.datetime]]:
    """Batches that have a folder, each with when something last came for it."""
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


def forget_batch(settings: ServiceSettings, batch: int) -> None:
    """Remove what lies on the disk of a batch."""
    shutil.rmtree(folder_of(settings, batch), ignore_errors=True)


def told(upload: Upload) -> dict[str, object]:
    """An upload for its sender."""
    kept = {name: value for name, value in asdict(upload).items() if name in ("name", "size", "modified", "sha256")}
    return {"id": upload.id, **kept, "offset": upload.offset}


def _read(settings: ServiceSettings, batch: int, key: str) -> Upload | None:
    folder = folder_of(settings, batch)
    try:
        with (folder / f"{key}.json").open("rb") as file:
            note = json.loads(file.read(_NOTE_BYTES))
        return Upload(
            batch, key, note["name"], note["size"], note["sha256"], note["modified"], folder / f"{key}.part"
        )  # fmt: skip
    except (OSError, ValueError, KeyError):
        return None
