"""The units, the compose file and the documented proxy limit what clients can take."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from configs.service import WebSettings

DEPLOY = Path(__file__).parents[1] / "deploy"
NGINX = re.search(r"```nginx\n(.*?)```", (DEPLOY / "README.md").read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("unit", ["tuban.service", "tuban-work.service"])
def test_the_units_allow_enough_open_files(unit: str) -> None:
    limit = re.search(r"^LimitNOFILE=(\d+)$", (DEPLOY / "systemd" / unit).read_text("utf-8"), re.MULTILINE)
    assert limit is not None
    assert int(limit[1]) >= 65536


def test_the_containers_allow_enough_open_files() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    assert all(compose["services"][name]["ulimits"]["nofile"]["hard"] >= 65536 for name in ("web", "work", "schedule"))


def test_the_proxy_of_the_example_limits_bodies_headers_and_connections() -> None:
    assert NGINX is not None
    body = re.search(r"client_max_body_size (\d+)m;", NGINX[1])
    assert body is not None
    assert int(body[1]) * 1024 >= WebSettings().max_body_kib, "what the program accepts must pass the proxy"
    for directive in ("client_header_timeout", "client_body_timeout", "limit_conn ", "limit_conn_zone"):
        assert directive in NGINX[1]
    uploads = NGINX[1].partition("location /api/uploads")[2].partition("}")[0]
    assert "client_max_body_size 0;" in uploads
    assert "proxy_request_buffering off;" in uploads


def test_the_proxy_sets_the_headers_that_the_program_trusts() -> None:
    assert NGINX is not None
    for header in ("Host $host", "X-Forwarded-For $remote_addr", "X-Forwarded-Proto $scheme"):
        assert f"proxy_set_header {header};" in NGINX[1]
