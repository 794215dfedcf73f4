"""A service on a local port with two villages, for clients that others wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from service.context import Context
from store.access.api_keys import add_key, allowed_scopes
from store.access.users import user_by_login
from tests.web.people import NOW
from tests.web.two_villages import Villages
from tests.web.uploads.upload_service import serving


@dataclass(frozen=True)
class Address:
    """A running service.

    Attributes:
        url: of the service.
        key: API key of the county's user.
    """

    url: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """The header that authenticates."""
        return {"Authorization": f"Bearer {self.key}"}


@pytest.fixture
def running(service: Context, villages: Villages) -> Iterator[Address]:
    """The service with both villages, on a local port."""
    with service.database.write() as session:
        user = user_by_login(session, "county")
        assert user is not None
        key = add_key(session, user, "client", NOW, days=None, scopes=allowed_scopes(user.administrator))
    with serving(service) as url:
        yield Address(url, key)
