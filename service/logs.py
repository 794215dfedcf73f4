"""Logging to standard error, as text or as one JSON object per line.

Records of Tuban and of libraries go through the same formatter, which adds the job, scan and alert they belong to and
redacts passwords and secrets of the settings, mobile and identity numbers.
"""

from __future__ import annotations

import logging
import re
import sys
from contextlib import AbstractContextManager
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from configs.service import ServiceSettings
from configs.version import program_version
from enforcement.sharing.identity import mask_numbers

QUIET_LOGGERS = (
    *("alembic", "pyogrio", "amqp", "botocore", "boto3", "s3transfer", "urllib3", "rasterio", "kombu"),
    "celery.utils.functional",
)
"""Libraries that log too much below the level of warnings."""

REDACTED = "***"
_PASSWORD = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]*://[^\s:/@\"']*:)[^\s/\"']+@")
"""The password in ``scheme://user:password@host``."""


def set_up_logging(settings: ServiceSettings, stream: TextIO | None = None) -> None:
    """Configure logging of this process, replacing an earlier configuration.

    Args:
        settings: ``log`` selects level and format; the secrets of the settings are redacted.
        stream: destination; None: standard error.
    """
    redact = _Redactor(settings)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(stream) if stream else _StderrHandler()
    handler.setFormatter(
        _RedactingFormatter(
            redact,
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(settings, handler.stream),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log.level.upper())
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def log_context(**ids: Any) -> AbstractContextManager[None]:
    """Add ids to all records that this thread logs inside the ``with`` block: ``with log_context(scan=12): …``."""
    return structlog.contextvars.bound_contextvars(**ids)


def log_version(part: str) -> None:
    """Log the program's version when a process starts; ``part`` names the process: worker, schedule, web or up."""
    structlog.get_logger(f"tuban.{part}").info("Tuban starts", version=program_version())


class _Redactor:
    """Removes passwords and secrets from a formatted line."""

    def __init__(self, settings: ServiceSettings) -> None:
        hooks = (*settings.delivery.hooks, *settings.delivery.body_hooks, *settings.notices.hooks)
        secrets = (*(hook.secret for hook in hooks), settings.notices.mail.password)
        self._secrets = tuple(value for secret in secrets if (value := secret.get_secret_value()))

    def __call__(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, REDACTED)
        return mask_numbers(_PASSWORD.sub(rf"\1{REDACTED}@", line))


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to the current ``sys.stderr``, even if it is replaced later."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    def __init__(self, redact: _Redactor, **options: Any) -> None:
        super().__init__(**options)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without secrets, including those in a traceback."""
        return self._redact(super().format(record))


def _renderers(settings: ServiceSettings, stream: TextIO) -> list[Processor]:
    if settings.log.format == "json":
        return [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    traceback = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=traceback, pad_event_to=0)]
