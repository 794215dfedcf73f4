"""What several tests of training share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import inference.pair
from tests.training.labelled import identity_table


@pytest.fixture(scope="module")
def plain_exposure() -> Iterator[None]:
    """Dates are compared in their own colours: a bright box would else darken what lies around it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference.pair, "balance_table", identity_table)
        yield
