"""Kinds of messages to people, the steps that cause them (``configs/messages.yaml``), and splitting of long texts."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from enforcement.settings import StrictModel, read_settings


class MessageKind(StrictModel):
    """One kind of message; the fields are described in ``configs/messages.yaml``."""

    waits: bool = False
    urgent: bool = False


class StepBetween(StrictModel):
    """A message about steps between two states."""

    from_state: Annotated[str, Field(alias="from")]
    to: str
    kind: str


class MessageKinds(StrictModel):
    """All of ``configs/messages.yaml``."""

    kinds: dict[str, MessageKind]
    steps: dict[str, str]
    steps_between: tuple[StepBetween, ...] = ()
    lines: Annotated[int, Field(ge=1, le=500)] = 40
    collect_seconds: Annotated[int, Field(ge=1, le=3600)] = 60

    @model_validator(mode="after")
    def _validate_kinds(self) -> MessageKinds:
        named = {*self.steps.values(), *(step.kind for step in self.steps_between)}
        if unknown := sorted(named - self.kinds.keys()):
            raise ValueError(f"steps name the kinds {', '.join(unknown)}, which are not listed")
        return self

    @property
    def mutable(self) -> list[str]:
        """Kinds that a person may mute."""
        return [name for name, kind in self.kinds.items() if not kind.urgent]

    def of_step(self, from_state: str, to_state: str) -> str | None:
        """Return the kind of message that a step causes; None: none."""
        for step in self.steps_between:
            if (step.from_state, step.to) == (from_state, to_state):
                return step.kind
        return self.steps.get(to_state)


def split_by_bytes(text: str, limit: int, mark: str = "({part}/{parts})") -> list[str]:
    """Split a text into parts of at most ``limit`` bytes in UTF-8, at line ends where possible.

    Args:
        text: any text; no character is cut or lost, apart from line ends at which it is split.
        limit: of each part including its mark, at least 60.
        mark: first line of each part if there are several.
    """
    if len(text.encode()) <= limit:
        return [text]
    room = limit - len(mark.format(part=999, parts=999).encode()) - 1
    pieces: list[str] = []
    for line in text.split("\n"):
        pieces += _cut(line, room)
    parts = [pieces[0]]
    for piece in pieces[1:]:
        if len(parts[-1].encode()) + 1 + len(piece.encode()) <= room:
            parts[-1] += f"\n{piece}"
        else:
            parts.append(piece)
    return [f"{mark.format(part=number, parts=len(parts))}\n{part}" for number, part in enumerate(parts, 1)]


def _cut(line: str, room: int) -> list[str]:
    """Cut a line that is longer than ``room`` bytes between characters."""
    pieces, current, size = [], "", 0
    for character in line:
        length = len(character.encode())
        if size + length > room:
            pieces.append(current)
            current, size = "", 0
        current += character
        size += length
    return [*pieces, current]


@cache
def read_message_kinds(path: Path = Path("messages.yaml")) -> MessageKinds:
    """Read ``configs/messages.yaml``, once per process.

    Raises:
        SettingsError: the file is invalid.
    """
    return read_settings(path, MessageKinds)
