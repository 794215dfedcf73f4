"""``tuban config``: the settings as they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import yaml

from configs.service import read_service
from inference.settings import read_config


def config(
    file: Annotated[Path, typer.Option("--config", help="Settings of scans; default: the file that ships.")] = Path(
        "profiles.yaml"
    ),
) -> None:
    """Print the settings as they are read and checked.

    "scan" is configs/profiles.yaml (or --config); "service" is configs/service.yaml (or the file that TUBAN_SERVICE
    names) with what TUBAN_… of the environment says above it. Secrets are not shown.
    """
    read = {"scan": read_config(file), "service": read_service()}
    shown = {name: settings.model_dump(mode="json") for name, settings in read.items()}
    typer.echo(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), nl=False)
