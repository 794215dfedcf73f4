"""Captures from real servers on loopback: working streams, and ones that freeze, break off, hang or are malformed."""

from __future__ import annotations

import datetime as dt
import os
import re
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from errors import CameraError, SettingsError
from imagery.cameras.address import address_with_credentials, parse_stream, pinned_address, resolve_host
from imagery.cameras.camera import Stream
from imagery.cameras.capture import capture
from imagery.cameras.folder_source import newest_frames
from imagery.cameras.frames import median_frame
from imagery.cameras.http_source import mjpeg_frames, still_frames
from imagery.cameras.mjpeg import split_images
from imagery.cameras.rtsp_relay import ResponseScanner
from imagery.cameras.rtsp_source import rtsp_frames
from imagery.cameras.settings import CaptureSettings
from tests.imagery.cameras.camera_servers import rtsp_server
from tests.imagery.cameras.http_cameras import PASSWORD, USER, jpeg, picture

SETTINGS = CaptureSettings(frames=6, seconds=0.0, limit_s=8.0, max_bytes=1_000_000, loopback=True)
NOW = dt.datetime(2026, 5, 4, 9, 30, tzinfo=dt.UTC)


def stream_of(kind: str, address: str, username: str = "", password: str = "") -> Stream:
    return parse_stream(kind, address, username, password)  # type: ignore[arg-type]


# --- RTSP


def test_rtsp_capture_is_the_median_of_frames(rtsp: list[str]) -> None:
    result = capture(stream_of("rtsp", f"rtsp://127.0.0.1:{rtsp[0]}/moving"), replace(SETTINGS, seconds=0.5), NOW)
    assert result.frame.shape == (120, 160, 3)
    assert (result.frames, result.taken_at, result.quality) == (6, NOW, None)
    assert np.abs(result.frame[:4, :4].astype(int) - 16).max() < 8  # background of the test picture


def test_frozen_rtsp_stream_is_a_fault(rtsp: list[str]) -> None:
    result = capture(stream_of("rtsp", f"rtsp://127.0.0.1:{rtsp[0]}/frozen"), replace(SETTINGS, seconds=0.5), NOW)
    assert result.quality is not None
    assert [fault.code for fault in result.quality.faults] == ["frozen"]


def test_rtsp_authentication_without_password_in_messages(rtsp: list[str]) -> None:
    address = f"rtsp://127.0.0.1:{rtsp[1]}/moving"
    assert capture(stream_of("rtsp", address, USER, PASSWORD), SETTINGS, NOW).frames == 6
    with pytest.raises(CameraError) as raised:
        capture(stream_of("rtsp", address, USER, "geheim"), SETTINGS, NOW)
    assert "geheim" not in str(raised.value)
    assert "user name and password" in str(raised.value)


@pytest.mark.parametrize(("frames", "outcome"), [(100, "a shorter capture"), (4, "rejected")])
def test_rtsp_server_killed_during_a_capture(rtsp: list[str], frames: int, outcome: str) -> None:
    """It sends for about two seconds, which is too short for 100 frames and gives only one of four."""
    server = rtsp_server()
    stream = stream_of("rtsp", f"rtsp://127.0.0.1:{next(iter(server.args))}/dies")
    settings = replace(SETTINGS, frames=frames, seconds=20.0, limit_s=4.0)
    if outcome == "rejected":
        with pytest.raises(CameraError, match="broke off after 1 frames"):
            capture(stream, settings, NOW)
    else:
        assert 3 <= capture(stream, settings, NOW).frames < frames
    server.communicate()
    assert server.returncode == -9


