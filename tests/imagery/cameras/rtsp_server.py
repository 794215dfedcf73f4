"""An RTSP server for tests, run by the system's Python with GStreamer: prints two ports, then serves.

First port: ``/moving`` shows a ball over black, ``/frozen`` always the same picture, ``/dies`` kills the server process
after some frames. Second port: ``/moving``, for the user "watch" with the password "p@ss:w/rd" (digest).
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


def media_factory(pattern: str) -> "GstRtspServer.RTSPMediaFactory":
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( videotestsrc is-live=true pattern={pattern} ! {SHAPE} ! jpegenc ! rtpjpegpay name=pay0 pt=26 )"
    )
    factory.set_shared(True)
    return factory


def dying_factory() -> "GstRtspServer.RTSPMediaFactory":
    factory = media_factory("ball")
    sent = []

    def count(*_) -> "Gst.PadProbeReturn":
        sent.append(1)
        if len(sent) > FRAMES:
            os.kill(os.getpid(), signal.SIGKILL)
        return Gst.PadProbeReturn.OK

    def configure(_, media: "GstRtspServer.RTSPMedia") -> None:
        media.get_element().get_by_name("pay0").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, count)

    factory.connect("media-configure", configure)
    return factory


def serve(mounts: "dict[str, GstRtspServer.RTSPMediaFactory]", protected: bool) -> "GstRtspServer.RTSPServer":
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    if protected:
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "watch")
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest("watch", "p@ss:w/rd", token)
        server.set_auth(auth)
    for path, factory in mounts.items():
        if protected:
            permissions = GstRtspServer.RTSPPermissions()
            for right in ("access", "construct"):
                permissions.add_permission_for_role("watch", f"media.factory.{right}", True)
            factory.set_permissions(permissions)
        server.get_mount_points().add_factory(path, factory)
    server.attach(None)
    return server


Gst.init(None)
servers = [
    serve(
        {"/moving": media_factory("ball"), "/frozen": media_factory("smpte75"), "/dies": dying_factory()},
        protected=False,
    ),
    serve({"/moving": media_factory("ball")}, protected=True),
]
print(*(server.get_bound_port() for server in servers), flush=True)
loop = GLib.MainLoop()
GLib.io_add_watch(
    sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_HUP, lambda *_: loop.quit()
)  # quits when the test closes stdin
loop.run()
