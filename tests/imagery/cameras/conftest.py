"""Servers that are cameras."""

from tests.imagery.cameras.servers import http_cameras as http
from tests.imagery.cameras.servers import rtsp_cameras as rtsp

__all__ = ["http", "rtsp"]
