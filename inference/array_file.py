"""Files of JSON values and arrays, exchanged between the jobs of a scan. Reading one never executes code from it."""

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
    """Serialize JSON values and arrays as one NPZ file, without loss of precision.

    Args:
        schema: name and version of the format, checked by :func:`unpack`.
        record: JSON values.
        arrays: arrays by name.
    """
    text = json.dumps({"schema": schema, **record}, ensure_ascii=False, allow_nan=False)
    members: dict[str, Any] = {_RECORD: np.frombuffer(text.encode(), np.uint8), **arrays}
    out = io.BytesIO()
    np.savez_compressed(out, **members)
    return out.getvalue()


def unpack(schema: str, data: bytes) -> tuple[dict[str, Any], Arrays]:
    """Read a file of :func:`pack`; return its JSON values, with the schema, and its arrays.

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
            f"An intermediate file of a scan ({schema}) is damaged: {error}. Run the step that wrote it again."
        ) from error
    if found != schema:
        raise TubanError(f"An intermediate file of a scan has the schema {found!r}; expected {schema!r}.")
    return record, arrays
