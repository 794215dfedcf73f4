"""Client of the upload API: create a batch, send its files in chunks over tus, complete the batch.

The server knows the offset of each upload. The id of an unfinished batch is stored in the user's cache folder, so that
the same command resumes it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from cli.language import say
from errors import ImageError, OutputError, SettingsError
from imagery.conversion.given_metadata import GivenMetadata
from service.file_discovery import DiscoveredFile, checksum, file_size, list_files, require_regular_file

TUS = {"tus-resumable": "1.0.0"}
CHUNK_BYTES = 8 * 2**20
"""Size of one request body; at most this much is sent again after an interruption."""

MAX_DELAY_SECONDS = 30.0
_MAX_RETRIES = 6
"""Retries after a full disk or another failure of the server; a lost connection is retried without limit."""


class ServiceClient:
    """HTTP client of the service that retries after lost connections and server errors, with exponential backoff."""

    def __init__(self, client: httpx.Client, console: Console, sleep: Callable[[float], None] = time.sleep) -> None:
        """``client`` has the base address and the token."""
        self._client, self._console, self._sleep = client, console, sleep

    def batch_page(self, batch: int) -> str:
        """Return the address of a batch's page."""
        return f"{str(self._client.base_url).rstrip('/')}/batches/{batch}"

    def batch(self, batch: int) -> dict[str, Any]:
        """Fetch the state of a batch and its files."""
        report: dict[str, Any] = self.request("GET", f"/api/batches/{batch}").json()
        return report

    def request(self, method: str, path: str, accept: Sequence[int] = (), **options: Any) -> httpx.Response:
        """Send one request.

        Args:
            method: GET, POST …
            path: relative to the address of the service.
            accept: error statuses that are returned to the caller; 0: raise when the connection is lost.
            **options: keyword arguments of :meth:`httpx.Client.request`.

        Raises:
            SettingsError: the service rejects the request, or its certificate is not trusted.
            OutputError: the service keeps failing.
            httpx.TransportError: the connection was lost and 0 is in ``accept``.
        """
        retries, warned = 0, False
        while True:
            try:
                response = self._client.request(method, path, **options)
            except httpx.TransportError as error:
                self._raise_if_untrusted(error)
                if 0 in accept:
                    raise
                if not warned:
                    self._console.print(
                        say(
                            f"No connection ({_reason(error)}). Retrying; Ctrl-C ends the command.",
                            "cli.no_connection",
                            error=_reason(error),
                        ),
                        style="yellow",
                    )
                    warned = True
                self.back_off(retries)
                retries += 1
                continue
            if response.is_success or response.status_code in accept:
                return response
            if response.status_code >= 500 and retries < _MAX_RETRIES:
                self.back_off(retries)
                retries += 1
                continue
            raise self._error(response)

    def back_off(self, retries: int) -> None:
        """Wait before the next attempt, longer after each retry."""
        self._sleep(min(MAX_DELAY_SECONDS, 2.0**retries))

    def _raise_if_untrusted(self, error: httpx.TransportError) -> None:
        if isinstance(error, httpx.UnsupportedProtocol) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise SettingsError(
                f"The certificate of {self._client.base_url.host} is not trusted: {_reason(error)}. Give the "
                "certificate of the bureau's authority with --ca.",
                "cli.untrusted",
                host=self._client.base_url.host,
                error=_reason(error),
            ) from None

    def _error(self, response: httpx.Response) -> Exception:
        try:
            message = str(response.json()["detail"])
        except (ValueError, KeyError, TypeError):
            message = f"No Tuban service answers at this address (status {response.status_code})."
        if response.status_code == 401:
            message = "The token is not known, has expired or was revoked. Create a new one on your account page."
        return (OutputError if response.status_code >= 500 else SettingsError)(message)


