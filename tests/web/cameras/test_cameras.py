"""Camera pages: add, test and remove cameras, capture from real servers, and show errors in Chinese."""

from __future__ import annotations

import re
import socket
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from configs.service import CameraSettings
from imagery.cameras.camera import ControlPoint
from service.cameras.jobs import add_capture_job
from service.context import Context
from store.backup.backup import backup
from store.schema.camera_tables import CameraRow, CaptureRow
from store.schema.user_tables import Action
from tests.imagery.cameras.http_cameras import PASSWORD, USER
from tests.imagery.cameras.known_camera import SIZE, SPREAD_POINTS, control_point
from tests.web.cameras.camera_service import report, watch
from tests.web.conftest import NOW, SignIn
from tests.web.two_villages import CODES, NUMBERS, create_villages
from workers.runtime.job_runner import run_job

TOKEN = "hidden-token"
FORM = {"name": "ridge", "area_code": "330199", "kind": "mjpeg", "times": "09:00 15:00"}


@pytest.fixture
def service(service: Context, tmp_path: Path) -> Context:
    """A service that allows cameras on loopback and one folder, with short time limits."""
    (tmp_path / "cameras" / "valley").mkdir(parents=True)
    settings = {
        "loopback": True,
        "limit_seconds": 1,
        "seconds": 0,
        "frames": 4,
        "folders": (str(tmp_path / "cameras"),),
    }
    cameras = CameraSettings.model_validate(settings)
    return replace(service, settings=service.settings.model_copy(update={"cameras": cameras}))


def capture_now(service: Context, slot: str) -> CameraRow:
    """Capture from the first camera, and return its row."""
    with service.database.write() as session:
        job = add_capture_job(session, 1, slot, NOW)
    assert job is not None
    assert run_job(service, job) == "done"
    with service.database.read() as session:
        return session.get_one(CameraRow, 1)


def test_only_administrators_of_the_area_add_cameras_and_errors_are_in_chinese(
    service: Context, sign_in: SignIn, tmp_path: Path
) -> None:
    valley = FORM | {"kind": "folder", "address": str(tmp_path / "cameras" / "valley")}
    assert sign_in("village_a").post("/cameras", data=valley).status_code == 403
    assert "add-title" not in sign_in("village_a").get("/cameras").text
    county = sign_in("county")
    county.cookies.set("tuban_language", "zh")
    assert county.post("/cameras", data=valley | {"area_code": "330106"}).status_code == 403
    refused = {
        "name": ({"name": " "}, "1 至 100 个字符"),
        "area": ({"area_code": "33019"}, None),
        "scheme": ({"kind": "rtsp"}, "应以 rtsp:// 和主机名开头"),
        "elsewhere": ({"address": str(tmp_path)}, "不在允许摄像头存放画面的范围内"),
        "way out": ({"address": f"{tmp_path}/cameras/../home"}, "不在允许摄像头存放画面的范围内"),
        "nothing": ({"address": f"{tmp_path}/cameras/none"}, "没有文件夹 none"),
        "empty": ({"address": ""}, "地址为空"),
        "times": ({"times": "9 o'clock"}, "采集时间格式不正确"),
    }
    for name, (changed, says) in refused.items():
        response = county.post("/cameras", data=valley | changed, headers={"hx-request": "true"})
        assert response.status_code == (403 if says is None else 422), (name, response.text)
        assert says is None or says in response.text, (name, response.text)
    assert county.post("/cameras", data=valley).headers["hx-redirect"] == "/cameras/1"
    assert "已有名为 ridge 的摄像头" in county.post("/cameras", data=valley).text
    assert (tmp_path / "cameras").as_posix() in county.get("/cameras").text


