"""Weights on disk: safetensors files with a published sha256 and a model card.

``model/weights/NAME.safetensors`` holds the tensors, ``NAME.md`` the card, and ``checksums.json`` gives the network and
the expected sha256 of each name. ``NAME.calibration.json``, with a checksum of its own, says what the scores mean
(:mod:`model.calibration`); weights without it are used with uncalibrated scores. Own weights are stored in a folder of
the same form.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import WeightsError
from model.calibration import Calibration
from model.registry import NetworkLayout, find_layout

if TYPE_CHECKING:
    from model.descriptor_network import DescriptorNetwork
    from model.network import ChangeNetwork

FOLDER = Path(__file__).parent / "weights"
CHECKSUMS = "checksums.json"
REGISTRATION = "registration"
"""Name of the weights that registration uses; they detect no changes."""


@dataclass(frozen=True)
class Weights:
    """A weights file with a verified checksum.

    Attributes:
        name: name in settings.
        path: the safetensors file.
        sha256: checksum of the file.
        layout: network that the weights belong to.
        threshold: probability from which a pixel counts as changed, by output (``building``, ``ground``); chosen
            on training data at export. Of uncalibrated scores; a calibration has its own.
        calibration: of the scores; None: not fitted.
    """

    name: str
    path: Path
    sha256: str
    layout: NetworkLayout
    threshold: dict[str, float]
    calibration: Calibration | None = None


@dataclass(frozen=True)
class DescriptorWeights:
    """The weights file of a :class:`model.descriptor_network.DescriptorNetwork` with a verified checksum.

    Attributes:
        path: the safetensors file.
        sha256: checksum of the file.
    """

    path: Path
    sha256: str


def _read_checksums(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / CHECKSUMS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{folder / CHECKSUMS} cannot be read ({error}); it lists the weights and their checksums."
        ) from error
    if not isinstance(content, dict):
        raise WeightsError(f"{folder / CHECKSUMS} must be a JSON object with one entry per weights file.")
    return content


def find_weights(name: str, folder: Path = FOLDER) -> Weights:
    """Find weights by name and verify their checksum.

    Raises:
        WeightsError: unknown name, missing file or wrong checksum.
    """
    published = {key: entry for key, entry in _read_checksums(folder).items() if key != REGISTRATION}
    if name not in published:
        raise WeightsError(f"Unknown weights {name!r} in {folder}; there are: {', '.join(published) or 'none'}.")
    entry = published[name]
    path = folder / f"{name}.safetensors"
    digest = _verified_digest(path, entry["sha256"])
    calibration = _read_calibration(name, folder, entry.get("calibration_sha256"))
    return Weights(name, path, digest, find_layout(entry["network"]), dict(entry["threshold"]), calibration)


def _read_calibration(name: str, folder: Path, expected: str | None) -> Calibration | None:
    """Read and verify the calibration of weights; None if none is published."""
    if expected is None:
        return None
    path = folder / f"{name}.calibration.json"
    _verified_digest(path, expected)
    try:
        return Calibration.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"The calibration {path} is not valid ({error!r}). Fit it again: tuban calibrate."
        ) from error


def save_calibration(name: str, calibration: Calibration, folder: Path = FOLDER) -> Weights:
    """Store the calibration of weights beside them and register its checksum; return the weights with it."""
    path = folder / f"{name}.calibration.json"
    path.write_text(json.dumps(calibration.as_json(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    published = _read_checksums(folder)
    published[name]["calibration_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / CHECKSUMS).write_text(json.dumps(published, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return find_weights(name, folder)


def find_descriptor_weights(folder: Path = FOLDER) -> DescriptorWeights:
    """Find the weights of the registration's descriptors and verify their checksum.

    Raises:
        WeightsError: missing file or wrong checksum.
    """
    path = folder / f"{REGISTRATION}.safetensors"
    expected = _read_checksums(folder).get(REGISTRATION, {}).get("sha256", "")
    return DescriptorWeights(path, _verified_digest(path, expected))


def save_descriptor_weights(network: DescriptorNetwork, folder: Path = FOLDER) -> DescriptorWeights:
    """Save the weights of the registration's descriptors and register their checksum. This does not write a card."""
    from safetensors.torch import save_file

    path = folder / f"{REGISTRATION}.safetensors"
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, path)
    path.chmod(0o644)  # safetensors creates files readable only by the owner
    published = _read_checksums(folder) if (folder / CHECKSUMS).exists() else {}
    published[REGISTRATION] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / CHECKSUMS).write_text(json.dumps(published, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return find_descriptor_weights(folder)


def _verified_digest(path: Path, expected: str) -> str:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise WeightsError(f"The weights {path} cannot be read ({error.strerror}).") from error
    if digest != expected:
        raise WeightsError(
            f"The weights {path} have sha256 {digest[:12]}…, expected {expected[:12]}…: the file was changed or "
            "damaged. Restore it from the release, or export it again from training."
        )
    return digest


def weights_entry(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """Return the entry of ``checksums.json``: network, sha256, thresholds.

    Raises:
        WeightsError: see :func:`find_weights`.
    """
    find_weights(name, folder)
    return dict(_read_checksums(folder)[name])


def is_taken(name: str, folder: Path = FOLDER) -> bool:
    """Return whether a folder has weights of that name."""
    registered = (folder / CHECKSUMS).exists() and name in _read_checksums(folder)
    return registered or (folder / f"{name}.safetensors").exists()


def adopt_weights(name: str, source: Path, folder: Path) -> Weights:
    """Copy weights with their card and pictures from one folder to another, and register them there."""
    entry = weights_entry(name, source)
    folder.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        if file.name != CHECKSUMS and file.stem in (name, f"{name}_worst", f"{name}.calibration"):
            shutil.copyfile(file, folder / file.name)
    registered = _read_checksums(folder) if (folder / CHECKSUMS).exists() else {}
    registered[name] = entry
    (folder / CHECKSUMS).write_text(json.dumps(registered, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return find_weights(name, folder)


def shipped_name(sha256: str) -> str | None:
    """Return the name of the shipped weights with this checksum; None: there are none."""
    return next((name for name, entry in _read_checksums(FOLDER).items() if entry.get("sha256") == sha256), None)


def install_weights(folder: Path, name: str, file: Path, entry: dict[str, Any]) -> Weights:
    """Copy a weights file into a folder of its own and register it there with its entry.

    Raises:
        WeightsError: the file does not have the checksum of its entry.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    partial = folder / f".{name}.{os.getpid()}.part"
    shutil.copyfile(file, partial)
    partial.replace(path)
    (folder / CHECKSUMS).write_text(json.dumps({name: entry}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return find_weights(name, folder)


def load_network(weights: Weights) -> ChangeNetwork:
    """Build the torch network of ``weights`` in evaluation mode.

    Raises:
        WeightsError: the tensors in the file do not fit the network.
    """
    from safetensors.torch import load_file

    from model.network import ChangeNetwork

    network = ChangeNetwork(weights.layout)
    try:
        network.load_state_dict(load_file(weights.path))
    except RuntimeError as error:
        raise WeightsError(f"The weights {weights.path} do not fit network {weights.layout.name!r}: {error}") from error
    return network.eval()


def save_weights(network: ChangeNetwork, name: str, threshold: dict[str, float], folder: Path = FOLDER) -> Weights:
    """Save the weights of a network to ``folder`` and register their checksum there.

    This writes no card, and the new weights are not calibrated.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, path)
    path.chmod(0o644)  # safetensors creates files readable only by the owner
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    published = _read_checksums(folder) if (folder / CHECKSUMS).exists() else {}
    published[name] = {"network": network.layout.name, "sha256": digest, "threshold": threshold}
    (folder / CHECKSUMS).write_text(json.dumps(published, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return find_weights(name, folder)
