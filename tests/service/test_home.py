"""Links of commands point to the port on which `tuban up` serves the pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.service import ServiceSettings
from service.home import served_pages_url, store_port


@pytest.mark.parametrize("port", [8000, 8765, 443])
def test_the_port_of_the_running_pages_is_used(tmp_path: Path, port: int) -> None:
    settings = ServiceSettings(home=tmp_path)
    assert served_pages_url(settings) == "http://127.0.0.1:8000"
    store_port(settings, port)
    assert served_pages_url(settings) == f"http://127.0.0.1:{port}"


def test_the_public_address_and_a_damaged_file_are_respected(tmp_path: Path) -> None:
    public = ServiceSettings(home=tmp_path, public_url="https://tuban.bureau.example/")
    store_port(public, 8765)
    assert served_pages_url(public) == "https://tuban.bureau.example"
    (tmp_path / "pages.port").write_text("x")
    assert served_pages_url(ServiceSettings(home=tmp_path)) == "http://127.0.0.1:8000"