def test_a_camera_is_added_changed_and_removed_and_its_password_never_leaks(
    service: Context, sign_in: SignIn, http_cameras: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    county, seen = sign_in("county"), []
    county.cookies.set("tuban_language", "zh")

    def post(to: str, /, **changed: str) -> str:
        response = county.post(to, data=FORM | changed)
        assert response.status_code == 200, response.text
        seen.append(f"{response.headers}{response.text}")
        return response.text

    # tested before it is stored
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    secret = {"username": USER, "password": PASSWORD}
    basic = {"kind": "still", "address": f"http://{http_cameras}/basic?token={TOKEN}"}
    messages = {
        "拒绝了所给的用户名和密码": basic | {"username": USER, "password": f"{PASSWORD}-wrong"},
        "未在规定时间内应答": secret | {"kind": "still", "address": f"http://{http_cameras}/silent"},
        "不是图像而是 text/html": secret | {"kind": "still", "address": f"http://{http_cameras}/page"},
        "画面静止不动": secret | {"address": f"http://{http_cameras}/frozen"},
        "无法连接": secret | {"address": f"http://127.0.0.1:{closed}/x"},
    }
    for words, changed in messages.items():
        assert words in post("/cameras/test", **changed)
    assert 'src="data:image/jpeg;base64,' in post("/cameras/test", **basic, **secret)
    with service.database.read() as session:
        assert session.scalars(select(CaptureRow.id)).all() == []  # nothing was stored

    # added with a wrong password, which is corrected without entering the address again
    post("/cameras", **basic, username=USER, password=f"{PASSWORD}-wrong")
    assert capture_now(service, "wrong").state == "no_answer"
    assert "拒绝了所给的用户名和密码" in county.get("/cameras/1").text
    post("/cameras/1", kind="still", **secret)
    assert "data:image/jpeg" in post("/cameras/1/test", kind="still")
    assert capture_now(service, "right").state != "no_answer"

    # a new name and new times do not change the stream; a new address does not use the stored password
    post("/cameras/1", kind="still", name="ridge, east", times="10:30")
    camera = county.get("/api/cameras/1").json()
    assert (camera["name"], camera["times"], camera["host"], camera["active"]) == (
        "ridge, east",
        ["10:30"],
        http_cameras,
        True,
    )
    assert camera["state"] != "new"
    assert "拒绝了所给的用户名和密码" in post("/cameras/1/test", **basic)

    pages = ("/cameras", "/cameras/1", "/api/cameras", "/api/cameras/1", "/log", "/cameras/1/captures/1/frame")
    seen += [county.get(path).content.decode("latin-1") for path in pages]
    backup(service.settings, tmp_path / "backup.tar", now=NOW)
    with tarfile.open(tmp_path / "backup.tar") as archive:
        files = [archive.extractfile(member) for member in archive if member.isfile()]
        seen += [file.read().decode("latin-1") for file in files if file is not None]
    seen += capfd.readouterr()
    for hidden in (PASSWORD, TOKEN, "cEBzczp3L3Jk"):
        assert not any(hidden in one for one in seen)

    # a deactivated camera is not captured; a removed one leaves nothing behind
    post("/cameras/1/active", active="false")
    assert county.get("/api/cameras/1").json()["next_capture"] is None
    assert "已停用" in county.get("/cameras").text
    assert len(list(service.objects.keys("cameras/"))) == 1
    assert county.post("/cameras/1/remove").headers["hx-redirect"] == "/cameras"
    assert county.get("/cameras/1").status_code == 404
    assert list(service.objects.keys("cameras/")) == []
    with service.database.read() as session:
        done = list(session.scalars(select(Action.what).order_by(Action.id)))
    assert done == ["added_camera", "changed_camera", "changed_camera", "stopped_camera", "removed_camera"]


def test_an_rtsp_camera_with_right_and_wrong_password_frozen_and_silent(
    service: Context, sign_in: SignIn, rtsp_cameras: list[str]
) -> None:
    county = sign_in("county")
    county.cookies.set("tuban_language", "zh")
    opened, locked = (f"rtsp://127.0.0.1:{port}" for port in rtsp_cameras)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hangs = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live"
        cases = [
            ({"address": f"{locked}/moving", "username": USER, "password": PASSWORD}, "dark", "画面过暗"),
            ({"username": USER, "password": "geheim"}, "no_answer", "拒绝了所给的用户名和密码"),
            ({"address": f"{opened}/frozen"}, "frozen", "画面静止不动"),
            ({"address": f"{opened}/nowhere"}, "no_answer", "在该地址没有内容"),
            ({"address": hangs}, "no_answer", "未在规定时间内应答"),
        ]
        for number, (changed, state, words) in enumerate(cases):
            address = "/cameras" if number == 0 else "/cameras/1"
            assert county.post(address, data=FORM | {"kind": "rtsp"} | changed).status_code == 200
            assert capture_now(service, str(number)).state == state
            shown = county.get("/cameras/1").text
            assert words in shown
            assert "geheim" not in shown


def test_errors_of_control_points_are_in_chinese(service: Context, sign_in: SignIn) -> None:
    watch(service, CODES["a"], size=SIZE)
    person = sign_in("village_a")
    person.cookies.set("tuban_language", "zh")
    good = [control_point(*place) for place in SPREAD_POINTS]

    def calibration_message(points: list[ControlPoint]) -> tuple[str, int | None]:
        sent = {"points": [{"x": p.x, "y": p.y, "lon": p.lon, "lat": p.lat} for p in points]}
        response = person.post("/api/cameras/1/views/1/calibration", json=sent).json()
        return response["fault"] or "".join(response["warnings"]), response["point"]

    line = [control_point(k * 10.0, 80.0 + 20 * k) for k in range(5)]
    exchanged = [*good[:3], replace(good[3], lon=good[3].lat, lat=good[3].lon)]
    twice = [
        *good[:2],
        *(replace(one, x=other.x, y=other.y) for one, other in zip(good[2:4], good[3:1:-1], strict=True)),
    ]
    far = [*good[:3], replace(good[3], lon=good[3].lon + 40 / 95_500), *good[4:]]
    assert calibration_message(good) == ("", None)
    assert calibration_message(good[:3]) == (
        "只有 3 个控制点，至少需要四个，最好六个以上，遍布所监视的地面。请继续添加。",
        None,
    )
    assert calibration_message(line)[0].startswith("所有点在画面中位于一条直线上")
    assert re.match("点 4 的经纬度颠倒了：经度 3", calibration_message(exchanged)[0])
    assert calibration_message(exchanged)[1] == 3
    assert calibration_message(twice)[0].startswith("位于地面之上的摄像头不可能这样看到这些点")
    assert calibration_message(far)[0].startswith("点 4 与其他点推算的位置相差 40 米")
    assert calibration_message(good[:4])[0].startswith("四个点总能吻合")
    assert calibration_message([*good, replace(good[0], lon=2.35, lat=48.9)])[0].endswith("不在中国范围内，请修正。")


def test_users_who_may_see_an_alert_see_the_frames_that_detected_it(service: Context, sign_in: SignIn) -> None:
    villages = create_villages(service)
    watch(service, CODES["b"], scene_id=villages.after["a"])  # the camera stands in village b
    report(service, villages, "a")
    person = sign_in("village_a")
    [sight] = person.get(f"/alerts/{NUMBERS['a']}/data").json()["cameras"]
    assert sight["size"] == [128, 72]
    assert sight["outlines"] == [[[60, 20], [60, 50], [30, 50], [30, 20], [60, 20]]]
    assert [sight[when]["at"] for when in ("before", "after")] == ["2026-11-23 09:00", "2026-11-24 09:00"]
    frames = [sight[when]["address"] for when in ("before", "after")]
    assert [person.get(address).headers["content-type"] for address in frames] == ["image/webp"] * 2
    assert person.get("/cameras/1/captures/1/frame").status_code == 404  # by the alert only
    other = sign_in("village_b")
    assert {other.get(address).status_code for address in frames} == {404}
    assert other.get(f"/alerts/{NUMBERS['b']}/frames/1").status_code == 404  # not of that alert
    assert other.get(f"/alerts/{NUMBERS['b']}/data").json()["cameras"] == []
    assert sign_in("admin").post("/cameras/1/remove").status_code == 422  # it is evidence
