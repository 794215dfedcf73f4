"""Progress reports of a scan."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with the current step ("align", "scan" or "pictures") and the fraction of it that is done, 0…1."""
