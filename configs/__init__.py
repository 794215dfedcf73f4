"""User-editable settings as YAML files, and functions that find and read them."""

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
        path: absolute, or relative to the working directory; otherwise the name of a file in ``configs/``.

    Raises:
        SettingsError: the file is missing or is not a YAML mapping.
    """
    file = path if path.exists() else FOLDER / path
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read ({error.strerror}).") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"The settings file {file} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"The settings file {file} must be a mapping of names to values.")
    return content


def format_validation_errors(error: ValidationError) -> str:
    """Return the invalid values of a settings file and their errors in one line."""
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
