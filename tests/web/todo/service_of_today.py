"""A service with the ordinary users, for browsers: with the time of today, and cookies that also travel over http."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from configs.service import ServiceSettings, WebSettings
from service.context import Context
from service.home import prepare_home
from store.access.users import add_user
from tests.databases import embedded_database
from tests.web.people import NOW, PEOPLE


def today_service(folder: Path) -> Context:
    """Create the service."""
    settings = ServiceSettings(home=folder / "home", web=WebSettings(secure_cookies=False))
    prepare_home(settings)
    context = Context(settings, embedded_database(settings.home / "tuban.db"), clock=lambda: dt.datetime.now(dt.UTC))
    with context.database.write() as session:
        for login, (role, code, administrator) in PEOPLE.items():
            add_user(session, login=login, name=login, role=role, code=code, administrator=administrator, now=NOW)
    return context
