"""An RTSP server for tests, run by the system's Python, which has GStreamer: prints two ports, then serves.

On the first one ``/moving``: a ball over black; ``/frozen``: always the same picture; ``/dies``: kills the whole server
after some frames. On the second one ``/moving``, for the user "watch" with the password "p@ss:w/rd" (digest).
"""

import os
import signal
import sys

import gi

for name in ("Gst", "GstRtsp", "GstRtspServer"):
    gi.require_version(name, "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

SHAPE = "video/x-raw,format=I420,width=160,height=120,framerate=25/1"
FRAMES = 60


def factory(pattern: str) -> "GstRtspServer.RTSPMediaFactory":
    made = GstRtspServer.RTSPMediaFactory()
    made.set_launch(f"( videotestsrc is-live=true pattern={pattern} ! {SHAPE} ! jpegenc ! rtpjpegpay name=pay0 pt=26 )")
    made.set_shared(True)
    return made


def dying() -> "GstRtspServer.RTSPMediaFactory":
    made = factory("ball")
    sent = []

    def count(*_) -> "Gst.PadProbeReturn":
        sent.append(1)
        if len(sent) > FRAMES:
            os.kill(os.getpid(), signal.SIGKILL)
        return Gst.PadProbeReturn.OK

    def configure(_, media: "GstRtspServer.RTSPMedia") -> None:
        media.get_element().get_by_name("pay0").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, count)

    made.connect("media-configure", configure)
    return made


def serve(mounts: "dict[str, GstRtspServer.RTSPMediaFactory]", locked: bool) -> "GstRtspServer.RTSPServer":
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    if locked:
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "watch")
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest("watch", "p@ss:w/rd", token)
        server.set_auth(auth)
    for path, made in mounts.items():
        if locked:
            permissions = GstRtspServer.RTSPPermissions()
            for right in ("access", "construct"):
                permissions.add_permission_for_role("watch", f"media.factory.{right}", True)
            made.set_permissions(permissions)
        server.get_mount_points().add_factory(path, made)
    server.attach(None)
    return server


Gst.init(None)
servers = [
    serve({"/moving": factory("ball"), "/frozen": factory("smpte75"), "/dies": dying()}, locked=False),
    serve({"/moving": factory("ball")}, locked=True),
]
print(*(server.get_bound_port() for server in servers), flush=True)
loop = GLib.MainLoop()
GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_HUP, lambda *_: loop.quit())  # ends with the test
loop.run()
