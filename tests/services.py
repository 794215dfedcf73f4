"""Where the real services are that tests use; a test is skipped with the reason where one is not there."""

from __future__ import annotations

import os

POSTGRESQL = os.environ.get("TUBAN_TEST_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("TUBAN_TEST_REDIS", "redis://127.0.0.1:6379/9")
RABBITMQ = os.environ.get("TUBAN_TEST_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672//")