def test_silent_rtsp_server_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        stream = stream_of("rtsp", f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live")
        with pytest.raises(CameraError, match="did not answer in time"):
            capture(stream, replace(SETTINGS, limit_s=1.0), NOW)


class RedirectingServer:
    """Answers the first requests of a connection with 200, and then with a given response; counts other connections."""

    def __init__(self, answer: str, after: str = "DESCRIBE") -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.other = socket.create_server(("127.0.0.1", 0))
        self.answer = answer.format(other=self.other.getsockname()[1])
        self.after = after
        self.requests: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while request := connection.recv(4000).decode():
                self.requests.append(request.partition("\r\n")[0])
                number = re.search(r"CSeq: \d+", request)
                answer = self.answer if request.startswith(self.after) else "RTSP/1.0 200 OK\r\n{cseq}\r\n\r\n"
                connection.sendall(answer.replace("{cseq}", number[0] if number else "").encode())

    def was_left(self) -> bool:
        """Return whether the other server was connected to."""
        self.other.setblocking(False)
        try:
            self.other.accept()
        except BlockingIOError:
            return False
        return True


@pytest.mark.parametrize(
    "answer",
    [
        "RTSP/1.0 302 Found\r\n{{cseq}}\r\nLocation: rtsp://127.0.0.1:{other}/x\r\n\r\n",
        "RTSP/1.0 301 Moved\n{{cseq}}\nLOCATION:rtsp://localhost:{other}/x\n\n",
        "R\rTSP/1.0   307\r\n{{cseq}}\r\nLocation: rtsp://127.0.0.1:{other}/x\r\n\r\n",
        # hidden behind a message of the server, a frame, and a body
        "OPTIONS * RTSP/1.0\r\nCSeq: 9\r\n\r\nRTSP/1.0 302 .\r\n{{cseq}}\r\nLocation: rtsp://127.0.0.1:{other}/\r\n\r\n",
        "$\x00\x00\x02ab RTSP/1.0 303 .\r\n{{cseq}}\r\nLocation: rtsp://127.0.0.1:{other}/x\r\n\r\n",
        "SET_PARAMETER * RTSP/1.0\r\nCSeq: 9\r\nContent-Length: 9\r\nContent-Length: 2\r\n\r\n"
        "abRTSP/1.0 302 .\r\n{{cseq}}\r\nLocation: rtsp://127.0.0.1:{other}/x\r\n\r\n",
        "RTSP/1.0 302 Found\r\n{{cseq}}\r\nLocation: rtsp://127.0.0.1:{other}/x\r\nContent-Length: 3\r\n\r\nabc",
        "RTSP/1.0 +302 Found\r\n{{cseq}}\r\nLocation: rtsp://127.0.0.1:{other}/x\r\n\r\n",
        "RTSP/1.0 302 Found\r\n{{cseq}}\r\nLocation: http://127.0.0.1:{other}/x\r\n\r\n",
    ],
)
@pytest.mark.parametrize("after", ["OPTIONS", "DESCRIBE"])
def test_redirects_of_rtsp_to_other_hosts_are_not_followed(answer: str, after: str) -> None:
    server = RedirectingServer(answer, after)
    stream = resolve_host(stream_of("rtsp", f"rtsp://127.0.0.1:{server.port}/live"), loopback=True)
    with pytest.raises(CameraError, match="redirects to another host"):
        next(rtsp_frames(stream, replace(SETTINGS, limit_s=4.0)))
    assert not server.was_left()


@pytest.mark.parametrize("location", ["rtsp://127.0.0.1:{port}/live/2?a=b", "/live/2?a=b", "rtsp://localhost:{port}/2"])
def test_redirects_of_rtsp_on_the_same_host_are_followed_a_few_times(location: str) -> None:
    server = RedirectingServer("RTSP/1.0 302 .\r\n{{cseq}}\r\nLocation: LOCATION\r\n\r\n")
    server.answer = server.answer.replace("LOCATION", location.format(port=server.port))
    stream = resolve_host(stream_of("rtsp", f"rtsp://localhost:{server.port}/live"), loopback=True)
    with pytest.raises(CameraError, match="redirects endlessly"):
        next(rtsp_frames(stream, SETTINGS))
    paths = [request.split("/", 3)[3] for request in server.requests if request.startswith("DESCRIBE")]
    target = location.removeprefix("rtsp://").partition("/")[2]
    assert paths == ["live RTSP/1.0", *[f"{target} RTSP/1.0"] * 3]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_ordinary_answers_and_frames_are_no_redirects_whatever_the_chunks(size: int) -> None:
    answers = (
        b'RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm="301 302"\r\n\r\n'
        b"RTSP/1.0 200 OK\r\nContent-Length: 34\r\nContent-Type: application/sdp\r\n\r\n"
        b"s=RTSP/RTP 302 stream\nRTSP/1.0 302\n"
        b"$\x00\x00\x12RTSP/1.0 302 .\r\n\r\nRTSP/1.0 200 OK\r\n\r\n"
    )
    scanner = ResponseScanner()
    for start in range(0, len(answers), size):
        scanner.feed(answers[start : start + size])


# --- HTTP


def test_moving_objects_vanish_in_the_median_of_mjpeg(http: str) -> None:
    result = capture(stream_of("mjpeg", f"http://{http}/stream"), SETTINGS, NOW)
    assert result.frames == 6
    assert result.frame.max() < 215  # no white square
    assert np.abs(result.frame[24, 30].astype(int) - 90).max() < 6
    assert result.frame[24, 3, 0] > result.frame[24, 3, 2] + 100  # red and blue are not swapped


@pytest.mark.parametrize("path", ["stream", "without_lengths"])
def test_every_image_of_an_mjpeg_stream_is_complete(http: str, path: str) -> None:
    frames = list(mjpeg_frames(stream_of("mjpeg", f"http://{http}/{path}"), SETTINGS))
    assert len(frames) == 40
    assert all(np.abs(frame.astype(int) - picture(k)).mean() < 8 for k, frame in enumerate(frames))


def test_frozen_and_interrupted_mjpeg(http: str) -> None:
    frozen = capture(stream_of("mjpeg", f"http://{http}/frozen"), SETTINGS, NOW)
    assert frozen.quality is not None
    assert [fault.code for fault in frozen.quality.faults] == ["frozen"]
    assert capture(stream_of("mjpeg", f"http://{http}/dropped"), SETTINGS, NOW).frames == 4
    with pytest.raises(CameraError, match="broke off after 1 frames"):
        capture(stream_of("mjpeg", f"http://{http}/dropped_at_once"), SETTINGS, NOW)


@pytest.mark.parametrize("path", ["still", "still?user=watch&password=x", "redirect"])
def test_still_image_is_requested_for_each_frame(http: str, path: str) -> None:
    frames = [frame for frame, _ in still_frames(stream_of("still", f"http://{http}/{path}"), SETTINGS)]
    assert len(frames) == 6
    assert np.abs(median_frame(frames).astype(int)[24, 40] - 90).max() < 6


def test_image_with_an_old_last_modified_header_is_stale(http: str) -> None:
    assert [old for _, old in still_frames(stream_of("still", f"http://{http}/old"), SETTINGS)] == [True] * 6
    assert not any(old for _, old in still_frames(stream_of("still", f"http://{http}/still?b"), SETTINGS))


@pytest.mark.parametrize("path", ["basic", "digest"])
def test_http_authentication(http: str, path: str) -> None:
    assert len(list(still_frames(stream_of("still", f"http://{http}/{path}", USER, PASSWORD), SETTINGS))) == 6
    assert len(list(still_frames(stream_of("still", f"http://{USER}:p%40ss%3Aw%2Frd@{http}/{path}"), SETTINGS))) == 6
    for secret in ("geheim", ""):
        with pytest.raises(CameraError, match="refuses the user name") as raised:
            list(still_frames(stream_of("still", f"http://{http}/{path}", USER if secret else "", secret), SETTINGS))
        assert "geheim" not in str(raised.value)


@pytest.mark.parametrize(
    ("kind", "path", "message"),
    [
        ("still", "nowhere", "has nothing at that address"),
        ("still", "redirect_to_other_host", "redirects to another host"),
        ("still", "redirect_to_file", "redirects to another host"),
        ("still", "redirect_loop", "redirects endlessly"),
        ("still", "page", "sent no image but text/html"),
        ("still", "truncated", "is truncated"),
        ("still", "bomb", "declares 65,535 × 65,535"),
        ("still", "large", "larger than 1,000,000 bytes"),
        ("still", "stream", "larger than|use the kind mjpeg"),
        ("mjpeg", "still", "a stream of images .* was expected"),
        ("mjpeg", "page", "sent text/html, and a stream of images"),
        ("mjpeg", "endless_header", "something other than JPEG images larger than 8,192 bytes"),
        ("mjpeg", "endless_image", "an image larger than 1,000,000 bytes"),
        ("mjpeg", "huge_length", "a stream of images .* was expected"),
    ],
)
def test_responses_that_are_not_camera_images_are_rejected(http: str, kind: str, path: str, message: str) -> None:
    read = still_frames if kind == "still" else mjpeg_frames
    with pytest.raises(CameraError, match=message):
        list(read(stream_of(kind, f"http://{http}/{path}"), SETTINGS))


def test_silent_http_camera_times_out(http: str) -> None:
    with pytest.raises(CameraError, match="did not answer in time"):
        list(still_frames(stream_of("still", f"http://{http}/silent"), replace(SETTINGS, limit_s=0.5)))


def test_closed_port_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(CameraError, match="cannot be reached"):
        list(still_frames(stream_of("still", f"http://127.0.0.1:{port}/"), SETTINGS))


def _with_thumbnail(image: bytes) -> bytes:
    """Add an APP1 segment that contains a complete JPEG, as EXIF does."""
    return image[:2] + b"\xff\xe1" + (len(image) + 2).to_bytes(2, "big") + image + image[2:]


JPEGS = [jpeg(k) for k in range(5)]
PROGRESSIVE = cv2.imencode(".jpg", picture(1), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1]


def _part(image: bytes, boundary: bytes = b"--frame", line: bytes = b"\r\n", *headers: bytes) -> bytes:
    return line.join([boundary, b"Content-Type: image/jpeg", *headers, b"", image, b""])


STREAMS = {
    "as specified": (b"".join(_part(image) for image in JPEGS) + b"--frame--", JPEGS),
    "no boundary before the first": (b"".join(map(_part, JPEGS))[len(b"--frame\r\n") :], JPEGS),
    "lines end with LF": (b"".join(_part(image, b"--frame", b"\n") for image in JPEGS), JPEGS),
    "LF and CRLF mixed": (b"".join(b"--frame\nA: b\r\n\n" + image + b"\r\n" for image in JPEGS), JPEGS),
    "no framing": (b"".join(JPEGS), JPEGS),
    "no line break before the boundary": (b"".join(b"--f\r\n\r\n" + image for image in JPEGS), JPEGS),
    "no headers": (b"".join(b"--frame\r\n" + image + b"\r\n" for image in JPEGS), JPEGS),
    "boundary without dashes": (b"".join(_part(image, b"frame") for image in JPEGS), JPEGS),
    "length too large": (b"".join(_part(i, b"--f", b"\r\n", b"Content-Length: 99999") for i in JPEGS), JPEGS),
    "length too small": (b"".join(_part(i, b"--f", b"\r\n", b"Content-Length: 10") for i in JPEGS), JPEGS),
    "padded with zeros": (b"".join(_part(image + bytes(300)) for image in JPEGS), JPEGS),
    "no end marker": (b"".join(_part(image[:-2]) for image in [*JPEGS, JPEGS[0]]), JPEGS),
    "no end marker, no framing": (b"".join(image[:-2] for image in JPEGS) + JPEGS[0], [*JPEGS, JPEGS[0]]),
    "thumbnails in EXIF": (b"".join(_part(_with_thumbnail(i)) for i in JPEGS), list(map(_with_thumbnail, JPEGS))),
    "progressive with restart markers": (_part(PROGRESSIVE.tobytes()) * 2, [PROGRESSIVE.tobytes()] * 2),
    "one damaged": (_part(JPEGS[0][:100] + b"x" * 600) + _part(JPEGS[1]) + _part(JPEGS[2]), JPEGS[1:3]),
    "the last incomplete": (_part(JPEGS[0]) + _part(JPEGS[1])[:-200], JPEGS[:1]),
}


@pytest.mark.parametrize(("stream", "images"), STREAMS.values(), ids=STREAMS)
def test_mjpeg_of_every_firmware_is_split_whatever_the_chunks(stream: bytes, images: list[bytes]) -> None:
    for size in (1, 7, 1000, len(stream)):
        chunks = [stream[k : k + size] for k in range(0, len(stream), size)]
        assert list(split_images(chunks, 100_000, "camera")) == images


@pytest.mark.parametrize("path", ["without_type", "declared_as_jpeg", "declared_as_bytes", "without_boundary_name"])
def test_mjpeg_is_read_whatever_its_content_type(http: str, path: str) -> None:
    frames = list(mjpeg_frames(stream_of("mjpeg", f"http://{http}/{path}"), SETTINGS))
    assert len(frames) == 8
    assert all(np.abs(frame.astype(int) - picture(k)).mean() < 8 for k, frame in enumerate(frames))


# --- folder


def test_newest_images_of_a_folder(tmp_path: Path) -> None:
    for number in range(4):
        path = tmp_path / f"a{number}.jpg"
        path.write_bytes(jpeg(number))
        os.utime(path, (1_777_000_000 + number, 1_777_000_000 + number))
    old = tmp_path / "z_old.jpg"
    old.write_bytes(jpeg(5))
    os.utime(old, (1_776_000_000, 1_776_000_000))
    half = tmp_path / "b_arriving.jpg"
    half.write_bytes(jpeg(4)[:500])
    (tmp_path / "c.jpg").symlink_to(old)
    (tmp_path / "notes.txt").write_text("no image")
    frames, taken = newest_frames(stream_of("folder", str(tmp_path)), replace(SETTINGS, seconds=10))
    assert len(frames) == 4
    assert taken.timestamp() == 1_777_000_003
    result = capture(stream_of("folder", str(tmp_path)), replace(SETTINGS, seconds=10), NOW)
    assert result.quality is not None
    assert [fault.code for fault in result.quality.faults] == ["frozen"]  # days old
    assert result.taken_at == taken


def test_folders_without_images_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="contains no image"):
        newest_frames(stream_of("folder", str(tmp_path)), SETTINGS)
    (tmp_path / "a.jpg").write_bytes(b"no image at all")
    with pytest.raises(CameraError):
        newest_frames(stream_of("folder", str(tmp_path)), SETTINGS)


