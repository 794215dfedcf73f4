"""``tuban config``: print the effective settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import yaml

from configs.service import read_service
from inference.settings import read_config


def config(
    file: Annotated[Path, typer.Option("--config", help="Settings file of scans; default: the shipped one.")] = Path(
        "profiles.yaml"
    ),
) -> None:
    """Print the effective settings, after validation.

    "scan" is configs/profiles.yaml (or --config). "service" is configs/service.yaml (or the file named by
    TUBAN_SERVICE), overridden by environment variables TUBAN_…. Secrets are not shown.

    Example: tuban config

    Exit codes: 0 printed, 2 a setting is invalid.
    """
    sections = {"scan": read_config(file), "service": read_service()}
    values = {name: settings.model_dump(mode="json") for name, settings in sections.items()}
    typer.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), nl=False)
