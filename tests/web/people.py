"""Current time, origin and users of the tests of the web room."""

from __future__ import annotations

import datetime as dt

NOW = dt.datetime(2026, 11, 24, 1, 0, tzinfo=dt.UTC)  # nine in the morning in Shanghai
ORIGIN = "https://tuban.test"

PEOPLE = {
    "admin": ("city", "", True),
    "county": ("county", "330199", True),
    "town": ("township", "330199101", False),
    "village_a": ("village", "330199101001", False),
    "village_b": ("village", "330199101002", False),
}
"""Login → role, code, administrator."""
