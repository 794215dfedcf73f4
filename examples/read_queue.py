"""Read Tuban's enforcement queue without Celery and without Tuban: plain JSON over AMQP or Redis.

    pip install amqp redis
    python read_queue.py amqp://guest:guest@127.0.0.1:5672/ enforcement
    python read_queue.py redis://127.0.0.1:6379/0 enforcement

A message is removed only after it was handled, so it may be delivered twice: deduplicate by the event's id.
"""

import json
import sys
from urllib.parse import unquote, urlsplit


def handle(event):
    """Process an event; this example prints one line."""
    alert = event["data"]["properties"]
    print(event["id"], event["type"], alert["number"], alert["kind"], f"{alert['area_mu']:.2f} mu", flush=True)


def read_amqp(url, queue):
    """Read over AMQP; acknowledge each message after it was handled."""
    import amqp

    user = unquote(url.username or "guest"), unquote(url.password or "guest")
    virtual_host = unquote(url.path[1:]) or "/"
    with amqp.Connection(f"{url.hostname}:{url.port or 5672}", *user, virtual_host=virtual_host) as connection:
        channel = connection.channel()
        while message := channel.basic_get(queue):
            handle(json.loads(message.body))
            channel.basic_ack(message.delivery_tag)


def read_redis(address, queue):
    """Read from a Redis list; each message stays in a second list until it was handled."""
    import redis

    client = redis.Redis.from_url(address)
    while client.lmove(f"{queue}:taken", queue, "RIGHT", "LEFT"):
        pass  # requeue messages of a reader that died
    while body := client.lmove(queue, f"{queue}:taken", "LEFT", "RIGHT"):
        handle(json.loads(body))
        client.lrem(f"{queue}:taken", 1, body)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    address, name = sys.argv[1:]
    read_redis(address, name) if address.startswith("redis") else read_amqp(urlsplit(address), name)
