"""What ``tuban upload`` says to the service: a batch, its files piece by piece over tus, and that it is complete.

How far a file is, the server knows; which batch an interrupted command was sending is kept in the cache folder of the
person who called it.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from errors import ImageError, OutputError, SettingsError
from service.file_discovery import Brought, checksum, list_files, regular_file, size_of

TUS = {"tus-resumable": "1.0.0"}
PIECE = 8 * 2**20
"""Bytes of one request: what is cut is lost from there on."""

LONGEST_PAUSE_SECONDS = 30.0
_PATIENT_TRIES = 6
"""So often a full disk or a failure of the server is tried again; a lost connection for ever."""


class Remote:
    """The service, asked again where the connection is lost."""

    def __init__(self, client: httpx.Client, words: Console, pause: Callable[[float], None] = time.sleep) -> None:
        """``client`` knows the address and the token."""
        self._client, self._words, self._pause = client, words, pause

    def page(self, batch: int) -> str:
        """Address of a batch's page."""
        return f"{str(self._client.base_url).rstrip('/')}/batches/{batch}"

    def batch(self, batch: int) -> dict[str, Any]:
        """How a batch stands."""
        found: dict[str, Any] = self.ask("GET", f"/api/batches/{batch}").json()
        return found

    def ask(self, method: str, path: str, accept: Sequence[int] = (), **given: Any) -> httpx.Response:
        """One request.

        Args:
            method: GET, POST …
            path: below the address of the service.
            accept: statuses beside those of success that the caller deals with; 0: a lost connection, which raises.
            **given: for httpx.

        Raises:
            SettingsError: refused.
            OutputError: the service fails, again and again.
            httpx.TransportError: the connection was lost, if 0 is accepted.
        """
        tries, told = 0, False
        while True:
            try:
                answer = self._client.request(method, path, **given)
            except httpx.TransportError as error:
                self._untrusted(error)
                if 0 in accept:
                    raise
                if not told:
                    self._words.print(
                        f"No connection ({_reason(error)}); it is tried again. Ctrl-C ends it.", style="yellow"
                    )
                    told = True
                self._pause(min(LONGEST_PAUSE_SECONDS, 2.0**tries))
                tries += 1
                continue
            if answer.is_success or answer.status_code in accept:
                return answer
            if answer.status_code >= 500 and tries < _PATIENT_TRIES:
                self._pause(min(LONGEST_PAUSE_SECONDS, 2.0**tries))
                tries += 1
                continue
            raise self._refused(answer)

    def wait(self, tries: int) -> None:
        """A pause that grows."""
        self._pause(min(LONGEST_PAUSE_SECONDS, 2.0**tries))

    def _untrusted(self, error: httpx.TransportError) -> None:
        if isinstance(error, httpx.UnsupportedProtocol) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise SettingsError(
                f"The certificate of {self._client.base_url.host} is not trusted: {_reason(error)}. Name the bureau's "
                "authority by --ca."
            ) from None

    def _refused(self, answer: httpx.Response) -> Exception:
        try:
            said = str(answer.json()["error"])
        except (ValueError, KeyError, TypeError):
            said = f"no service of Tuban answers there (status {answer.status_code})"
        if answer.status_code == 401:
            said = "The token is not known, has ended or was revoked."
        return (OutputError if answer.status_code >= 500 else SettingsError)(said)


