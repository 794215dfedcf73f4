"""Object store in a bucket of an S3-compatible server."""

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
from store.objects.object_store import ObjectNotFound, ObjectStoreUnavailable, check_key, file_digest

CACHE_BYTES = 50 * 2**30
"""Size of the local cache: some dozens of scenes."""

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 15.0
"""A connection that is silent for longer is closed, and the request repeated on a new one."""

_DIGEST = "sha256"
"""Name of the checksum in an object's metadata."""

_MISSING = ("404", "NoSuchKey", "NotFound")


class S3ObjectStore:
    """An :class:`store.objects.object_store.ObjectStore` on S3, where an upload becomes visible only when complete.

    Credentials come from the environment (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``).
    """

    def __init__(self, bucket: str, prefix: str, *, endpoint: str, cache: Path, cache_bytes: int = CACHE_BYTES) -> None:
        """Create the client without connecting.

        Args:
            bucket: name of the bucket.
            prefix: prepended to every key, without leading or trailing slashes; may be "".
            endpoint: URL of a server other than Amazon's, or "".
            cache: folder of the local cache.
            cache_bytes: size limit of the cache.
        """
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.endpoint = endpoint
        self.cache = ObjectCache(cache, cache_bytes)
        session = boto3.session.Session()
        self._client: Any = session.client(
            "s3",
            endpoint_url=endpoint or None,
            region_name=session.region_name or "us-east-1",  # ignored by other servers, but required for signatures
            config=Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=ANSWER_SECONDS,
                tcp_keepalive=True,
                proxies={},  # a proxy in the environment is for the internet, and the store is in the intranet
                retries={"mode": "standard"},  # their number is AWS_MAX_ATTEMPTS
                s3={"addressing_style": "path"} if endpoint else {},
                # many other servers do not support checksums in trailers, the default
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def put(self, key: str, data: bytes | Path) -> None:
        """Write an object."""
        name = self._name(key)
        if isinstance(data, Path):
            data.open("rb").close()  # an unreadable source file is an error of the caller, not of the object store
        digest = file_digest(data) if isinstance(data, Path) else hashlib.sha256(data).hexdigest()
        metadata = {_DIGEST: digest}
        with self._translate_errors(key):
            if isinstance(data, Path):
                self._client.upload_file(str(data), self.bucket, name, ExtraArgs={"Metadata": metadata})
            else:
                self._client.put_object(Bucket=self.bucket, Key=name, Body=data, Metadata=metadata)

    def read(self, key: str) -> bytes:
        """Return the content of an object."""
        with self._translate_errors(key):
            content: bytes = self._client.get_object(Bucket=self.bucket, Key=self._name(key))["Body"].read()
        return content

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """Give a cached copy; it is downloaded again only if the object's ETag changed."""
        head = self._head(key)
        digest = hashlib.sha256(f"{self.endpoint} {self.bucket} {self._name(key)} {head['ETag']}".encode()).hexdigest()

        def download(path: Path) -> None:
            with self._translate_errors(key):
                self._client.download_file(self.bucket, self._name(key), str(path))

        with self.cache.get(digest[:40] + PurePosixPath(key).suffix, int(head["ContentLength"]), download) as cached:
            yield cached

    def exists(self, key: str) -> bool:
        """Return whether the object exists."""
        try:
            self._head(key)
        except ObjectNotFound:
            return False
        return True

    def size(self, key: str) -> int:
        """Return the size of an object in bytes."""
        return int(self._head(key)["ContentLength"])

    def digest(self, key: str) -> str:
        """Download an object and return the SHA-256 of its content."""
        digest = hashlib.sha256()
        with self._translate_errors(key):
            body = self._client.get_object(Bucket=self.bucket, Key=self._name(key))["Body"]
            for chunk in body.iter_chunks(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()

    def recorded_digests(self, key: str) -> tuple[str, ...]:
        """Return the SHA-256 in the object's metadata."""
        recorded = self._head(key).get("Metadata", {}).get(_DIGEST)
        return (recorded,) if recorded else ()

    def record_digest(self, key: str, sha256: str) -> None:
        """Do nothing: metadata cannot be changed without writing the object again."""

    def delete(self, key: str) -> None:
        """Delete an object."""
        with self._translate_errors(key):
            self._client.delete_object(Bucket=self.bucket, Key=self._name(key))

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield all keys that begin with ``prefix``, in order."""
        with self._translate_errors(prefix):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                for entry in page.get("Contents", ()):
                    yield entry["Key"].removeprefix(self.prefix)

    def check(self) -> None:
        """Write and delete a test object."""
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
        with self._translate_errors(key):
            head: dict[str, Any] = self._client.head_object(Bucket=self.bucket, Key=self._name(key))
        return head

    @contextmanager
    def _translate_errors(self, key: str) -> Iterator[None]:
        """Translate errors of boto3 to those of :mod:`store.objects.object_store`."""
        url = f"s3://{self.bucket}" + (f" at {self.endpoint}" if self.endpoint else "")
        try:
            yield
        except ClientError as error:
            details = error.response.get("Error", {})
            if details.get("Code") in _MISSING:
                raise ObjectNotFound(f"The object {key} does not exist in {url}.") from error
            reason = f"{details.get('Code', '?')}: {details.get('Message', 'no reason given')}"
            raise ObjectStoreUnavailable(f"The object store {url} rejected {key} ({reason}).") from error
        except (BotoCoreError, Boto3Error) as error:
            raise ObjectStoreUnavailable(f"The object store {url} is unavailable for {key}: {error}") from error
