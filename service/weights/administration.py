"""Add own weights, take them into use after a comparison, and return to those used before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from errors import SettingsError
from model.weights import find_weights, weights_entry
from service.context import Context
from service.installed_weights import install, shipped_weights
from service.weights.comparison import SCENES, Comparison, Progress, compare_weights
from store.access.audit_log import record_action
from store.access.rights import COMMAND
from store.review.reviewed_scans import reviewed_scans
from store.weights.own_weights import (
    SHIPPED,
    add_weights,
    object_key,
    record_use,
    version_before,
    weights_in_use,
    weights_version,
)

if TYPE_CHECKING:
    from training.synthetic import SceneSpec


def add_file(context: Context, file: Path, who: str) -> int:
    """Add a weights file of `tuban export` as a new version, which is not used yet; return its number.

    Args:
        context: of the service.
        file: ``NAME.safetensors``; ``checksums.json`` and the card ``NAME.md`` are in the same folder.
        who: adds it.

    Raises:
        SettingsError: there is no such file, or these weights were added before.
        WeightsError: its checksum is wrong, or its tensors do not fit the network.
    """
    from model.weights import load_network

    if file.suffix != ".safetensors" or not file.is_file():
        raise SettingsError(f"{file} is not a weights file; expected NAME.safetensors, as written by `tuban export`.")
    weights = find_weights(file.stem, file.parent)
    load_network(weights)
    card = file.with_suffix(".md")
    entry = weights_entry(file.stem, file.parent)
    context.objects.put(object_key(weights.sha256), file)
    with context.database.write() as session:
        version = add_weights(
            session,
            name=weights.name,
            sha256=weights.sha256,
            entry=entry,
            card=card.read_text(encoding="utf-8") if card.is_file() else "",
            who=who,
            now=context.clock(),
        )
        detail = {"version": version, "sha256": weights.sha256}
        record_action(session, who=who, what="added_weights", about=weights.name, detail=detail, now=context.clock())
    return version


def use_version(
    context: Context,
    version: int | None,
    who: str,
    *,
    force: bool = False,
    scenes: Sequence[SceneSpec] = SCENES,
    progress: Progress = lambda _part, _fraction: None,
) -> Comparison:
    """Compare a version with the weights in use, and take it into use unless it is worse.

    Args:
        context: of the service.
        version: number of own weights; None: the shipped ones.
        who: decides.
        force: take it into use although it is worse.
        scenes: rendered for the comparison.
        progress: as of :func:`compare_weights`.

    Returns:
        The comparison.

    Raises:
        SettingsError: there is no such version, or it is in use already.
        WorseWeights: it is worse, and ``force`` is False; nothing was changed.
    """
    from model.detector import Detector

    with context.database.read() as session:
        row = None if version is None else weights_version(session, version)
        current = weights_in_use(session)
        scans, _ = reviewed_scans(session, COMMAND)
    if version == (None if current is None else current.id):
        raise SettingsError(f"{_title(version)} are in use already; see `tuban weights list`.")
    sets = [
        shipped_weights() if each is None else install(context.settings, context.objects, each)
        for each in (current, row)
    ]
    old, new = (Detector(each.name, folder=each.folder, threads=context.threads) for each in sets)
    comparison = compare_weights(old, new, context.objects, scans, scenes=scenes, progress=progress)
    if comparison.worse and not force:
        raise WorseWeights(comparison)
    _record(context, version, who, forced=bool(comparison.worse), comparison=comparison.as_json())
    return comparison


def use_previous(context: Context, who: str) -> int | None:
    """Return to the weights in use before, without a comparison; return their version, None: the shipped ones.

    Raises:
        SettingsError: no others were in use before.
    """
    with context.database.read() as session:
        version = version_before(session)
        row = None if version is None else weights_version(session, version)
    if row is not None:
        install(context.settings, context.objects, row)
    _record(context, version, who, forced=False, comparison={"back": True})
    return version


class WorseWeights(SettingsError):  # noqa: N818  (a finding, not a malfunction)
    """The new weights are worse than those in use.

    Attributes:
        comparison: their scores.
    """

    def __init__(self, comparison: Comparison) -> None:
        """Describe what is worse."""
        self.comparison = comparison
        super().__init__(
            f"The weights {comparison.new} are worse than those in use, {comparison.old}: "
            f"{'; '.join(comparison.worse)}. They were not taken into use. To use them all the same, repeat the "
            "command with --force."
        )


def _record(context: Context, version: int | None, who: str, *, forced: bool, comparison: dict[str, object]) -> None:
    with context.database.write() as session:
        now = context.clock()
        record_use(session, version, who=who, now=now, forced=forced, comparison=comparison)
        detail = {"version": version, "forced": forced}
        record_action(session, who=who, what="used_weights", about=_title(version), detail=detail, now=now)


def _title(version: int | None) -> str:
    return f"The {SHIPPED} weights" if version is None else f"The own weights of version {version}"
