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


def read_redis(address, stream, group="reader", consumer="1"):
    """Read a Redis stream with a consumer group; acknowledge and delete each entry after it was handled."""
    import redis

    client = redis.Redis.from_url(address)
    try:
        client.xgroup_create(stream, group, id="0", mkstream=True)
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):  # the group exists
            raise
    for start in ("0", ">"):  # first entries that this consumer read but did not acknowledge, then new ones
        while (found := client.xreadgroup(group, consumer, {stream: start}, count=1)) and found[0][1]:
            [(_, [(entry, fields)])] = found
            handle(json.loads(fields[b"event"]))
            client.xack(stream, group, entry)
            client.xdel(stream, entry)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    address, name = sys.argv[1:]
    read_redis(address, name) if address.startswith("redis") else read_amqp(urlsplit(address), name)
