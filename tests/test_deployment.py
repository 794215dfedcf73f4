"""The units, the compose file and the documented proxy limit what clients can take."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from configs.service import WebSettings

DEPLOY = Path(__file__).parents[1] / "deploy"
NGINX = {name: (DEPLOY / "nginx" / name).read_text("utf-8") for name in ("tuban.conf", "tuban-path.conf")}


@pytest.mark.parametrize("unit", ["tuban.service", "tuban-work.service"])
def test_the_units_allow_enough_open_files(unit: str) -> None:
    limit = re.search(r"^LimitNOFILE=(\d+)$", (DEPLOY / "systemd" / unit).read_text("utf-8"), re.MULTILINE)
    assert limit is not None
    assert int(limit[1]) >= 65536


def test_the_containers_allow_enough_open_files() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    assert all(compose["services"][name]["ulimits"]["nofile"]["hard"] >= 65536 for name in ("web", "work", "schedule"))


@pytest.mark.parametrize("name", NGINX)
def test_the_proxies_of_the_examples_limit_bodies_headers_and_connections(name: str) -> None:
    body = re.search(r"client_max_body_size (\d+)m;", NGINX[name])
    assert body is not None
    assert int(body[1]) * 1024 >= WebSettings().max_body_kib, "what the program accepts must pass the proxy"
    for directive in ("client_body_timeout", "limit_conn ", "limit_conn_zone"):
        assert directive in NGINX[name]
    uploads = NGINX[name].partition("/api/uploads {")[2].partition("}")[0]
    assert "client_max_body_size 0;" in uploads
    assert "proxy_request_buffering off;" in uploads
    assert "client_header_timeout" in NGINX["tuban.conf"], "of a whole server, which the path shares"


@pytest.mark.parametrize("name", NGINX)
def test_the_proxies_set_the_headers_that_the_program_trusts(name: str) -> None:
    for header in ("Host $http_host", "X-Forwarded-For $remote_addr", "X-Forwarded-Proto $scheme"):
        assert f"proxy_set_header {header};" in NGINX[name]
