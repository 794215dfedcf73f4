"""Streams are read from real servers on loopback: good ones, and those that freeze, break off, hang or lie."""

from __future__ import annotations

import datetime as dt
import os
import socket
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from errors import CameraError, SettingsError
from imagery.cameras.address import check_host, checked_stream, with_credentials
from imagery.cameras.camera import Stream
from imagery.cameras.capture import capture
from imagery.cameras.folder_source import newest
from imagery.cameras.frames import median
from imagery.cameras.http_source import mjpeg, still
from imagery.cameras.multipart import parts
from imagery.cameras.settings import CaptureSettings
from tests.imagery.cameras.http_cameras import PASSWORD, USER, jpeg, picture
from tests.imagery.cameras.servers import rtsp_server

SETTINGS = CaptureSettings(frames=6, seconds=0.0, limit_s=8.0, max_bytes=1_000_000, loopback=True)
NOW = dt.datetime(2026, 5, 4, 9, 30, tzinfo=dt.UTC)


def at(kind: str, address: str, username: str = "", password: str = "") -> Stream:
    return checked_stream(kind, address, username, password)  # type: ignore[arg-type]


# --- RTSP


def test_rtsp_gives_the_median_of_frames(rtsp: list[str]) -> None:
    made = capture(at("rtsp", f"rtsp://127.0.0.1:{rtsp[0]}/moving"), replace(SETTINGS, seconds=0.5), NOW)
    assert made.frame.shape == (120, 160, 3)
    assert (made.frames, made.taken_at, made.quality) == (6, NOW, None)
    assert np.abs(made.frame[:4, :4].astype(int) - 16).max() < 8  # the background of the server's picture


def test_a_frozen_rtsp_stream_is_told(rtsp: list[str]) -> None:
    made = capture(at("rtsp", f"rtsp://127.0.0.1:{rtsp[0]}/frozen"), replace(SETTINGS, seconds=0.5), NOW)
    assert made.quality is not None
    assert [fault.code for fault in made.quality.faults] == ["frozen"]


def test_rtsp_signs_in_and_a_wrong_password_is_not_repeated(rtsp: list[str]) -> None:
    address = f"rtsp://127.0.0.1:{rtsp[1]}/moving"
    assert capture(at("rtsp", address, USER, PASSWORD), SETTINGS, NOW).frames == 6
    with pytest.raises(CameraError) as refused:
        capture(at("rtsp", address, USER, "geheim"), SETTINGS, NOW)
    assert "geheim" not in str(refused.value)
    assert "user name and password" in str(refused.value)


@pytest.mark.parametrize(("frames", "outcome"), [(100, "a shorter capture"), (4, "refused")])
def test_an_rtsp_server_that_is_killed_in_the_middle(rtsp: list[str], frames: int, outcome: str) -> None:
    """It sends some two seconds: asked for many frames a few are missing, asked for four there are too few."""
    server = rtsp_server()
    stream = at("rtsp", f"rtsp://127.0.0.1:{next(iter(server.args))}/dies")
    settings = replace(SETTINGS, frames=frames, seconds=20.0, limit_s=4.0)
    if outcome == "refused":
        with pytest.raises(CameraError, match="broke off after 1 frames"):
            capture(stream, settings, NOW)
    else:
        assert 3 <= capture(stream, settings, NOW).frames < frames
    server.communicate()
    assert server.returncode == -9


def test_a_server_that_accepts_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        stream = at("rtsp", f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live")
        with pytest.raises(CameraError, match="did not answer in time"):
            capture(stream, replace(SETTINGS, limit_s=1.0), NOW)


# --- HTTP


def test_mjpeg_gives_the_median_in_which_what_moves_has_vanished(http: str) -> None:
    made = capture(at("mjpeg", f"http://{http}/stream"), SETTINGS, NOW)
    assert made.frames == 6
    assert made.frame.max() < 215  # no white square
    assert np.abs(made.frame[24, 30].astype(int) - 90).max() < 6
    assert made.frame[24, 3, 0] > made.frame[24, 3, 2] + 100  # red is red


@pytest.mark.parametrize("path", ["stream", "lengthless"])
def test_every_image_of_a_stream_arrives_whole(http: str, path: str) -> None:
    frames = list(mjpeg(at("mjpeg", f"http://{http}/{path}"), SETTINGS))
    assert len(frames) >= 39  # without lengths the end of the last one is not known
    assert all(np.abs(frame.astype(int) - picture(k)).mean() < 8 for k, frame in enumerate(frames))


def test_frozen_mjpeg_and_one_that_breaks_off(http: str) -> None:
    frozen = capture(at("mjpeg", f"http://{http}/frozen"), SETTINGS, NOW)
    assert frozen.quality is not None
    assert [fault.code for fault in frozen.quality.faults] == ["frozen"]
    assert capture(at("mjpeg", f"http://{http}/dropped"), SETTINGS, NOW).frames == 4
    with pytest.raises(CameraError, match="broke off after 1 frames"):
        capture(at("mjpeg", f"http://{http}/dropped_at_once"), SETTINGS, NOW)


@pytest.mark.parametrize("path", ["still", "still?user=watch&password=x", "here"])
def test_a_still_address_is_asked_for_each_frame(http: str, path: str) -> None:
    frames = [frame for frame, _ in still(at("still", f"http://{http}/{path}"), SETTINGS)]
    assert len(frames) == 6
    assert np.abs(median(frames).astype(int)[24, 40] - 90).max() < 6


def test_an_image_that_is_old_by_its_own_clock_is_stale(http: str) -> None:
    assert [old for _, old in still(at("still", f"http://{http}/old"), SETTINGS)] == [True] * 6
    assert not any(old for _, old in still(at("still", f"http://{http}/still?b"), SETTINGS))


@pytest.mark.parametrize("path", ["basic", "digest"])
def test_http_signs_in(http: str, path: str) -> None:
    assert len(list(still(at("still", f"http://{http}/{path}", USER, PASSWORD), SETTINGS))) == 6
    assert len(list(still(at("still", f"http://{USER}:p%40ss%3Aw%2Frd@{http}/{path}"), SETTINGS))) == 6
    for secret in ("geheim", ""):
        with pytest.raises(CameraError, match="refuses the user name") as refused:
            list(still(at("still", f"http://{http}/{path}", USER if secret else "", secret), SETTINGS))
        assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "path", "says"),
    [
        ("still", "nowhere", "has nothing at that address"),
        ("still", "elsewhere", "redirects to another host"),
        ("still", "to_a_file", "redirects to another host"),
        ("still", "in_circles", "without an end"),
        ("still", "page", "sent no image but text/html"),
        ("still", "cut", "cut off"),
        ("still", "bomb", "declares 65,535 × 65,535"),
        ("still", "large", "longer than 1,000,000 bytes"),
        ("still", "stream", "longer than|is a camera of the kind mjpeg"),
        ("mjpeg", "still", "a stream of images .* was expected"),
        ("mjpeg", "endless_head", "a head of an image longer"),
        ("mjpeg", "announces_much", "announces an image of 99,999,999,999"),
    ],
)
def test_what_is_no_camera_is_told(http: str, kind: str, path: str, says: str) -> None:
    read = still if kind == "still" else mjpeg
    with pytest.raises(CameraError, match=says):
        list(read(at(kind, f"http://{http}/{path}"), SETTINGS))


