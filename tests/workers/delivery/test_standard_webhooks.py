"""Web hooks follow the Standard Webhooks specification: its reference library verifies received requests."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from configs.service import HookSettings, read_service
from errors import SettingsError
from service.context import Context
from store.alerts.outbox import PendingDelivery
from store.schema.database import Database
from tests.workers.delivery.test_web_hooks import EVENT_ID, LOOPBACK, Receiver, receiver
from workers.delivery.deliver import send
from workers.delivery.web_hooks import sign_standard

__all__ = ["receiver"]

PLAIN = "a secret of some length, 密钥"
KEY = bytes(range(32))
ENCODED = "whsec_" + base64.b64encode(KEY).decode()
EVENT: dict[str, Any] = {"id": EVENT_ID, "subject": "330106W2026110001", "data": {"village": "东穆坞村"}}


def _receiver_secret(secret: str) -> str:
    """Return the secret as a receiver passes it to the library (docs/enforcement-queue.md)."""
    return secret if secret.startswith("whsec_") else base64.b64encode(secret.encode()).decode()


def _deliver(
    receiver: Receiver,
    sqlite: Database,
    folder: Path,
    secret: str,
    now: dt.datetime | None = None,
    previous: str | None = None,
) -> tuple[dict[str, str], bytes]:
    """Deliver an event and return headers and body of the request."""
    hook = {"url": receiver.hook().url, "secret": secret} | ({"previous_secret": previous} if previous else {})
    settings = read_service(home=folder, delivery={"hooks": [hook], "allowed_hosts": LOOPBACK})
    context = Context(settings, sqlite, lambda: now or dt.datetime.now(dt.UTC))
    send(context, PendingDelivery(1, EVENT_ID, f"hook:{hook['url']}", EVENT, 1, 0))
    (_, headers, body) = receiver.requests[-1]
    return headers, body


@pytest.mark.parametrize("secret", [PLAIN, ENCODED, ENCODED.rstrip("=")])
def test_the_library_verifies_a_delivered_event(
    receiver: Receiver, sqlite: Database, tmp_path: Path, secret: str
) -> None:
    headers, body = _deliver(receiver, sqlite, tmp_path, secret)
    assert Webhook(_receiver_secret(secret)).verify(body, headers) == EVENT == json.loads(body)
    assert headers["webhook-id"] == EVENT_ID
    assert headers["webhook-timestamp"] == headers["Tuban-Timestamp"]
    assert headers["Tuban-Signature"].startswith("v1=")
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"


@pytest.mark.parametrize("secret", [PLAIN, ENCODED])
def test_the_library_refuses_changed_requests(
    receiver: Receiver, sqlite: Database, tmp_path: Path, secret: str
) -> None:
    headers, body = _deliver(receiver, sqlite, tmp_path, secret)
    webhook = Webhook(_receiver_secret(secret))
    stamp = str(int(headers["webhook-timestamp"]) - 1)
    changed = [
        (body.replace(b"330106W2026110001", b"330106W2026110002"), headers),
        (body + b" ", headers),
        (body, headers | {"webhook-id": "another"}),
        (body, headers | {"webhook-timestamp": stamp}),
        (body, {name: value for name, value in headers.items() if name != "webhook-signature"}),
    ]
    for data, altered in changed:
        with pytest.raises(WebhookVerificationError):
            webhook.verify(data, altered)
    with pytest.raises(WebhookVerificationError):
        Webhook(base64.b64encode(os.urandom(32)).decode()).verify(body, headers)


def test_the_library_refuses_a_replayed_request(receiver: Receiver, sqlite: Database, tmp_path: Path) -> None:
    headers, body = _deliver(receiver, sqlite, tmp_path, ENCODED, dt.datetime.now(dt.UTC) - dt.timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(ENCODED).verify(body, headers)


def test_an_event_sent_again_keeps_its_id(receiver: Receiver, sqlite: Database, tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    first, _ = _deliver(receiver, sqlite, tmp_path, ENCODED, now - dt.timedelta(seconds=30))
    second, body = _deliver(receiver, sqlite, tmp_path, ENCODED, now)
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-signature"] != second["webhook-signature"]
    assert Webhook(ENCODED).verify(body, second) == EVENT


def test_the_signature_matches_the_published_example() -> None:
    # from the library tests of https://github.com/standard-webhooks/standard-webhooks
    hook = HookSettings(url="https://hook.example/", secret=SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    signed = sign_standard(hook.keys[0], "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_key_is_the_decoded_secret_or_the_plain_secret() -> None:
    keys = [
        HookSettings(url="https://hook.example/", secret=SecretStr(secret)).keys
        for secret in (ENCODED, ENCODED.rstrip("="), PLAIN)
    ]
    assert keys == [[KEY], [KEY], [PLAIN.encode()]]


def test_while_a_secret_is_replaced_both_are_valid(receiver: Receiver, sqlite: Database, tmp_path: Path) -> None:
    headers, body = _deliver(receiver, sqlite, tmp_path, ENCODED, previous=PLAIN)
    for secret in (ENCODED, _receiver_secret(PLAIN)):
        assert Webhook(secret).verify(body, headers) == EVENT
    with pytest.raises(WebhookVerificationError):
        Webhook(base64.b64encode(os.urandom(32)).decode()).verify(body, headers)


@pytest.mark.parametrize("encoded", ["no base64 at all, no", "A" * 31, "A" * 88, "密钥" * 12])
def test_an_invalid_standard_secret_is_refused_and_not_shown(encoded: str) -> None:
    hooks = [{"url": "https://hook.example/", "secret": f"whsec_{encoded}"}]
    with pytest.raises(SettingsError, match="24 to 64 bytes") as error:
        read_service(delivery={"hooks": hooks})
    assert encoded not in str(error.value)
