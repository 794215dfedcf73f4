"""The files of a folder ``A/ B/ label/``: complete pairs, and incomplete ones with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from errors import SettingsError

SUFFIXES = (".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
FOLDERS = ("A", "B", "label")


@dataclass(frozen=True)
class PairFiles:
    """The three files of one pair, which share their stem ``name``."""

    name: str
    before: Path
    after: Path
    label: Path


@dataclass(frozen=True)
class FailedPair:
    """A pair that could not be evaluated, and the reason."""

    pair: str
    reason: str


@dataclass(frozen=True)
class PairListing:
    """Content of a folder.

    Attributes:
        pairs: complete pairs, sorted by name.
        failed: stems with a missing or duplicate file.
        ignored: files without an image suffix, as ``A/name``.
    """

    pairs: tuple[PairFiles, ...]
    failed: tuple[FailedPair, ...]
    ignored: tuple[str, ...]


def list_pairs(folder: Path) -> PairListing:
    """List the pairs of a folder without opening a file.

    Raises:
        SettingsError: there is no such folder, or it lacks A, B or label, or they contain no image.
    """
    if not folder.is_dir():
        raise SettingsError(f"{folder} is no folder; expected one with the folders A, B and label.")
    missing = [name for name in FOLDERS if not (folder / name).is_dir()]
    if missing:
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        found = ", ".join(names[:8]) + (", …" if len(names) > 8 else "") if names else "nothing"
        raise SettingsError(
            f"{folder} contains {found}; expected the folders A (earlier), B (later) and label (mask), "
            f"with the same stems. Missing: {', '.join(missing)}."
        )
    stems: dict[str, dict[str, list[Path]]] = {name: {} for name in FOLDERS}
    ignored = []
    for name in FOLDERS:
        for path in sorted((folder / name).iterdir()):
            if path.name.startswith(".") or not path.is_file():
                continue
            if path.suffix.lower() in SUFFIXES:
                stems[name].setdefault(path.stem, []).append(path)
            else:
                ignored.append(f"{name}/{path.name}")
    pairs, failed = [], []
    for stem in sorted(set().union(*stems.values())):
        files = [stems[name].get(stem, []) for name in FOLDERS]
        reason = _why_incomplete(stem, files)
        if reason is None:
            pairs.append(PairFiles(stem, *(found[0] for found in files)))
        else:
            failed.append(FailedPair(stem, reason))
    if not pairs and not failed:
        raise SettingsError(
            f"{folder} contains no image in A, B or label; expected files that end in {', '.join(SUFFIXES)}"
            + (f", found {', '.join(ignored[:5])}." if ignored else ".")
        )
    return PairListing(tuple(pairs), tuple(failed), tuple(ignored))


def _why_incomplete(stem: str, files: list[list[Path]]) -> str | None:
    """Return why the files of a stem form no pair; None if they do."""
    for name, found in zip(FOLDERS, files, strict=True):
        if not found:
            present = [f"{n}/{f[0].name}" for n, f in zip(FOLDERS, files, strict=True) if f]
            return f"found {' and '.join(present)}, expected {name}/{stem} with any of {', '.join(SUFFIXES)} too"
        if len(found) > 1:
            return f"found {' and '.join(path.name for path in found)} in {name}, expected one file of this stem"
    return None