def test_an_http_camera_that_says_nothing_is_given_up(http: str) -> None:
    with pytest.raises(CameraError, match="did not answer in time"):
        list(still(at("still", f"http://{http}/silent"), replace(SETTINGS, limit_s=0.5)))


def test_a_port_where_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(CameraError, match="cannot be reached"):
        list(still(at("still", f"http://127.0.0.1:{port}/"), SETTINGS))


def test_a_stream_cut_anywhere_gives_the_same_images() -> None:
    whole = b"".join(b"--b\r\nContent-Length: 3\r\n\r\n%03d\r\n" % k for k in range(5)) + b"--b--"
    for size in (1, 2, 7, 1000):
        chunks = [whole[k : k + size] for k in range(0, len(whole), size)]
        assert list(parts(chunks, b"--b", 100, "camera")) == [b"%03d" % k for k in range(5)]


# --- folder


def test_the_newest_images_of_a_folder_one_after_the_other(tmp_path: Path) -> None:
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
    frames, taken = newest(at("folder", str(tmp_path)), replace(SETTINGS, seconds=10))
    assert len(frames) == 4
    assert taken.timestamp() == 1_777_000_003
    made = capture(at("folder", str(tmp_path)), replace(SETTINGS, seconds=10), NOW)
    assert made.quality is not None
    assert [fault.code for fault in made.quality.faults] == ["frozen"]  # days old
    assert made.taken_at == taken


def test_folders_without_images(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="holds no image"):
        newest(at("folder", str(tmp_path)), SETTINGS)
    (tmp_path / "a.jpg").write_bytes(b"no image at all")
    with pytest.raises(CameraError):
        newest(at("folder", str(tmp_path)), SETTINGS)


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
def test_addresses_that_are_none_are_refused_without_repeating_them(kind: str, address: str) -> None:
    with pytest.raises(SettingsError) as refused:
        at(kind, address, "watch", "geheim")
    assert "geheim" not in str(refused.value)


def test_a_folder_must_lie_where_cameras_may_write(tmp_path: Path) -> None:
    inside = tmp_path / "cameras" / "valley"
    inside.mkdir(parents=True)
    assert checked_stream("folder", str(inside), folders=[tmp_path / "cameras"]).address == str(inside)
    with pytest.raises(SettingsError, match="outside of those"):
        checked_stream("folder", str(inside / ".." / ".."), folders=[tmp_path / "cameras"])


def test_secrets_are_shown_nowhere() -> None:
    stream = at("rtsp", "rtsp://watch:gehe%40im@10.0.0.5:8554/live?password=geheim")
    assert stream.credentials is not None
    assert (stream.credentials.username, stream.credentials.password) == ("watch", "gehe@im")
    assert "gehe" not in repr(stream) + str(stream)
    assert stream.host == "10.0.0.5:8554"
    assert stream.address == "rtsp://10.0.0.5:8554/live?password=geheim"
    assert with_credentials(stream) == "rtsp://watch:gehe%40im@10.0.0.5:8554/live?password=geheim"


def test_this_machine_is_no_camera_unless_it_is_said_to_be() -> None:
    for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "224.0.0.1"):
        with pytest.raises(CameraError, match=r"this machine itself|not known"):
            check_host(at("still", f"http://{host}/"), loopback=False)
    check_host(at("still", "http://127.0.0.1/"), loopback=True)
    check_host(at("rtsp", "rtsp://10.0.0.5/"), loopback=False)


# --- the median


def test_the_median_keeps_what_stays_and_drops_what_passes() -> None:
    rng = np.random.default_rng(1)
    still_part = rng.integers(0, 255, (130, 40, 3), dtype=np.uint8)
    frames = []
    for k in range(7):
        frame = still_part.copy()
        frame[:, 5 * k : 5 * k + 5] = 255
        frames.append(frame)
    assert np.array_equal(median(frames), still_part)
    assert np.array_equal(median(frames[:1]), frames[0])
    assert cv2.absdiff(median(frames[:6]), still_part).max() == 0
