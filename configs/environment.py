"""Names of environment variables that override settings, and detection of misspelled ones."""

from __future__ import annotations

import os
from difflib import get_close_matches

from pydantic import BaseModel

from errors import SettingsError

PREFIX = "TUBAN_"
SEPARATOR = "__"
"""Between the name of a group and a name in it."""

_NOT_SETTINGS = (
    "TUBAN_SERVICE",
    "TUBAN_CACHE",
    "TUBAN_RUNTIME",
    "TUBAN_REAL_IMAGERY",
    "TUBAN_DEMO_EXIT",
    "TUBAN_CAMERA_PASSWORD",
    "TUBAN_LANGUAGE",
)


def reject_misspelled_variables(model: type[BaseModel]) -> None:
    """Reject environment variables that resemble a setting: they are typing errors and would have no effect.

    Raises:
        SettingsError: such a variable is set; the message names the closest setting.
    """
    names = _variable_names(model)
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable not in names and variable not in _NOT_SETTINGS:
            close = get_close_matches(variable, names, 1, cutoff=0.87)
            if close:
                raise SettingsError(
                    f"The environment variable {variable} is unknown; did you mean {close[0]}?",
                    "setup.variable",
                    variable=variable,
                    close=close[0],
                )


def _variable_names(model: type[BaseModel], prefix: str = PREFIX) -> list[str]:
    """List the environment variables that override the values of ``model``."""
    names = []
    for name, field in model.model_fields.items():
        variable = prefix + name.upper()
        group = field.annotation
        names.append(variable)
        if isinstance(group, type) and issubclass(group, BaseModel):
            names += _variable_names(group, variable + SEPARATOR)
    return names
