"""Tuban's tus server compared with the PyPI package tuspyserver: speed, memory and behaviour of faulty uploads.

    python3.11 -m venv /tmp/tus && /tmp/tus/bin/pip install tuspyserver==4.4.3 uvicorn
    .venv/bin/python -m benchmarks.uploads --peer /tmp/tus/bin/python

The package is measured with its default settings and with its optional ``LocalFileStorage``. Each server is one uvicorn
process on loopback; all write to the same disk. Compare the ratios of one run; absolute figures depend on the machine.
The dependencies of the tests are required.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Annotated

import typer

from tests.web.uploads.upload_service import context_with_people, token_of

TUS = {"tus-resumable": "1.0.0"}
PATCH_HEADERS = TUS | {"content-type": "application/offset+octet-stream"}
MIB = 2**20


@dataclass
class Server:
    """A server process that can be killed and restarted.

    Attributes:
        command: command line that starts it.
        port: port on 127.0.0.1.
        files: folder of its uploads.
        create: path of the request that creates an upload.
        key: bearer token of the ``authorization`` header.
        environment: additional environment variables.
        metadata: metadata of every upload.
    """

    command: list[str]
    port: int
    files: Path
    create: str
    key: str
    environment: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it listens."""
        self.process = subprocess.Popen(self.command, env=os.environ | self.environment)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert self.process.poll() is None, "the server exited"
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """Kill the process with SIGKILL, as the kernel does when memory is short."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def memory_mib(self, name: str) -> float:
        """Return the peak (``VmHWM``) or current (``VmRSS``) memory of the process."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{name}:")[1].split()[0]) / 1024

    def request(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b"", key: str | None = None
    ) -> tuple[int, dict[str, str]]:
        """Send a request on a new connection; return status and headers of the response."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            all_headers = headers | {"authorization": f"Bearer {self.key if key is None else key}"}
            connection.request(method, path, body or None, all_headers)
            response = connection.getresponse()
            response.read()
            return response.status, {name.lower(): value for name, value in response.getheaders()}
        finally:
            connection.close()

    def create_upload(self, size: int, name: str = "a.tif") -> str:
        """Create an upload and return its path."""
        pairs = upload_metadata(self.metadata | {"filename": name})
        status, headers = self.request(
            "POST", self.create, TUS | {"upload-length": str(size), "upload-metadata": pairs}
        )
        assert status == 201, status
        return "/" + headers["location"].split("://")[-1].split("/", 1)[1]

    def offset(self, path: str) -> int:
        """Return the offset that the server reports."""
        return int(self.request("HEAD", path, TUS)[1]["upload-offset"])

    def send(self, path: str, offset: int, body: bytes, key: str | None = None) -> int:
        """Send bytes and return the status of the response."""
        return self.request("PATCH", path, PATCH_HEADERS | {"upload-offset": str(offset)}, body, key)[0]

    def stored_bytes(self, path: str) -> bytes:
        """Read the bytes of an upload from the disk of the server."""
        key = path.rpartition("/")[2].rpartition("-")[2]
        files = [file for file in self.files.rglob(f"{key}*") if file.suffix in ("", ".part")]
        return files[0].read_bytes() if files else b""

    def send_partially(self, path: str, data: bytes, declared: int) -> socket.socket:
        """Send a request that declares more bytes than it contains, and leave its connection open."""
        connection = socket.create_connection(("127.0.0.1", self.port))
        head = [
            f"PATCH {path} HTTP/1.1", "host: 127.0.0.1", f"authorization: Bearer {self.key}", "tus-resumable: 1.0.0",
            f"content-type: {PATCH_HEADERS['content-type']}", "upload-offset: 0", f"content-length: {declared}",
        ]  # fmt: skip
        connection.sendall("\r\n".join([*head, "", ""]).encode() + data)
        deadline = time.monotonic() + 3  # a server may buffer them in memory until the request ends
        while len(self.stored_bytes(path)) < len(data) - MIB and time.monotonic() < deadline:
            time.sleep(0.02)
        return connection


def upload_metadata(values: dict[str, str]) -> str:
    """Encode the header ``upload-metadata``."""
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def _tuban_server(folder: Path) -> Iterator[Server]:
    home, port = folder / "home", _free_port()
    with context_with_people(home) as context:
        key = token_of(context, "li")
        server = Server(
            [sys.executable, "-m", "web.server", "--port", str(port)], port, home / "uploads", "/api/uploads", key,
            {"TUBAN_HOME": str(home), "TUBAN_LOG__LEVEL": "error"},
        )  # fmt: skip
        server.start()
        try:
            connection = HTTPConnection("127.0.0.1", port)
            headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
            connection.request("POST", "/api/batches", b'{"area": "330102"}', headers)
            batch = connection.getresponse().read().decode().split('"id":')[1].split(",")[0].strip(" }")
            server.metadata = {"batch": batch}
            yield server
        finally:
            server.kill()


@contextmanager
def _peer_server(folder: Path, python: Path, *arguments: str) -> Iterator[Server]:
    files, port = folder / "files", _free_port()
    script = str(Path(__file__).with_name("tuspyserver_app.py"))
    metadata = {"filetype": "image/tiff"}  # without it, HEAD is answered with status 400
    server = Server(
        [str(python), script, str(port), str(files), *arguments], port, files, "/files/", "key", {}, metadata
    )
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _speed(server: Server, size: int, chunk: int) -> float:
    """Return the MB/s of one upload in requests of ``chunk`` bytes, after verifying its content."""
    content = os.urandom(chunk)
    path = server.create_upload(size, f"{time.monotonic_ns()}.tif")
    start = time.perf_counter()
    for offset in range(0, size, chunk):
        assert server.send(path, offset, content[: size - offset]) == 204
    elapsed = time.perf_counter() - start
    stored = server.stored_bytes(path)
    assert len(stored) == size
    assert hashlib.sha256(stored[:chunk]).digest() == hashlib.sha256(content[:size]).digest()
    server.request("DELETE", path, TUS)
    return size / 1e6 / elapsed


def _killed(server: Server) -> str:
    """The server is killed during a request, restarted, and the upload resumed at its reported offset."""
    content = os.urandom(20 * MIB)
    path = server.create_upload(len(content), "killed.tif")
    with server.send_partially(path, content[: 10 * MIB], len(content)):
        server.kill()
    server.start()
    offset = server.offset(path)
    status = server.send(path, offset, content[offset:])
    stored = server.stored_bytes(path)
    intact = "intact" if stored == content else "CORRUPTED"
    return f"resumed at {offset / MIB:.1f} MiB, {status}: {len(stored) / MIB:.1f} of 20 MiB on the disk, {intact}"


def _too_long(server: Server) -> str:
    """A request contains more bytes than declared; the client then sends the missing ones."""
    content = os.urandom(MIB)
    path = server.create_upload(len(content), "long.tif")
    status = server.send(path, 0, content + os.urandom(MIB))
    offset = server.offset(path)
    if offset < len(content):
        server.send(path, offset, content[offset:])
    stored = server.stored_bytes(path)
    return f"{status}; {len(stored) / MIB:.2f} of 1 MiB on the disk, {'intact' if stored == content else 'CORRUPTED'}"


def _wrong_key(server: Server) -> str:
    """A client with a wrong key sends bytes to an upload."""
    path = server.create_upload(MIB, "wrong_key.tif")
    status = server.send(path, 0, os.urandom(MIB), key="another")
    return f"{status}; {len(server.stored_bytes(path)) / MIB:.1f} MiB on the disk"


def _hanging(server: Server) -> str:
    """A connection hangs; its client resumes on a new one while another client requests another upload."""
    content = os.urandom(4 * MIB)
    path, other = server.create_upload(len(content), "hanging.tif"), server.create_upload(1, "other.tif")
    with server.send_partially(path, content[: 2 * MIB], len(content)):
        start = time.perf_counter()
        results: list[str] = []

        def resume() -> None:
            offset = server.offset(path)
            status = server.send(path, offset, content[offset:])
            results.append(f"resumed after {time.perf_counter() - start:.1f} s with {status}")

        client = threading.Thread(target=resume)
        client.start()
        time.sleep(0.5)
        server.offset(other)
        results.append(f"the other client waited {time.perf_counter() - start - 0.5:.1f} s")
        client.join()
    return ", ".join(results)


def _bytes_at_creation(server: Server) -> str:
    """A creation request that declares ten bytes contains 200 MiB."""
    before = server.memory_mib("VmHWM")
    pairs = upload_metadata(server.metadata | {"filename": "b"})
    headers = TUS | {"upload-length": "10", "upload-metadata": pairs, "content-type": PATCH_HEADERS["content-type"]}
    try:
        status, response = server.request("POST", server.create, headers, bytes(200 * MIB))
    except OSError as error:
        return f"the connection was closed ({type(error).__name__})"
    path = "/" + response["location"].split("://")[-1].split("/", 1)[1] if "location" in response else ""
    growth = server.memory_mib("VmHWM") - before
    stored = server.stored_bytes(path) if path else b""
    return f"{status}; {len(stored) / MIB:.0f} MiB on the disk, memory grew by {growth:.0f} MiB"


FAULTS: dict[str, Callable[[Server], str]] = {
    "server killed": _killed,
    "too many bytes": _too_long,
    "wrong key": _wrong_key,
    "hanging connection": _hanging,
    "bytes at creation": _bytes_at_creation,
}


def main(
    peer: Annotated[Path, typer.Option(help="Python of an environment with tuspyserver and uvicorn.")],
    size: Annotated[int, typer.Option(help="Size of an upload in bytes.")] = 500_000_000,
    rounds: Annotated[int, typer.Option(help="Uploads of each kind; the median is printed.")] = 3,
) -> None:
    """Measure the speed and memory of the servers, then their behaviour for each fault."""
    makers: dict[str, Callable[[Path], AbstractContextManager[Server]]] = {
        "tuban": _tuban_server,
        "tuspyserver": lambda folder: _peer_server(folder, peer),
        "tuspyserver with storage": lambda folder: _peer_server(folder, peer, "storage"),
    }
    with tempfile.TemporaryDirectory(prefix="tus") as folder:
        with ExitStack() as stack:
            servers = {name: stack.enter_context(make(Path(folder) / name)) for name, make in makers.items()}
            initial = {name: server.memory_mib("VmRSS") for name, server in servers.items()}
            for chunk, label in ((size, "one request"), (8 * MIB, "requests of 8 MiB")):
                speeds: dict[str, list[float]] = {name: [] for name in servers}
                for _ in range(rounds):
                    for name, server in servers.items():
                        speeds[name].append(_speed(server, size, chunk))
                medians = {name: statistics.median(values) for name, values in speeds.items()}
                shown = (f"{n} {m:.0f} MB/s ({m / medians['tuban']:.2f})" for n, m in medians.items())
                typer.echo(f"{label}: {', '.join(shown)}")
            for name, server in servers.items():
                peak = server.memory_mib("VmHWM")
                typer.echo(f"{name}: {initial[name]:.0f} MiB at the start, {peak:.0f} MiB at most")
        for fault, trial in FAULTS.items():
            for name, make in makers.items():
                with make(Path(folder) / f"{fault} {name}") as server:
                    typer.echo(f"{fault}, {name}: {trial(server)}")


if __name__ == "__main__":
    typer.run(main)