# --- addresses


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("rtsp", "http://10.0.0.5/"),
        ("rtsp", "file:///etc/passwd"),
        ("still", "file:///etc/passwd"),
        ("still", "ftp://10.0.0.5/a.jpg"),
        ("still", "http:///a.jpg"),
        ("still", "http://10.0.0.5:99999/"),
        ("still", "http://[::1/"),
        ("still", "http://10.0.0.5/\nHost: x"),
        ("mjpeg", "concat:http://10.0.0.5"),
        ("folder", "relative/folder"),
        ("folder", "file:///etc"),
        ("folder", "/no/such/folder"),
        ("webcam", "/dev/video0"),
        ("still", ""),
    ],
)
def test_invalid_addresses_are_rejected_without_repeating_them(kind: str, address: str) -> None:
    with pytest.raises(SettingsError) as raised:
        stream_of(kind, address, "watch", "geheim")
    assert "geheim" not in str(raised.value)


def test_folder_must_be_inside_the_allowed_folders(tmp_path: Path) -> None:
    inside = tmp_path / "cameras" / "valley"
    inside.mkdir(parents=True)
    assert parse_stream("folder", str(inside), folders=[tmp_path / "cameras"]).address == str(inside)
    with pytest.raises(SettingsError, match="outside of the folders allowed"):
        parse_stream("folder", str(inside / ".." / ".."), folders=[tmp_path / "cameras"])


