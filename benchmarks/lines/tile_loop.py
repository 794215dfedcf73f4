"""A tile loop as people write it with published code: torchgeo's FCSiamDiff, PyTorch, windows of 512 pixels.

Run with the folder of torchgeo in PYTHONPATH: ``python tile_loop.py BEFORE AFTER``. It imports nothing of Tuban. The
weights are random, which costs as much as trained ones. Prints the seconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import rasterio
import torch
from rasterio.windows import Window
from torchgeo.models.fcsiam import FCSiamDiff

TILE = 512


def main() -> None:
    """Read, normalize, predict and threshold each tile of the pair; keep the mask."""
    network = FCSiamDiff(encoder_weights=None, classes=1).eval()
    start = time.perf_counter()
    with rasterio.open(sys.argv[1]) as before, rasterio.open(sys.argv[2]) as after, torch.inference_mode():
        changed = np.zeros((before.height, before.width), bool)
        for row in range(0, before.height, TILE):
            for col in range(0, before.width, TILE):
                window = Window(col, row, min(TILE, before.width - col), min(TILE, before.height - row))
                missing = ((0, 0), (0, TILE - window.height), (0, TILE - window.width))
                pair = [np.pad(image.read((1, 2, 3), window=window), missing) for image in (before, after)]
                batch = torch.from_numpy(np.stack(pair)[None].astype(np.float32) / 255)
                mask = (network(batch).sigmoid()[0, 0] > 0.5).numpy()
                part = changed[row : row + TILE, col : col + TILE]
                part[:] = mask[: part.shape[0], : part.shape[1]]
    print(json.dumps({"seconds": time.perf_counter() - start, "changed": int(changed.sum())}))


if __name__ == "__main__":
    main()
