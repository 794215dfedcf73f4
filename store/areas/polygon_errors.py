"""Error of polygon files."""

from __future__ import annotations

from errors import TubanError


class PolygonFileError(TubanError):
    """The file is missing, has an unsupported format, or lacks required data."""
