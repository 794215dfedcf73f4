"""Logging: one format for all records, with their context and without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
import structlog

from configs.service import read_service
from service.logs import log_context, log_version, set_up_logging

SECRET = "a secret of some length"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _set_up(**log: str) -> io.StringIO:
    stream = io.StringIO()
    hooks = [{"url": "https://hook.example/", "secret": SECRET}]
    set_up_logging(read_service(log=log, delivery={"hooks": hooks}), stream)
    return stream


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_json_line_has_message_time_and_context() -> None:
    stream = _set_up(format="json")
    with log_context(job=7, scan=12):
        structlog.get_logger("tuban.test").info("event delivered", alert="330106W2026110001", village="东穆坞村")
    (line,) = _lines(stream)
    assert (line["message"], line["level"], line["logger"]) == ("event delivered", "info", "tuban.test")
    assert (line["job"], line["scan"], line["alert"]) == (7, 12, "330106W2026110001")
    assert line["timestamp"].endswith("Z")
    assert "东穆坞村" in stream.getvalue()


def test_records_of_libraries_have_the_same_format_and_context() -> None:
    stream = _set_up(format="json")
    with log_context(job=7):
        logging.getLogger("celery.worker").warning("lost %s", "connection")
    (line,) = _lines(stream)
    assert (line["message"], line["level"], line["logger"]) == ("lost connection", "warning", "celery.worker")
    assert line["job"] == 7


def test_the_context_ends_with_its_block() -> None:
    stream = _set_up(format="json")
    with log_context(job=7):
        pass
    structlog.get_logger().info("later")
    assert "job" not in _lines(stream)[0]


def test_a_traceback_stays_within_its_line() -> None:
    stream = _set_up(format="json")
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger().error("failed", exc_info=True)
        logging.getLogger("celery").exception("failed too")
    assert [("ValueError: broken" in line["exception"]) for line in _lines(stream)] == [True, True]


def test_text_format_is_one_line() -> None:
    stream = _set_up(format="text")
    with log_context(scan=12):
        structlog.get_logger().info("merged", changes=3)
    (line,) = stream.getvalue().splitlines()
    assert "merged" in line
    assert "scan=12" in line
    assert "changes=3" in line
    assert "\x1b" not in line


def test_the_level_of_the_settings_holds() -> None:
    stream = _set_up(format="json", level="warning")
    structlog.get_logger("tuban").info("quiet")
    logging.getLogger("celery").info("quiet")
    structlog.get_logger("tuban").warning("loud")
    assert [line["message"] for line in _lines(stream)] == ["loud"]


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_passwords_and_secrets_are_redacted(log_format: str) -> None:
    stream = _set_up(format=log_format)
    addresses = (
        "postgresql+psycopg://tuban:pa55@word@db:5432/tuban",
        "amqp://guest:pa55word@broker:5672//",
        "redis://:pa55word@broker:6379/0",
    )
    for address in addresses:
        structlog.get_logger().error("no answer", address=address)
        logging.getLogger("kombu").error("no answer from %s", address)
        try:
            raise ConnectionError(address)
        except ConnectionError:
            structlog.get_logger().error("failed", exc_info=True)
    structlog.get_logger().error("signed", secret=SECRET)
    assert "pa55" not in stream.getvalue()
    assert SECRET not in stream.getvalue()
    assert "@broker:5672" in stream.getvalue()


def test_a_second_setup_does_not_duplicate_records() -> None:
    _set_up(format="json")
    stream = _set_up(format="json")
    structlog.get_logger().info("once")
    assert len(_lines(stream)) == 1


def test_a_starting_process_logs_the_version() -> None:
    stream = _set_up(format="json")
    log_version("worker")
    [line] = _lines(stream)
    assert (line["logger"], line["version"]) == ("tuban.worker", version("tuban"))