class BatchUpload:
    """Resumable upload of the files of one command as one batch.

    Attributes:
        files: the files to send.
        total: their total size in bytes.
        id: number of the batch; 0 before :meth:`begin`.
        unreadable: name of each file that cannot be sent → reason.
    """

    def __init__(
        self, service: ServiceClient, url: str, paths: Sequence[Path], area: str, source: str,
        given: GivenMetadata, name: str, max_files: int,
    ) -> None:  # fmt: skip
        """List the files.

        Raises:
            SettingsError: a path does not exist, or there are more than ``max_files`` files.
        """
        self._service = service
        self.files: list[DiscoveredFile] = list_files(paths, max_files)
        self.total = sum(file_size(file.path) for file in self.files)
        self.id = 0
        default_name = ", ".join(path.resolve().name for path in paths[:3]) + (" …" if len(paths) > 3 else "")
        folders = {file.folder for file in self.files}
        self._fields = {
            "area": area,
            "source": source,
            "name": name or default_name,
            "date": given.date and given.date.isoformat(),
            "bands": list(given.bands),
            "crs": given.crs,
            "override": given.override,
            "folder": folders.pop() if len(folders) == 1 else "",
        }
        command = "\0".join([url.rstrip("/"), area, source, *sorted(str(path.resolve()) for path in paths)])
        command_hash = hashlib.sha256(command.encode(errors="surrogateescape")).hexdigest()
        self._resume_file = _cache_folder() / f"{command_hash[:32]}.json"
        self._checksums: dict[str, str] = {}
        self.unreadable: dict[str, str] = {}
        self._server_state: dict[str, Any] = {}

    def compute_checksums(self, progress: Callable[[int], None]) -> None:
        """Compute the SHA-256 of each file; ``progress`` is called with the size of each chunk read.

        Links, devices and unreadable files are removed from :attr:`files` and added to :attr:`unreadable`.
        """
        for file in self.files:
            try:
                self._checksums[file.name] = checksum(require_regular_file(file.path, file.name), file.name, progress)
            except ImageError as error:
                self.unreadable[file.name] = str(error)
        self.files = [file for file in self.files if file.name in self._checksums]
        self.total = sum(file_size(file.path) for file in self.files)

    def begin(self) -> None:
        """Create the batch, or find the unfinished one of an earlier call of the same command.

        Raises:
            SettingsError: the service rejects the batch.
            OutputError: the service cannot accept it now.
        """
        state = self._find_unfinished()
        if state is None:
            response = self._service.request("POST", "/api/batches", json=self._fields)
            self.id, state = int(response.json()["id"]), {"uploads": []}
            self._store_id()
        self._server_state = state

    def send(self, progress: Callable[[int], None]) -> None:
        """Send the missing bytes and complete the batch; ``progress`` is called with the total bytes on the server.

        Raises:
            SettingsError: the service rejects a file.
            OutputError: the service cannot accept it now.
        """
        state = self._server_state
        if state.get("complete") or "uploads" not in state:
            progress(self.total)
            return
        uploads = {upload["name"]: upload for upload in state["uploads"]}
        done = 0
        for file in self.files:
            size = file_size(file.path)
            upload = uploads.get(file.name)
            if upload is not None and (upload["size"], upload["sha256"]) == (size, self._checksums[file.name]):
                address, offset = f"/api/uploads/{upload['id']}", upload["offset"]
            else:
                address, offset = self._create_upload(file, size), 0
            self._send_file(file, address, offset, size, lambda sent, before=done: progress(before + sent))  # type: ignore[misc]
            done += size
        self._service.request("POST", f"/api/batches/{self.id}/complete")

    def forget(self) -> None:
        """Delete the stored id: the batch has ended, and the same command starts a new one."""
        self._resume_file.unlink(missing_ok=True)

    def _create_upload(self, file: DiscoveredFile, size: int) -> str:
        metadata = {"batch": str(self.id), "filename": file.name, "sha256": self._checksums[file.name]}
        pairs = (f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in metadata.items())
        headers = TUS | {"upload-length": str(size), "upload-metadata": ",".join(pairs)}
        location = self._service.request("POST", "/api/uploads", headers=headers).headers.get("location", "")
        return f"/api/uploads/{location.rpartition('/')[2]}"  # a proxy may rewrite host and prefix of the location

    def _send_file(
        self, file: DiscoveredFile, address: str, offset: int, size: int, progress: Callable[[int], None]
    ) -> None:
        retries = 0
        with file.path.open("rb") as content:
            while offset < size:
                content.seek(offset)
                chunk = content.read(CHUNK_BYTES)
                if not chunk:
                    raise ImageError(
                        f"{file.name} became shorter during the upload. Upload it again.", "cli.shorter", name=file.name
                    )
                headers = TUS | {"upload-offset": str(offset), "content-type": "application/offset+octet-stream"}
                try:
                    response = self._service.request("PATCH", address, accept=(0, 409), headers=headers, content=chunk)
                except httpx.TransportError:
                    response = None
                if response is not None and response.is_success:
                    offset, retries = int(response.headers["upload-offset"]), 0
                else:
                    self._service.back_off(retries)
                    retries += 1
                    offset = int(self._service.request("HEAD", address, headers=TUS).headers["upload-offset"])
                progress(offset)

    def _find_unfinished(self) -> dict[str, Any] | None:
        """Fetch the unfinished batch of an earlier call of the same command, if there is one."""
        try:
            self.id = int(json.loads(self._resume_file.read_text())["batch"])
        except (OSError, ValueError, KeyError):
            return None
        response = self._service.request("GET", f"/api/batches/{self.id}", accept=(404,))
        state: dict[str, Any] = response.json()
        if response.status_code == 404 or state["state"] == "done":
            return None
        return state

    def _store_id(self) -> None:
        try:
            self._resume_file.parent.mkdir(parents=True, exist_ok=True)
            self._resume_file.write_text(json.dumps({"batch": self.id}))
        except OSError as error:
            raise OutputError(
                f"{self._resume_file.parent} cannot be written: {error.strerror}.",
                "cli.not_writable",
                folder=str(self._resume_file.parent),
                error=error.strerror or "",
            ) from None


def _cache_folder() -> Path:
    configured = os.environ.get("TUBAN_CACHE", "")
    return (Path(configured) if configured else Path.home() / ".cache" / "tuban") / "uploads"


def _reason(error: httpx.TransportError) -> str:
    return str(error) or type(error).__name__
