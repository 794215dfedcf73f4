"""Create the object store that is configured in the settings."""

from __future__ import annotations

from pathlib import Path

from configs.service import ServiceSettings
from errors import SettingsError
from store.objects.folder import FolderObjectStore
from store.objects.object_store import KEY, ObjectStore


def open_object_store(settings: ServiceSettings) -> ObjectStore:
    """Return the object store of ``settings.objects`` without connecting or writing.

    Raises:
        SettingsError: the setting is neither a folder nor ``s3://bucket/prefix``.
    """
    address = settings.objects_url
    if address.startswith("s3://"):
        from store.objects.s3 import S3ObjectStore  # boto3 takes half a second to import

        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        prefix = prefix.strip("/")
        if not bucket or (prefix and not KEY.fullmatch(prefix)):
            raise SettingsError(f"TUBAN_OBJECTS is {address!r}; expected s3://bucket or s3://bucket/prefix.")
        return S3ObjectStore(bucket, prefix, endpoint=settings.s3_endpoint, cache=settings.home.resolve() / "cache")
    if "://" in address:
        raise SettingsError(f"TUBAN_OBJECTS is {address!r}; expected a folder or s3://bucket/prefix.")
    return FolderObjectStore(Path(address).resolve())
