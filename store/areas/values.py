"""Field values of polygon files as plain data."""

from __future__ import annotations

from typing import Any

import numpy as np


def plain_value(value: Any) -> Any:
    """Convert a field value to text, number, date or None, as JSON and both databases can store it."""
    if isinstance(value, str):
        return value.replace("\0", "").strip()
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else value.astype("datetime64[D]").item()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, int | float | bool) or value is None else str(value)


def text_of(value: Any) -> str:
    """Return a field value as text: whole numbers without ".0", None as ""."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()
