"""Object files in an S3-compatible store: a key is the name of an object in a bucket."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from errors import SettingsError
from store.objects.cache import ObjectCache
from store.objects.object_store import ObjectNotFound, ObjectStoreUnavailable, check_key

CACHE_BYTES = 50 * 2**30
"""Copies that are kept for the next reader: some dozens of scenes."""

_MISSING = ("404", "NoSuchKey", "NotFound")


class S3ObjectStore:
    """See :class:`store.objects.object_store.ObjectStore`. The store itself makes an object visible only when it is whole.

    The keys to it come from the environment (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``).
    """

    def __init__(self, bucket: str, prefix: str, *, endpoint: str, cache: Path, cache_bytes: int = CACHE_BYTES) -> None:
        """Nothing is connected yet.

        Args:
            bucket: its name.
            prefix: stands before every key, without slashes around it; may be "".
            endpoint: address of a store that is not Amazon's, or "".
            cache: folder for copies.
            cache_bytes: how much is kept there.
        """
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.endpoint = endpoint
        self.cache = ObjectCache(cache, cache_bytes)
        session = boto3.session.Session()
        self._client: Any = session.client(
            "s3",
            endpoint_url=endpoint or None,
            region_name=session.region_name or "us-east-1",  # other stores ignore it, but a signature needs one
            config=Config(
                connect_timeout=10,
                read_timeout=60,
                retries={"mode": "standard"},  # AWS_MAX_ATTEMPTS says how many
                s3={"addressing_style": "path"} if endpoint else {},
                # checksums in trailers, the default, are not understood by many stores that are not Amazon's
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def put(self, key: str, data: bytes | Path) -> None:
        """Write an object."""
        name = self._name(key)
        if isinstance(data, Path):
            data.open("rb").close()  # a file that cannot be read is the caller's fault, not the store's
        with self._telling(key):
            if isinstance(data, Path):
                self._client.upload_file(str(data), self.bucket, name)
            else:
                self._client.put_object(Bucket=self.bucket, Key=name, Body=data)

    def read(self, key: str) -> bytes:
        """Return what is in an object."""
        with self._telling(key):
            content: bytes = self._client.get_object(Bucket=self.bucket, Key=self._name(key))["Body"].read()
        return content

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """Give a copy; one that was fetched before is used again as long as the object is the same."""
        head = self._head(key)
        mark = hashlib.sha256(f"{self.endpoint} {self.bucket} {self._name(key)} {head['ETag']}".encode()).hexdigest()

        def fetch(half: Path) -> None:
            with self._telling(key):
                self._client.download_file(self.bucket, self._name(key), str(half))

        with self.cache.copy(mark[:40] + PurePosixPath(key).suffix, int(head["ContentLength"]), fetch) as path:
            yield path

    def exists(self, key: str) -> bool:
        """Whether the object is there."""
        try:
            self._head(key)
        except ObjectNotFound:
            return False
        return True

    def size(self, key: str) -> int:
        """Bytes."""
        return int(self._head(key)["ContentLength"])

    def delete(self, key: str) -> None:
        """Remove an object."""
        with self._telling(key):
            self._client.delete_object(Bucket=self.bucket, Key=self._name(key))

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin with ``prefix``."""
        with self._telling(prefix):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                for entry in page.get("Contents", ()):
                    yield entry["Key"].removeprefix(self.prefix)

    def check(self) -> None:
        """Write something and remove it."""
        key = f"check/{uuid4().hex}"
        try:
            self.put(key, b"tuban")
            self.delete(key)
        except (ObjectNotFound, ObjectStoreUnavailable) as error:
            raise SettingsError(
                f"TUBAN_OBJECTS cannot be used: {error} Check the bucket, TUBAN_S3_ENDPOINT, AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY."
            ) from error

    def _name(self, key: str) -> str:
        return self.prefix + check_key(key)

    def _head(self, key: str) -> dict[str, Any]:
        with self._telling(key):
            head: dict[str, Any] = self._client.head_object(Bucket=self.bucket, Key=self._name(key))
        return head

    @contextmanager
    def _telling(self, key: str) -> Iterator[None]:
        """Turn the client's errors into ours."""
        place = f"s3://{self.bucket}" + (f" at {self.endpoint}" if self.endpoint else "")
        try:
            yield
        except ClientError as error:
            found = error.response.get("Error", {})
            if found.get("Code") in _MISSING:
                raise ObjectNotFound(f"No object {key} in {place}.") from error
            reason = f"{found.get('Code', '?')}: {found.get('Message', 'no reason given')}"
            raise ObjectStoreUnavailable(f"The object store {place} refused {key} ({reason}).") from error
        except (BotoCoreError, Boto3Error) as error:
            raise ObjectStoreUnavailable(f"The object store {place} cannot be used for {key}: {error}") from error
