"""Which of many files are images, and which are the small text files that say where an image lies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from errors import Reason
from imagery.files.odm import recognise_odm

_ALWAYS_HIDDEN = ("thumbs.db", "desktop.ini", "__macosx")
_UNREAD = (".ovr", ".aux.xml", ".aux", ".rrd", ".msk")
_WORLD = ("tfw", "tifw", "tiffw", "jgw", "jpgw", "jpegw", "pgw", "pngw", "j2w", "jp2w", "wpw", "webpw", "wld")

NO_REASON = Reason("")
SHOTS_SUFFIX = "odm"


@dataclass(frozen=True)
class FileRole:
    """What one file is taken as.

    Attributes:
        name: as given.
        role: an image is whatever nothing else is known of.
        world: of an image: the name of its world file; None: there is none.
        prj: of an image: the name of the file with its coordinate system.
        shots: of an orthophoto by OpenDroneMap: the name of the file that tells of its photos.
        reason: of a sidecar or an ignored file, for people.
    """

    name: str
    role: Literal["image", "zip", "sidecar", "ignored"]
    world: str | None = None
    prj: str | None = None
    shots: str | None = None
    reason: Reason = NO_REASON

    @property
    def sidecars(self) -> dict[str, str]:
        """Of an image: the suffixes under which files are to lie beside it, and their names."""
        found = {"wld": self.world, "prj": self.prj, SHOTS_SUFFIX: self.shots}
        return {suffix: name for suffix, name in found.items() if name is not None}


def is_hidden(name: str) -> bool:
    """Whether a file manager would not show a file or a folder it lies in."""
    parts = (part for part in PurePosixPath(name).parts if part != "..")
    return any(part.startswith(".") or part.lower() in _ALWAYS_HIDDEN for part in parts)


def assign_file_roles(names: Iterable[str]) -> list[FileRole]:
    """Match world files and .prj to images by their name without suffix, in the same folder.

    Of an output of OpenDroneMap the orthophoto is an image.

    Args:
        names: paths with ``/`` between folders.

    Returns:
        one entry for each that is not hidden, in the order given.
    """
    shown = [name for name in names if not is_hidden(name)]
    by_lower: dict[str, str] = {}
    for name in shown:
        by_lower.setdefault(name.lower(), name)
    sidecars = [name for name in shown if _suffix(name) in (*_WORLD, "prj")]
    unread = {name for name in shown if name.lower().endswith(_UNREAD)}
    orthophotos, left = recognise_odm(shown)
    shots = {told: name for name, told in orthophotos.items() if told is not None}
    images = [
        name
        for name in shown
        if name not in unread
        and name not in shots
        and name not in left
        and _suffix(name) not in (*_WORLD, "prj", "zip")
    ]
    found = {name: _of_image(name, by_lower) for name in images}
    used = {sidecar: image for image, both in found.items() for sidecar in both if sidecar is not None}
    sorted_out = []
    for name in shown:
        if name in found:
            sorted_out.append(FileRole(name, "image", *found[name], orthophotos.get(name)))
        elif name in left:
            sorted_out.append(FileRole(name, "ignored", reason=left[name]))
        elif name in shots:
            sorted_out.append(FileRole(name, "sidecar", reason=_read_with(shots[name])))
        elif name in unread:
            reason = Reason(
                "what GDAL writes beside an image is not read: the image itself holds all that is needed",
                "beside.unread",
            )
            sorted_out.append(FileRole(name, "ignored", reason=reason))
        elif name in used:
            sorted_out.append(FileRole(name, "sidecar", reason=_read_with(used[name])))
        elif name in sidecars:
            sorted_out.append(
                FileRole(name, "ignored", reason=Reason("no image of this name lies beside it", "beside.alone"))
            )
        else:
            sorted_out.append(FileRole(name, "zip"))
    return sorted_out


def _read_with(image: str) -> Reason:
    name = PurePosixPath(image).name
    return Reason(f"read with {name}", "beside.used", name=name)


def _of_image(name: str, by_lower: dict[str, str]) -> tuple[str | None, str | None]:
    suffix = _suffix(name)
    stem = name[: len(name) - len(suffix) - 1] if suffix else name
    world = [f"{suffix[0]}{suffix[-1]}w", f"{suffix}w", "wld"] if suffix else ["wld"]
    return _first(stem, world, by_lower), _first(stem, ["prj"], by_lower)


def _first(stem: str, suffixes: Sequence[str], by_lower: dict[str, str]) -> str | None:
    for suffix in suffixes:
        found = by_lower.get(f"{stem}.{suffix}".lower())
        if found is not None:
            return found
    return None


def _suffix(name: str) -> str:
    """Lower case, without its dot."""
    return PurePosixPath(name).suffix[1:].lower()