def test_secrets_are_never_shown() -> None:
    stream = stream_of("rtsp", "rtsp://watch:gehe%40im@10.0.0.5:8554/live?password=geheim")
    assert stream.credentials is not None
    assert (stream.credentials.username, stream.credentials.password) == ("watch", "gehe@im")
    assert "gehe" not in repr(stream) + str(stream)
    assert stream.host == "10.0.0.5:8554"
    assert stream.address == "rtsp://10.0.0.5:8554/live?password=geheim"
    assert address_with_credentials(stream) == "rtsp://watch:gehe%40im@10.0.0.5:8554/live?password=geheim"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.8.9.1", "localhost", "[::1]", "0.0.0.0", "0.1.2.3", "2130706433", "0x7f.1"),
        *("[::ffff:127.0.0.1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::a00:5]"),
        *("[2002:7f00:1::]", "[fe80::5efe:127.0.0.1]", "[2001:db8::5efe:127.0.0.1]"),
        *("169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "[fec0::1]"),
        *("224.0.0.1", "[ff02::1]", "255.255.255.255", "240.0.0.1"),
    ],
)
def test_a_host_that_cannot_be_a_camera_is_rejected(host: str) -> None:
    with pytest.raises(CameraError, match=r"this machine itself|cannot be resolved"):
        resolve_host(stream_of("still", f"http://{host}/"), loopback=False)


