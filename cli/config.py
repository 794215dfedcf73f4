"""``tuban config``: the settings as they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import yaml

from inference.settings import read_config


def config(
    file: Annotated[Path, typer.Option("--config", help="Settings file; default: the one that ships.")] = Path(
        "profiles.yaml"
    ),
) -> None:
    """Print the scan's settings as they are read and checked."""
    typer.echo(yaml.safe_dump(read_config(file).model_dump(mode="json"), sort_keys=False, allow_unicode=True), nl=False)
