"""Ids of rows in paths and query strings, within the range that both databases and every JSON parser represent."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

MAX_ID = 2**53
"""The largest integer that every JSON parser represents exactly."""

Id = Annotated[int, Path(ge=1, le=MAX_ID)]
BeforeId = Annotated[int | None, Query(description="Cursor from `next` of the previous page.", ge=1, le=MAX_ID)]
