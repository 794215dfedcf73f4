"""The journal: what the processes tell, on standard error, as text or as one JSON object a line.

Whatever is logged, by Tuban or by a library, goes through the same formatter, with the job, scan and alert it belongs
to. Passwords and secrets of the settings never leave it.
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

QUIET = (
    *("alembic", "pyogrio", "amqp", "botocore", "boto3", "s3transfer", "urllib3", "rasterio", "kombu"),
    "celery.utils.functional",
)
"""Libraries that tell too much below warnings."""

HIDDEN = "***"
_PASSWORD = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]*://[^\s:/@\"']*:)[^\s/\"']+@")
"""The password in ``scheme://user:password@host``."""


def set_up_logging(settings: ServiceSettings, stream: TextIO | None = None) -> None:
    """Set up the journal of this process; calling it again replaces what was set up.

    Args:
        settings: ``log`` says what is told and how; its secrets are hidden.
        stream: where to; None: standard error.
    """
    hide = _Hide(settings)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(stream) if stream else _ToStandardError()
    handler.setFormatter(
        _Formatter(
            hide,
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendered(settings, handler.stream),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log.level.upper())
    for name in QUIET:
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
    """Whatever is logged while this is open, by this thread, belongs to these: ``with log_context(scan=12, alert="…")``."""
    return structlog.contextvars.bound_contextvars(**ids)


class _Hide:
    """Takes passwords and secrets out of a finished line."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._secrets = tuple(hook.secret.get_secret_value() for hook in settings.delivery.hooks)

    def __call__(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        return _PASSWORD.sub(rf"\1{HIDDEN}@", line)


class _ToStandardError(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _Formatter(structlog.stdlib.ProcessorFormatter):
    def __init__(self, hide: _Hide, **given: Any) -> None:
        super().__init__(**given)
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """The line without secrets, those in a traceback included."""
        return self._hide(super().format(record))


def _rendered(settings: ServiceSettings, stream: TextIO) -> list[Processor]:
    if settings.log.format == "json":
        return [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain, pad_event_to=0)]
