"""Fixtures of HTTP and RTSP camera servers."""

from tests.imagery.cameras.camera_servers import http_cameras as http
from tests.imagery.cameras.camera_servers import rtsp_cameras as rtsp

__all__ = ["http", "rtsp"]
