"""Every setting a person may change lies here, as YAML; this package finds the files and reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from errors import SettingsError

FOLDER = Path(__file__).parent


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one settings file.

    Args:
        path: absolute, or relative to the working folder, or the name of a file in ``configs/``.

    Raises:
        SettingsError: the file is missing or is not a YAML mapping.
    """
    found = path if path.exists() else FOLDER / path
    try:
        content = yaml.safe_load(found.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read ({error.strerror}).") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"The settings file {found} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"The settings file {found} must hold names with values, one a line.")
    return content


def faults_in(error: ValidationError) -> str:
    """Each value that is not what a settings file holds, with what is wrong with it, in one line."""
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
