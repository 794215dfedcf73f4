"""Weights that the detector loads: the version in use, or the shipped ones named in ``profiles.yaml``."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

from configs.service import ServiceSettings
from errors import SettingsError, WeightsError
from inference.settings import read_config
from model.detector import RUNTIMES
from model.weights import FOLDER, find_weights, install_weights, shipped_name
from store.objects.object_store import ObjectNotFound, ObjectStore
from store.schema.database import Database
from store.schema.database_errors import DatabaseError
from store.schema.weights_tables import WeightsRow
from store.weights.own_weights import weights_in_use, weights_of_sha256

logger = structlog.get_logger("tuban.weights")


@dataclass(frozen=True)
class InstalledWeights:
    """Weights in a folder of this machine.

    Attributes:
        name: of the weights.
        folder: with the weights file and its checksum.
        version: number of own weights; None: shipped.
    """

    name: str
    folder: Path
    version: int | None = None


def shipped_weights() -> InstalledWeights:
    """Return the shipped weights that ``profiles.yaml`` names, unverified."""
    return InstalledWeights(read_config().weights, FOLDER)


def version_in_use(database: Database) -> int | None:
    """Return the number of the own weights in use; None: the shipped ones."""
    with database.read() as session:
        row = weights_in_use(session)
        return None if row is None else row.id


def used_weights(settings: ServiceSettings, database: Database, objects: ObjectStore) -> InstalledWeights:
    """Return the weights in use, with their file on this machine.

    Raises:
        WeightsError: the file of own weights is missing or damaged.
    """
    with database.read() as session:
        row = weights_in_use(session)
    return shipped_weights() if row is None else install(settings, objects, row)


def weights_with_sha256(
    settings: ServiceSettings, database: Database, objects: ObjectStore, sha256: str
) -> InstalledWeights | None:
    """Return the own or shipped weights with this checksum; None: there are none."""
    with database.read() as session:
        row = weights_of_sha256(session, sha256)
    if row is not None:
        return install(settings, objects, row)
    name = shipped_name(sha256)
    return None if name is None else InstalledWeights(name, FOLDER)


def install(settings: ServiceSettings, objects: ObjectStore, row: WeightsRow) -> InstalledWeights:
    """Copy own weights from the object store to ``home/weights`` unless an intact copy is there.

    Raises:
        WeightsError: the object is missing or damaged.
    """
    folder = settings.home.resolve() / "weights" / row.sha256[:16]
    try:
        find_weights(row.name, folder)
    except WeightsError:
        try:
            with objects.local(row.object_key) as path:
                install_weights(folder, row.name, path, row.entry)
        except ObjectNotFound as error:
            raise WeightsError(
                f"The file of the weights {row.name}, version {row.id}, is missing in the object store "
                f"({row.object_key}). Restore it with `tuban check --repair BACKUP`, or return to the former weights "
                "with `tuban weights back`."
            ) from error
    return InstalledWeights(row.name, folder, row.id)


def check_detector(settings: ServiceSettings, database: Database, objects: ObjectStore) -> None:
    """Check that the detector can be loaded: the weights in use and the runtime.

    Neither torch nor the network is loaded, because worker processes fork afterwards.

    Raises:
        SettingsError: unknown runtime, or no CUDA device for ``torch-cuda``.
        WeightsError: the weights are unknown, missing or damaged.
    """
    runtime = os.environ.get("TUBAN_RUNTIME", "")
    if runtime and runtime not in RUNTIMES:
        raise SettingsError(f"TUBAN_RUNTIME is {runtime!r}; expected one of {', '.join(RUNTIMES)}.")
    if runtime == "torch-cuda" and not _has_cuda():
        raise SettingsError(
            "TUBAN_RUNTIME is torch-cuda, and no CUDA device was found. Install its driver and a CUDA build of torch, "
            "or set TUBAN_RUNTIME=openvino."
        )
    try:
        weights = used_weights(settings, database, objects)
    except DatabaseError as error:  # workers start without the database, and wait for it
        logger.warning("the weights in use are unknown: database unavailable", error=str(error).splitlines()[0])
        weights = shipped_weights()
    find_weights(weights.name, weights.folder)


def _has_cuda() -> bool:
    """Ask another process: torch must not be used in a process that forks."""
    code = "import sys, torch; sys.exit(0 if torch.cuda.is_available() else 3)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
