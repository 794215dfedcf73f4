"""Channels, kinds and findings of the register of tips: ``configs/tips.yaml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import model_validator

from enforcement.settings import BilingualName, StrictModel, read_enforcement, read_settings


class Channel(BilingualName):
    """A way by which tips arrive; ``source`` gives the letter of an alert that the tip becomes."""

    source: str


class TipSettings(StrictModel):
    """All of ``configs/tips.yaml``."""

    channels: dict[str, Channel]
    public_channel: str
    seriousness: dict[str, BilingualName]
    handling: dict[str, BilingualName]
    findings: dict[str, BilingualName]
    declined: dict[str, BilingualName]

    @model_validator(mode="after")
    def _validate_names(self) -> TipSettings:
        sources = read_enforcement().sources
        for name, channel in self.channels.items():
            if channel.source not in sources:
                raise ValueError(
                    f"the channel {name} has the source {channel.source}, which is not in enforcement.yaml"
                )
        if self.public_channel not in self.channels:
            raise ValueError(f"public_channel: {self.public_channel} is no channel")
        return self


@cache
def read_tip_settings(path: Path = Path("tips.yaml")) -> TipSettings:
    """Read ``configs/tips.yaml``, once per process.

    Raises:
        SettingsError: the file is invalid.
    """
    return read_settings(path, TipSettings)
