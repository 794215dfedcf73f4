"""Files of layers: one file, the parts of a Shapefile, or a zip of them, kept as one object and opened for reading."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from errors import SettingsError
from service.context import Context
from store.areas.polygon_file import POLYGON_SUFFIXES
from store.schema.tables import LayerVersion

_BESIDE = (".dbf", ".shx", ".prj", ".cpg", ".sbn", ".sbx", ".xml", ".qpj")
_MOST_UNPACKED = 16 * 2**30
_MOST_MEMBERS = 200
FORMATS = ", ".join((*POLYGON_SUFFIXES, ".zip"))


@dataclass(frozen=True)
class ReceivedFile:
    """A layer's file as an object.

    Attributes:
        name: for people: of the polygon file.
        object_key: of the object.
        sha256: its checksum.
        size: its size in bytes.
    """

    name: str
    object_key: str
    sha256: str
    size: int


def receive_layer_file(context: Context, files: Sequence[tuple[str, Path]]) -> ReceivedFile:
    """Store a layer's file, or the parts of a Shapefile as one zip.

    Args:
        context: of the service.
        files: name and path of each.

    Raises:
        SettingsError: none or several of them hold polygons.
    """
    name = _main_name([name for name, _ in files])
    if len(files) == 1:
        return _store(context, name, files[0][1], Path(name).suffix.lower())
    with tempfile.TemporaryDirectory(prefix="tuban-layer-") as folder:
        packed = Path(folder) / "layer.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for part, path in files:
                # one date for all: the same files give the same checksum
                entry = zipfile.ZipInfo(Path(part).name, (1980, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, 1 << 20)
        return _store(context, name, packed, ".zip")


def files_beside(path: Path) -> list[tuple[str, Path]]:
    """Return a file given to a command with the other parts of its Shapefile."""
    if path.suffix.lower() != ".shp" or not path.is_file():
        return [(path.name, path)]
    parts = [
        other
        for other in path.parent.iterdir()
        if other.stem.lower() == path.stem.lower() and other.suffix.lower() in (".shp", *_BESIDE) and other.is_file()
    ]
    return [(part.name, part) for part in sorted(parts)]


@contextmanager
def opened_layer_file(context: Context, version: LayerVersion) -> Iterator[Path]:
    """Give the polygon file of a version, unpacked.

    Raises:
        SettingsError: the object is gone, or its zip holds none or several polygon files.
    """
    if not version.object_key or not context.objects.exists(version.object_key):
        message = f"The file of version {version.number} is no longer in the object store; submit it again."
        raise SettingsError(message, "layer.file_gone", number=version.number)
    with (
        context.objects.local(version.object_key) as stored,
        tempfile.TemporaryDirectory(prefix="tuban-layer-") as folder,
    ):
        if stored.suffix.lower() != ".zip":
            # a name of its own: messages name the file as the person does
            link = Path(folder) / (Path(version.file_name).stem[:100] + stored.suffix.lower())
            link.symlink_to(stored)
            yield link
            return
        yield _unpack(stored, Path(folder), version.file_name)


@contextmanager
def opened_upload(files: Sequence[tuple[str, Path]]) -> Iterator[Path]:
    """Give the polygon file among files that are not kept, unpacked.

    Args:
        files: name and path of each: one file, the parts of a Shapefile, or a zip of them.

    Raises:
        SettingsError: none or several of them hold polygons.
    """
    name = _main_name([name for name, _ in files])
    main = next(path for part, path in files if part == name)
    with tempfile.TemporaryDirectory(prefix="tuban-areas-") as folder:
        if Path(name).suffix.lower() == ".zip":
            yield _unpack(main, Path(folder), name)
            return
        stem = "".join(c for c in Path(name).stem if c.isalnum() or c in "-_ ")[:100] or "areas"
        for part, path in files:
            suffix = Path(part).suffix.lower()
            if suffix in (*POLYGON_SUFFIXES, *_BESIDE):
                (Path(folder) / (stem + suffix)).symlink_to(path)
        yield Path(folder) / (stem + Path(name).suffix.lower())


def _store(context: Context, name: str, path: Path, suffix: str) -> ReceivedFile:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    sha256 = digest.hexdigest()
    key = f"layers/{sha256}{suffix}"
    if not context.objects.exists(key):
        context.objects.put(key, path)
    return ReceivedFile(name, key, sha256, path.stat().st_size)


def _main_name(names: Sequence[str]) -> str:
    """Return the name of the file that holds the polygons.

    Raises:
        SettingsError: none or several do.
    """
    polygons = [name for name in names if Path(name).suffix.lower() in (*POLYGON_SUFFIXES, ".zip")]
    if not polygons:
        listed = ", ".join(names)[:200]
        raise SettingsError(
            f"{listed} contains no file of a layer; expected one of {FORMATS}.", "layer.zip", file=listed,
            formats=FORMATS,
        )  # fmt: skip
    if len(polygons) > 1:
        listed = ", ".join(polygons)[:200]
        raise SettingsError(
            f"There are several files of layers: {listed}. Submit one of them.", "layer.zip_several",
            file=str(len(names)), names=listed,
        )  # fmt: skip
    return polygons[0]


def _unpack(archive: Path, folder: Path, name: str) -> Path:
    """Unpack the polygon file of a zip with its parts; folders in the zip are ignored."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [
                member
                for member in opened.infolist()
                if not member.is_dir()
                and Path(member.filename).suffix.lower() in (*POLYGON_SUFFIXES, *_BESIDE)
                and not Path(member.filename).name.startswith(".")
                and "__MACOSX" not in member.filename
            ]
            if len(members) > _MOST_MEMBERS or sum(member.file_size for member in members) > _MOST_UNPACKED:
                raise zipfile.BadZipFile("it unpacks to more than 16 GiB or 200 files")
            main = _main_member(members, name)
            stem = Path(main.filename).stem.lower()
            for member in members:
                path = Path(member.filename.replace("\\", "/"))
                if path.stem.lower() == stem or member is main:
                    with opened.open(member) as source, (folder / f"layer{path.suffix.lower()}").open("wb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
        why = str(error)
        raise SettingsError(f"{name} is not a usable zip file: {why}", "layer.zip_bad", file=name, why=why) from error
    return folder / f"layer{Path(main.filename).suffix.lower()}"


def _main_member(members: Sequence[zipfile.ZipInfo], name: str) -> zipfile.ZipInfo:
    polygons = [member for member in members if Path(member.filename).suffix.lower() in POLYGON_SUFFIXES]
    others = [member for member in polygons if Path(member.filename).suffix.lower() != ".txt"]
    found = others or polygons  # a readme beside the layer is no parcel file
    if len(found) == 1:
        return found[0]
    if not found:
        raise SettingsError(
            f"{name} contains no file of a layer; expected one of {FORMATS}.", "layer.zip", file=name, formats=FORMATS
        )
    names = ", ".join(member.filename for member in found)[:200]
    raise SettingsError(
        f"{name} contains several files of layers: {names}. Submit one of them.", "layer.zip_several", file=name,
        names=names,
    )  # fmt: skip
