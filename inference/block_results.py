"""Serialization of block results, passed from the machines that compare blocks to the one that merges them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from inference.array_file import pack, unpack
from inference.fragments import BlockResult, Fragment

SCHEMA = "tuban-findings/1"


def write_block_results(results: Sequence[BlockResult]) -> bytes:
    """Serialize the results of some blocks without loss."""
    fragments = [fragment for result in results for fragment in result.fragments]
    outputs = sorted({fragment.output for fragment in fragments})
    outlines = [shapely.to_wkb(fragment.polygon) for fragment in fragments]
    blocks = [
        {"fragments": len(result.fragments), "compared_px": result.compared_px, "missing_px": result.missing_px}
        for result in results
    ]
    return pack(
        SCHEMA,
        {"outputs": outputs, "blocks": blocks},
        {
            "output": np.array([outputs.index(fragment.output) for fragment in fragments], np.uint8),
            "outlines": np.frombuffer(b"".join(outlines), np.uint8),
            "outline_bytes": np.array([len(outline) for outline in outlines], np.int64),
            "pixels": np.array([fragment.pixels for fragment in fragments], np.int64),
            "probability": np.array([fragment.probability for fragment in fragments], np.float64),
            "direction": np.array([fragment.direction for fragment in fragments], np.float64),
            "on_seam": np.array([fragment.on_seam for fragment in fragments], np.bool_),
        },
    )


def read_block_results(data: bytes) -> list[BlockResult]:
    """Read the file of :func:`write_block_results`.

    Raises:
        TubanError: the file is damaged.
    """
    record, arrays = unpack(SCHEMA, data)
    ends = np.cumsum(arrays["outline_bytes"])
    wkb = arrays["outlines"].tobytes()
    fragments = iter(
        [
            Fragment(record["outputs"][output], shapely.from_wkb(wkb[end - size : end]), *values)
            for output, size, end, *values in zip(
                arrays["output"].tolist(),
                arrays["outline_bytes"].tolist(),
                ends.tolist(),
                arrays["pixels"].tolist(),
                arrays["probability"].tolist(),
                arrays["direction"].tolist(),
                arrays["on_seam"].tolist(),
                strict=True,
            )
        ]
    )
    return [
        BlockResult(
            tuple(next(fragments) for _ in range(block["fragments"])), block["compared_px"], block["missing_px"]
        )
        for block in record["blocks"]
    ]