class Sender:
    """The files of one call, and how they are sent.

    Attributes:
        files: what is sent.
        total: bytes of all.
        batch: its id, once there is one.
        unreadable: why a file cannot be sent, by its name.
    """

    def __init__(
        self, remote: Remote, url: str, paths: Sequence[Path], area: str, source: str,
        date: dt.date | None, name: str, most: int,
    ) -> None:  # fmt: skip
        """Look what there is.

        Raises:
            SettingsError: a path points to nothing, or there are too many files.
        """
        self._remote = remote
        self.files: list[Brought] = list_files(paths, most)
        self.total = sum(size_of(file.path) for file in self.files)
        self.batch = 0
        given = ", ".join(path.resolve().name for path in paths[:3]) + (" …" if len(paths) > 3 else "")
        self._said = {"area": area, "source": source, "name": name or given, "date": date and date.isoformat()}
        asked = "\0".join([url.rstrip("/"), area, source, *sorted(str(path.resolve()) for path in paths)])
        self._memory = _cache() / f"{hashlib.sha256(asked.encode(errors='surrogateescape')).hexdigest()[:32]}.json"
        self._sums: dict[str, str] = {}
        self.unreadable: dict[str, str] = {}
        self._there: dict[str, Any] = {}

    def read(self, told: Callable[[int], None]) -> None:
        """Take the checksum of each file; ``told`` is called with the length of each piece that was read.

        What is a link or a device, or cannot be read, is left out and told at the end.
        """
        for file in self.files:
            try:
                self._sums[file.name] = checksum(regular_file(file.path, file.name), file.name, told)
            except ImageError as error:
                self.unreadable[file.name] = str(error)
        self.files = [file for file in self.files if file.name in self._sums]
        self.total = sum(size_of(file.path) for file in self.files)

    def begin(self) -> None:
        """Begin the batch, or find the one that the same call began.

        Raises:
            SettingsError: refused.
            OutputError: the service cannot take it.
        """
        there = self._continued()
        if there is None:
            answer = self._remote.ask("POST", "/api/batches", json=self._said)
            self.batch, there = int(answer.json()["id"]), {"uploads": []}
            self._keep()
        self._there = there

    def send(self, told: Callable[[int], None]) -> None:
        """Send what is not there yet, and complete the batch; ``told`` is called with the bytes that are there.

        Raises:
            SettingsError: refused.
            OutputError: the service cannot take them.
        """
        there = self._there
        if there.get("complete") or "uploads" not in there:
            told(self.total)
            return
        known = {upload["name"]: upload for upload in there["uploads"]}
        done = 0
        for file in self.files:
            size = size_of(file.path)
            have = known.get(file.name)
            same = have is not None and (have["size"], have["sha256"]) == (size, self._sums[file.name])
            at = f"/api/uploads/{have['id']}" if have is not None and same else self._announce(file, size)
            offset = have["offset"] if have is not None and same else 0
            self._send_file(file, at, offset, size, lambda sent, before=done: told(before + sent))  # type: ignore[misc]
            done += size
        self._remote.ask("POST", f"/api/batches/{self.batch}/complete")

    def forget(self) -> None:
        """The batch has ended: the same call later is another one."""
        self._memory.unlink(missing_ok=True)

    def _announce(self, file: Brought, size: int) -> str:
        said = {"batch": str(self.batch), "filename": file.name, "sha256": self._sums[file.name]}
        pairs = (f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in said.items())
        headers = TUS | {"upload-length": str(size), "upload-metadata": ",".join(pairs)}
        location = self._remote.ask("POST", "/api/uploads", headers=headers).headers.get("location", "")
        return f"/api/uploads/{location.rpartition('/')[2]}"  # of this service, whatever a proxy makes of it

    def _send_file(self, file: Brought, at: str, offset: int, size: int, told: Callable[[int], None]) -> None:
        tries = 0
        with file.path.open("rb") as content:
            while offset < size:
                content.seek(offset)
                piece = content.read(PIECE)
                if not piece:
                    raise ImageError(f"{file.name} became shorter while it was sent. Send it again.")
                headers = TUS | {"upload-offset": str(offset), "content-type": "application/offset+octet-stream"}
                try:
                    answer = self._remote.ask("PATCH", at, accept=(0, 409), headers=headers, content=piece)
                except httpx.TransportError:
                    answer = None
                if answer is not None and answer.is_success:
                    offset, tries = int(answer.headers["upload-offset"]), 0
                else:
                    self._remote.wait(tries)
                    tries += 1
                    offset = int(self._remote.ask("HEAD", at, headers=TUS).headers["upload-offset"])
                told(offset)

    def _continued(self) -> dict[str, Any] | None:
        """The batch that the same call began and that has not ended."""
        try:
            self.batch = int(json.loads(self._memory.read_text())["batch"])
        except (OSError, ValueError, KeyError):
            return None
        answer = self._remote.ask("GET", f"/api/batches/{self.batch}", accept=(404,))
        found: dict[str, Any] = answer.json()
        if answer.status_code == 404 or found["state"] == "done":
            return None
        return found

    def _keep(self) -> None:
        try:
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            self._memory.write_text(json.dumps({"batch": self.batch}))
        except OSError as error:
            raise OutputError(f"{self._memory.parent} cannot be written: {error.strerror}.") from None


def _cache() -> Path:
    given = os.environ.get("TUBAN_CACHE", "")
    return (Path(given) if given else Path.home() / ".cache" / "tuban") / "uploads"


def _reason(error: httpx.TransportError) -> str:
    return str(error) or type(error).__name__
