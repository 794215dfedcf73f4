"""Weights on disk: safetensors files with a published sha256 and a model card.

``model/weights/NAME.safetensors`` holds the tensors, ``NAME.md`` the card, and ``checksums.json`` gives the network and
the expected sha256 of each name. Own weights are stored in a folder of the same form.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import WeightsError
from model.registry import NetworkLayout, find_layout

if TYPE_CHECKING:
    from model.network import ChangeNetwork

FOLDER = Path(__file__).parent / "weights"
CHECKSUMS = "checksums.json"


@dataclass(frozen=True)
class Weights:
    """A weights file with a verified checksum.

    Attributes:
        name: name in settings.
        path: the safetensors file.
        sha256: checksum of the file.
        layout: network that the weights belong to.
        threshold: probability from which a pixel counts as changed, by output (``building``, ``ground``); chosen
            on training data at export.
    """

    name: str
    path: Path
    sha256: str
    layout: NetworkLayout
    threshold: dict[str, float]


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
    published = _read_checksums(folder)
    if name not in published:
        raise WeightsError(f"Unknown weights {name!r} in {folder}; there are: {', '.join(published) or 'none'}.")
    entry = published[name]
    path = folder / f"{name}.safetensors"
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise WeightsError(f"The weights {path} cannot be read ({error.strerror}).") from error
    if digest != entry["sha256"]:
        raise WeightsError(
            f"The weights {path} have sha256 {digest[:12]}…, expected {entry['sha256'][:12]}…: the file was changed or "
            "damaged. Restore it from the release, or export it again from training."
        )
    return Weights(name, path, digest, find_layout(entry["network"]), dict(entry["threshold"]))


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
    """Save the weights of a network to ``folder`` and register their checksum there. This does not write a card."""
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
