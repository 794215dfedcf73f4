"""Assign roles to the files of a delivery: images, zip files, sidecar files, and files that are not read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from errors import Reason
from imagery.files.companions import archive_part, find_companions
from imagery.files.odm import find_odm_outputs

_ALWAYS_HIDDEN = ("thumbs.db", "desktop.ini", "__macosx")
_WORLD_FILES = ("tfw", "tifw", "tiffw", "jgw", "jpgw", "jpegw", "pgw", "pngw", "j2w", "jp2w", "wpw", "webpw", "wld")

SHOTS_SUFFIX, AUXILIARY_SUFFIX = "odm", "aux.xml"
DIVIDED = Reason(
    "It is a part of a divided archive. Put all parts into one folder, unpack the first one (with 7-Zip or WinRAR), "
    "and submit the unpacked files.",
    "zip.part",
)
_NO_REASON = Reason("")


@dataclass(frozen=True)
class FileRole:
    """Role of one file.

    Attributes:
        name: as given.
        role: "image" unless the name shows another role; "refused": it cannot be used, and somebody must do something.
        world: for an image: name of its world file, or None.
        prj: for an image: name of the file with its coordinate system, or None.
        auxiliary: for an image: name of its .aux.xml, which may hold its coordinate system, or None.
        shots: for an orthophoto by OpenDroneMap: name of the file that describes its photos, or None.
        reason: for a file that is neither an image nor a zip file: why it has this role.
    """

    name: str
    role: Literal["image", "zip", "sidecar", "ignored", "refused"]
    world: str | None = None
    prj: str | None = None
    auxiliary: str | None = None
    shots: str | None = None
    reason: Reason = _NO_REASON

    @property
    def sidecars(self) -> dict[str, str]:
        """Names of the sidecar files of an image, by the suffix under which they are stored with it."""
        names = {"wld": self.world, "prj": self.prj, AUXILIARY_SUFFIX: self.auxiliary, SHOTS_SUFFIX: self.shots}
        return {suffix: name for suffix, name in names.items() if name is not None}


def is_hidden(name: str) -> bool:
    """Return whether a file manager hides a file or one of its folders."""
    parts = (part for part in PurePosixPath(name).parts if part != "..")
    return any(part.startswith(".") or part.lower() in _ALWAYS_HIDDEN for part in parts)


def assign_file_roles(names: Iterable[str]) -> list[FileRole]:
    """Assign roles by name.

    World files, .prj and .aux.xml belong to the image of the same name in the same folder. In an output of
    OpenDroneMap only the orthophoto is an image. Known companions of images (:mod:`imagery.files.companions`) are
    ignored.

    Args:
        names: paths with ``/`` between folders.

    Returns:
        one entry per file that is not hidden, in the given order.
    """
    visible = [name for name in names if not is_hidden(name)]
    by_lower_case: dict[str, str] = {}
    for name in visible:
        by_lower_case.setdefault(name.lower(), name)
    orthophotos, odm_parts = find_odm_outputs(visible)
    shots = {shots: image for image, shots in orthophotos.items() if shots is not None}
    divided = _divided_archives(visible)
    others = [
        name
        for name in visible
        if name not in shots
        and name not in odm_parts
        and name not in divided
        and _suffix(name) not in (*_WORLD_FILES, "prj", "zip")
    ]
    matches = {name: _match_sidecars(name, by_lower_case) for name in others}
    companions = find_companions(others, [name for name, (world, _, _) in matches.items() if world is not None])
    images = {name: match for name, match in matches.items() if name not in companions}
    used = {sidecar: image for image, match in images.items() for sidecar in match if sidecar is not None}
    used |= shots
    roles = []
    for name in visible:
        if name in used:
            roles.append(FileRole(name, "sidecar", reason=_read_with(used[name])))
        elif name in images:
            roles.append(FileRole(name, "image", *images[name], orthophotos.get(name)))
        elif name in divided:
            roles.append(FileRole(name, "refused", reason=DIVIDED))
        elif name in odm_parts or name in companions:
            roles.append(FileRole(name, "ignored", reason=odm_parts.get(name) or companions[name]))
        elif _suffix(name) == "zip":
            roles.append(FileRole(name, "zip"))
        else:
            reason = Reason("no image of this name in the same folder", "beside.alone")
            roles.append(FileRole(name, "ignored", reason=reason))
    return roles


def _divided_archives(names: Sequence[str]) -> set[str]:
    """Return the parts of divided archives, with the .zip that is the last part of a .z01."""
    parts = {name for name in names if archive_part(name)}
    stems = {name.lower()[: -len(".z01")] for name in parts if _suffix(name)[:1] == "z"}
    return parts | {name for name in names if _suffix(name) == "zip" and name.lower().removesuffix(".zip") in stems}


def _read_with(image: str) -> Reason:
    name = PurePosixPath(image).name
    return Reason(f"read with {name}", "beside.used", name=name)


def _match_sidecars(name: str, by_lower_case: dict[str, str]) -> tuple[str | None, str | None, str | None]:
    """Return the names of the world file, .prj and .aux.xml of an image."""
    suffix = _suffix(name)
    stem = name[: len(name) - len(suffix) - 1] if suffix else name
    world = [f"{suffix[0]}{suffix[-1]}w", f"{suffix}w", "wld"] if suffix else ["wld"]
    auxiliary = [f"{suffix}.{AUXILIARY_SUFFIX}", AUXILIARY_SUFFIX]
    return (
        _first(stem, world, by_lower_case),
        _first(stem, ["prj"], by_lower_case),
        _first(stem, auxiliary, by_lower_case),
    )


def _first(stem: str, suffixes: Sequence[str], by_lower_case: dict[str, str]) -> str | None:
    for suffix in suffixes:
        found = by_lower_case.get(f"{stem}.{suffix}".lower())
        if found is not None:
            return found
    return None


def _suffix(name: str) -> str:
    """Lower case, without its dot."""
    return PurePosixPath(name).suffix[1:].lower()
