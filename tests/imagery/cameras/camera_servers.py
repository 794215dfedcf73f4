"""Camera servers on loopback: HTTP, and RTSP if the system's Python has GStreamer."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.imagery.cameras.http_cameras import cameras

SYSTEM_PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def http_cameras() -> Iterator[str]:
    """Host and port; the paths are the methods of :mod:`tests.imagery.cameras.http_cameras`."""
    server = cameras()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def rtsp_server() -> subprocess.Popen[str]:
    """Start an RTSP server, or skip the test."""
    script = Path(__file__).with_name("rtsp_server.py")
    server = subprocess.Popen([SYSTEM_PYTHON, script], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True)
    assert server.stdout is not None
    ports = server.stdout.readline().split()
    if len(ports) != 2:
        _, errors = server.communicate()
        pytest.skip(f"no GStreamer RTSP server for {SYSTEM_PYTHON} (see .ci/run): {errors.strip().splitlines()[-1:]}")
    server.args = ports
    return server


@pytest.fixture(scope="module")
def rtsp_cameras() -> Iterator[list[str]]:
    """Ports of :mod:`tests.imagery.cameras.rtsp_server`: without and with a password."""
    if not Path(SYSTEM_PYTHON).exists():
        pytest.skip(f"no {SYSTEM_PYTHON} to run a GStreamer RTSP server with")
    server = rtsp_server()
    yield list(server.args)  # type: ignore[arg-type]
    server.communicate()