def test_the_servers_own_address_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "bind", lambda *_: None)  # only an own address can be bound to
    with pytest.raises(CameraError, match="this machine itself"):
        resolve_host(stream_of("still", "http://10.0.0.5:6379/"), loopback=False)


def test_cameras_of_private_networks_and_allowed_loopback_are_accepted() -> None:
    assert resolve_host(stream_of("still", "http://127.0.0.1/"), loopback=True).ip == "127.0.0.1"
    for host in ("10.0.0.5", "192.168.1.64", "172.16.3.4", "100.64.0.9"):
        assert resolve_host(stream_of("rtsp", f"rtsp://{host}/"), loopback=False).ip == host


def test_a_name_is_resolved_once_and_that_address_is_connected_to(http: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = http.rpartition(":")[2]
    lookups: list[str] = []
    getaddrinfo = socket.getaddrinfo

    def rebinding(host: str, *rest: Any, **named: Any) -> Any:
        if host == "camera.example":
            lookups.append(host)
            host = "127.0.0.1" if len(lookups) == 1 else "169.254.169.254"
        return getaddrinfo(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    stream = resolve_host(stream_of("still", f"http://camera.example:{port}/still"), loopback=True)
    frames = list(still_frames(stream, CaptureSettings(frames=2, seconds=0, limit_s=10)))
    assert (len(frames), lookups) == (2, ["camera.example"])
    assert pinned_address(stream) == f"http://127.0.0.1:{port}/still"
    assert address_with_credentials(stream) == f"http://127.0.0.1:{port}/still"


# --- the median


def test_median_keeps_static_and_removes_moving_objects() -> None:
    rng = np.random.default_rng(1)
    still_part = rng.integers(0, 255, (130, 40, 3), dtype=np.uint8)
    frames = []
    for k in range(7):
        frame = still_part.copy()
        frame[:, 5 * k : 5 * k + 5] = 255
        frames.append(frame)
    assert np.array_equal(median_frame(frames), still_part)
    assert np.array_equal(median_frame(frames[:1]), frames[0])
    assert cv2.absdiff(median_frame(frames[:6]), still_part).max() == 0
