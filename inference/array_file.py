"""Plain values and arrays in one file, for what travels between the machines of a scan. Nothing in it is ever run."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from errors import TubanError

_RECORD = "record"

Arrays = dict[str, NDArray[Any]]


def pack(schema: str, record: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """One file (NPZ) of values that JSON knows and of arrays; floats keep every bit."""
    text = json.dumps({"schema": schema, **record}, ensure_ascii=False, allow_nan=False)
    everything: dict[str, Any] = {_RECORD: np.frombuffer(text.encode(), np.uint8), **arrays}
    out = io.BytesIO()
    np.savez_compressed(out, **everything)
    return out.getvalue()


def unpack(schema: str, data: bytes) -> tuple[dict[str, Any], Arrays]:
    """What :func:`pack` was given.

    Raises:
        TubanError: the file is damaged, or of another schema.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        record: dict[str, Any] = json.loads(arrays.pop(_RECORD).tobytes())
        found = record["schema"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise TubanError(
            f"A file between two steps of a scan ({schema}) is damaged: {error}. Have the step before it done again."
        ) from error
    if found != schema:
        raise TubanError(f"A file between two steps of a scan is of {found!r} where {schema!r} was expected.")
    return record, arrays
