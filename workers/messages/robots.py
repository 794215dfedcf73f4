"""Robots of groups of DingTalk and WeCom: signed requests, and the error code in the response.

Both servers answer 200 also where they refuse a message: ``errcode`` 0 means that they accepted it. Whether anybody
has read it they do not say. Sources: open.dingtalk.com, "Custom robot"; developer.work.weixin.qq.com, "Group robot".
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from configs.notice_settings import RobotServers, RobotSettings
from workers.delivery.delivery_errors import DeliveryRejected
from workers.delivery.web_hooks import post

TOO_MANY = {"dingtalk": (130101, 410100), "wecom": (45009,)}
"""Error codes of too many requests."""

BLOCKED_SECONDS = 600.0
"""How long a robot is blocked after too many requests."""


def sign_dingtalk(secret: str, timestamp: int) -> str:
    """Return the parameter ``sign``: HMAC-SHA256 over timestamp (milliseconds), a line end and the secret."""
    signed = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256)
    return b64encode(signed.digest()).decode()


def robot_url(robot: RobotSettings, servers: RobotServers, now: dt.datetime) -> str:
    """Return the address of a request, with token and signature."""
    if robot.kind == "wecom":
        return f"{servers.wecom}?{urlencode({'key': robot.token.get_secret_value()})}"
    timestamp = int(now.timestamp() * 1000)
    signature = sign_dingtalk(robot.secret.get_secret_value(), timestamp)
    query = {"access_token": robot.token.get_secret_value(), "timestamp": timestamp, "sign": signature}
    return f"{servers.dingtalk}?{urlencode(query)}"


def robot_message(kind: str, text: str, mobile: str) -> dict[str, Any]:
    """Return a text message as the server of a kind of robot expects it; ``mobile``: of the person to be mentioned."""
    if kind == "wecom":
        content: dict[str, Any] = {"content": text}
        if mobile:
            content["mentioned_mobile_list"] = [mobile]
        return {"msgtype": "text", "text": content}
    words = f"@{mobile} {text}" if mobile else text
    at = {"atMobiles": [mobile] if mobile else [], "isAtAll": False}
    return {"msgtype": "text", "text": {"content": words}, "at": at}


def send_to_robot(
    robot: RobotSettings,
    servers: RobotServers,
    text: str,
    mobile: str,
    *,
    allowed_hosts: Sequence[str],
    timeout_seconds: float,
    now: dt.datetime,
) -> str:
    """Send a text to a robot; return the server's answer.

    Raises:
        DeliveryRejected: the server is not reachable or did not accept the message.
    """
    body = json.dumps(robot_message(robot.kind, text, mobile), ensure_ascii=False).encode()
    label = f"The robot {robot.name}"
    answer = post(
        robot_url(robot, servers, now),
        body,
        {"Content-Type": "application/json; charset=utf-8"},
        allowed_hosts=allowed_hosts,
        timeout_seconds=timeout_seconds,
        now=now,
        label=label,
    )
    return read_answer(answer, robot.kind, label)


def read_answer(answer: bytes, kind: str, label: str) -> str:
    """Return ``errcode`` and ``errmsg`` of an accepted message.

    Raises:
        DeliveryRejected: the answer is not JSON, or its ``errcode`` is not 0; with the time to wait.
    """
    try:
        data = json.loads(answer)
        code, message = int(data["errcode"]), str(data.get("errmsg", ""))[:200]
    except (ValueError, KeyError, TypeError) as error:
        shown = answer[:100].decode("utf-8", "replace")
        raise DeliveryRejected(f"{label} answered without errcode: {shown!r}. Is the address right?") from error
    if code != 0:
        wait = BLOCKED_SECONDS if code in TOO_MANY[kind] else 0
        raise DeliveryRejected(f"{label} refused the message: errcode {code}, {message}.", wait)
    return f"errcode 0 {message}".strip()
