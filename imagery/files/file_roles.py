"""Assign roles to the files of a delivery: images, zip files, sidecar files, and files to ignore."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from errors import Reason
from imagery.files.odm import find_odm_outputs

_ALWAYS_HIDDEN = ("thumbs.db", "desktop.ini", "__macosx")
_IGNORED_SUFFIXES = (".ovr", ".aux.xml", ".aux", ".rrd", ".msk")
_WORLD_FILES = ("tfw", "tifw", "tiffw", "jgw", "jpgw", "jpegw", "pgw", "pngw", "j2w", "jp2w", "wpw", "webpw", "wld")

SHOTS_SUFFIX = "odm"
_NO_REASON = Reason("")


@dataclass(frozen=True)
class FileRole:
    """Role of one file.

    Attributes:
        name: as given.
        role: "image" unless the name shows another role.
        world: for an image: name of its world file, or None.
        prj: for an image: name of the file with its coordinate system, or None.
        shots: for an orthophoto by OpenDroneMap: name of the file that describes its photos, or None.
        reason: for a sidecar or an ignored file: why it has this role.
    """

    name: str
    role: Literal["image", "zip", "sidecar", "ignored"]
    world: str | None = None
    prj: str | None = None
    shots: str | None = None
    reason: Reason = _NO_REASON

    @property
    def sidecars(self) -> dict[str, str]:
        """Names of the sidecar files of an image, by the suffix under which they are stored with it."""
        names = {"wld": self.world, "prj": self.prj, SHOTS_SUFFIX: self.shots}
        return {suffix: name for suffix, name in names.items() if name is not None}


def is_hidden(name: str) -> bool:
    """Return whether a file manager hides a file or one of its folders."""
    parts = (part for part in PurePosixPath(name).parts if part != "..")
    return any(part.startswith(".") or part.lower() in _ALWAYS_HIDDEN for part in parts)


def assign_file_roles(names: Iterable[str]) -> list[FileRole]:
    """Assign roles by name.

    World files and .prj belong to the image of the same name, without its suffix, in the same folder. In an output of
    OpenDroneMap only the orthophoto is an image.

    Args:
        names: paths with ``/`` between folders.

    Returns:
        one entry per file that is not hidden, in the given order.
    """
    visible = [name for name in names if not is_hidden(name)]
    by_lower_case: dict[str, str] = {}
    for name in visible:
        by_lower_case.setdefault(name.lower(), name)
    sidecars = [name for name in visible if _suffix(name) in (*_WORLD_FILES, "prj")]
    ignored = {name for name in visible if name.lower().endswith(_IGNORED_SUFFIXES)}
    orthophotos, odm_parts = find_odm_outputs(visible)
    shots = {shots: image for image, shots in orthophotos.items() if shots is not None}
    images = [
        name
        for name in visible
        if name not in ignored
        and name not in shots
        and name not in odm_parts
        and _suffix(name) not in (*_WORLD_FILES, "prj", "zip")
    ]
    matches = {name: _match_sidecars(name, by_lower_case) for name in images}
    used = {sidecar: image for image, pair in matches.items() for sidecar in pair if sidecar is not None}
    roles = []
    for name in visible:
        if name in matches:
            roles.append(FileRole(name, "image", *matches[name], orthophotos.get(name)))
        elif name in odm_parts:
            roles.append(FileRole(name, "ignored", reason=odm_parts[name]))
        elif name in shots:
            roles.append(FileRole(name, "sidecar", reason=_read_with(shots[name])))
        elif name in ignored:
            reason = Reason(
                "auxiliary files of GDAL are not read: the image itself contains everything needed",
                "beside.unread",
            )
            roles.append(FileRole(name, "ignored", reason=reason))
        elif name in used:
            roles.append(FileRole(name, "sidecar", reason=_read_with(used[name])))
        elif name in sidecars:
            roles.append(
                FileRole(name, "ignored", reason=Reason("no image of this name in the same folder", "beside.alone"))
            )
        else:
            roles.append(FileRole(name, "zip"))
    return roles


def _read_with(image: str) -> Reason:
    name = PurePosixPath(image).name
    return Reason(f"read with {name}", "beside.used", name=name)


def _match_sidecars(name: str, by_lower_case: dict[str, str]) -> tuple[str | None, str | None]:
    suffix = _suffix(name)
    stem = name[: len(name) - len(suffix) - 1] if suffix else name
    world = [f"{suffix[0]}{suffix[-1]}w", f"{suffix}w", "wld"] if suffix else ["wld"]
    return _first(stem, world, by_lower_case), _first(stem, ["prj"], by_lower_case)


def _first(stem: str, suffixes: Sequence[str], by_lower_case: dict[str, str]) -> str | None:
    for suffix in suffixes:
        found = by_lower_case.get(f"{stem}.{suffix}".lower())
        if found is not None:
            return found
    return None


def _suffix(name: str) -> str:
    """Lower case, without its dot."""
    return PurePosixPath(name).suffix[1:].lower()
