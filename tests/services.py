"""URLs of the services that tests use; tests are skipped, with the reason, if a service is unavailable."""

from __future__ import annotations

import os

POSTGRESQL = os.environ.get("TUBAN_TEST_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("TUBAN_TEST_REDIS", "redis://127.0.0.1:6379/9")
RABBITMQ = os.environ.get("TUBAN_TEST_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672//")
