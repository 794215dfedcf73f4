"""What the blocks of a job found, as a file: from the machines that compare to the one that joins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from inference.array_file import pack, unpack
from inference.fragments import BlockFindings, Fragment

SCHEMA = "tuban-findings/1"


def write_findings(findings: Sequence[BlockFindings]) -> bytes:
    """Write what some blocks found; every bit of it comes back from :func:`read_findings`."""
    fragments = [fragment for finding in findings for fragment in finding.fragments]
    outputs = sorted({fragment.output for fragment in fragments})
    outlines = [shapely.to_wkb(fragment.polygon) for fragment in fragments]
    blocks = [
        {"fragments": len(f.fragments), "compared_px": f.compared_px, "missing_px": f.missing_px} for f in findings
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


def read_findings(data: bytes) -> list[BlockFindings]:
    """What :func:`write_findings` wrote.

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
        BlockFindings(
            tuple(next(fragments) for _ in range(block["fragments"])), block["compared_px"], block["missing_px"]
        )
        for block in record["blocks"]
    ]
