"""Our tus server beside the PyPI package tuspyserver: speed, memory, and what becomes of an upload that goes wrong.

    python3.11 -m venv /tmp/tus && /tmp/tus/bin/pip install tuspyserver==4.4.3 uvicorn
    .venv/bin/python -m benchmarks.uploads --peer /tmp/tus/bin/python

The package is tried as it is by default and with its ``LocalFileStorage``, which it offers as an option. Each server is
one uvicorn process on loopback, all write to the same disk. Compare ratios of one run; absolute figures
are the machine's. Needs what the tests need.
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
BYTES = TUS | {"content-type": "application/offset+octet-stream"}
MIB = 2**20


@dataclass
class Server:
    """A server, as a process that can be killed and started again.

    Attributes:
        command: starts it.
        port: on 127.0.0.1.
        files: the folder under which it keeps uploads.
        create: path to which an upload is announced.
        key: of the ``authorization`` header.
        environment: of the process.
        said: metadata of every upload.
    """

    command: list[str]
    port: int
    files: Path
    create: str
    key: str
    environment: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.process = subprocess.Popen(self.command, env=os.environ | self.environment)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert self.process.poll() is None, "the server ended"
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def memory_mib(self, name: str) -> float:
        """``VmHWM``: the most that it held so far; ``VmRSS``: what it holds."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{name}:")[1].split()[0]) / 1024

    def ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b"", key: str | None = None
    ) -> tuple[int, dict[str, str]]:
        """One request on a connection of its own; status and headers of the answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            given = headers | {"authorization": f"Bearer {self.key if key is None else key}"}
            connection.request(method, path, body or None, given)
            answer = connection.getresponse()
            answer.read()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()

    def begin(self, size: int, name: str = "a.tif") -> str:
        """Announce an upload; its path."""
        said = self.said | {"filename": name}
        pairs = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in said.items())
        status, headers = self.ask("POST", self.create, TUS | {"upload-length": str(size), "upload-metadata": pairs})
        assert status == 201, status
        return "/" + headers["location"].split("://")[-1].split("/", 1)[1]

    def offset(self, at: str) -> int:
        """Where the upload stands, as the server says."""
        return int(self.ask("HEAD", at, TUS)[1]["upload-offset"])

    def put(self, at: str, offset: int, body: bytes, key: str | None = None) -> int:
        """Send bytes; status of the answer."""
        return self.ask("PATCH", at, BYTES | {"upload-offset": str(offset)}, body, key)[0]

    def kept(self, at: str) -> bytes:
        """The bytes of an upload as they lie on the disk."""
        key = at.rpartition("/")[2].rpartition("-")[2]
        found = [path for path in self.files.rglob(f"{key}*") if path.suffix in ("", ".part")]
        return found[0].read_bytes() if found else b""

    def hang(self, at: str, data: bytes, promised: int) -> socket.socket:
        """A request that promises more bytes than it sends, and stays open."""
        connection = socket.create_connection(("127.0.0.1", self.port))
        head = [
            f"PATCH {at} HTTP/1.1", "host: 127.0.0.1", f"authorization: Bearer {self.key}", "tus-resumable: 1.0.0",
            f"content-type: {BYTES['content-type']}", "upload-offset: 0", f"content-length: {promised}",
        ]  # fmt: skip
        connection.sendall("\r\n".join([*head, "", ""]).encode() + data)
        latest = time.monotonic() + 3  # a server may keep them in memory until the request ends
        while len(self.kept(at)) < len(data) - MIB and time.monotonic() < latest:
            time.sleep(0.02)
        return connection


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def _ours(folder: Path) -> Iterator[Server]:
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
            server.said = {"batch": batch}
            yield server
        finally:
            server.kill()


@contextmanager
def _peer(folder: Path, python: Path, *more: str) -> Iterator[Server]:
    files, port = folder / "files", _free_port()
    script = str(Path(__file__).with_name("tuspyserver_app.py"))
    said = {"filetype": "image/tiff"}  # HEAD is answered by 400 without it
    server = Server([str(python), script, str(port), str(files), *more], port, files, "/files/", "key", {}, said)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _speed(server: Server, size: int, piece: int) -> float:
    """MB/s of one upload in requests of ``piece`` bytes, and whether it arrived as it was."""
    content = os.urandom(piece)
    at = server.begin(size, f"{time.monotonic_ns()}.tif")
    began = time.perf_counter()
    for offset in range(0, size, piece):
        assert server.put(at, offset, content[: size - offset]) == 204
    took = time.perf_counter() - began
    kept = server.kept(at)
    assert len(kept) == size
    assert hashlib.sha256(kept[:piece]).digest() == hashlib.sha256(content[:size]).digest()
    server.ask("DELETE", at, TUS)
    return size / 1e6 / took


def _killed(server: Server) -> str:
    """The server is killed in the middle of a request, started again, and the upload resumed where it says."""
    content = os.urandom(20 * MIB)
    at = server.begin(len(content), "killed.tif")
    with server.hang(at, content[: 10 * MIB], len(content)):
        server.kill()
    server.start()
    offset = server.offset(at)
    status = server.put(at, offset, content[offset:])
    kept = server.kept(at)
    same = "as it was" if kept == content else "NOT as it was"
    return f"resumed at {offset / MIB:.1f} MiB, {status}: {len(kept) / MIB:.1f} of 20 MiB on the disk, {same}"


def _too_long(server: Server) -> str:
    """A request brings more than was announced, and the sender then sends the file again."""
    content = os.urandom(MIB)
    at = server.begin(len(content), "long.tif")
    status = server.put(at, 0, content + os.urandom(MIB))
    more = server.offset(at)
    if more < len(content):
        server.put(at, more, content[more:])
    kept = server.kept(at)
    return (
        f"{status}; {len(kept) / MIB:.2f} of 1 MiB on the disk, {'as it was' if kept == content else 'NOT as it was'}"
    )


def _stranger(server: Server) -> str:
    """Somebody without a key sends bytes to an upload."""
    at = server.begin(MIB, "stranger.tif")
    status = server.put(at, 0, os.urandom(MIB), key="another")
    return f"{status}; {len(server.kept(at)) / MIB:.1f} MiB on the disk"


def _hanging(server: Server) -> str:
    """A connection hangs; its sender asks anew, while somebody else asks for an upload of theirs."""
    content = os.urandom(4 * MIB)
    at, other = server.begin(len(content), "hanging.tif"), server.begin(1, "other.tif")
    with server.hang(at, content[: 2 * MIB], len(content)):
        began = time.perf_counter()
        answers: list[str] = []

        def resume() -> None:
            offset = server.offset(at)
            status = server.put(at, offset, content[offset:])
            answers.append(f"resumed after {time.perf_counter() - began:.1f} s with {status}")

        asking = threading.Thread(target=resume)
        asking.start()
        time.sleep(0.5)
        server.offset(other)
        answers.append(f"the other one waited for {time.perf_counter() - began - 0.5:.1f} s")
        asking.join()
    return ", ".join(answers)


def _in_the_announcement(server: Server) -> str:
    """An announcement of ten bytes carries 200 MiB."""
    before = server.memory_mib("VmHWM")
    pairs = ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}"
        for name, value in (server.said | {"filename": "b"}).items()
    )
    headers = TUS | {"upload-length": "10", "upload-metadata": pairs, "content-type": BYTES["content-type"]}
    try:
        status, told = server.ask("POST", server.create, headers, bytes(200 * MIB))
    except OSError as error:
        return f"the connection was closed ({type(error).__name__})"
    at = "/" + told["location"].split("://")[-1].split("/", 1)[1] if "location" in told else ""
    grown = server.memory_mib("VmHWM") - before
    return f"{status}; {len(server.kept(at)) / MIB if at else 0:.0f} MiB on the disk, memory grew by {grown:.0f} MiB"


FAULTS: dict[str, Callable[[Server], str]] = {
    "server killed": _killed,
    "too many bytes": _too_long,
    "stranger": _stranger,
    "hanging connection": _hanging,
    "bytes in the announcement": _in_the_announcement,
}


def main(
    peer: Annotated[Path, typer.Option(help="Python of an environment with tuspyserver and uvicorn.")],
    size: Annotated[int, typer.Option(help="Bytes of an upload.")] = 500_000_000,
    rounds: Annotated[int, typer.Option(help="Uploads of each sort; the median is told.")] = 3,
) -> None:
    """Measure the servers in turn, and try what becomes of an upload that goes wrong."""
    makers: dict[str, Callable[[Path], AbstractContextManager[Server]]] = {
        "ours": _ours,
        "tuspyserver": lambda at: _peer(at, peer),
        "tuspyserver with storage": lambda at: _peer(at, peer, "storage"),
    }
    with tempfile.TemporaryDirectory(prefix="tus") as folder:
        with ExitStack() as stack:
            servers = {name: stack.enter_context(make(Path(folder) / name)) for name, make in makers.items()}
            begun = {name: server.memory_mib("VmRSS") for name, server in servers.items()}
            for piece, sort in ((size, "one request"), (8 * MIB, "requests of 8 MiB")):
                speeds: dict[str, list[float]] = {name: [] for name in servers}
                for _ in range(rounds):
                    for name, server in servers.items():
                        speeds[name].append(_speed(server, size, piece))
                medians = {name: statistics.median(told) for name, told in speeds.items()}
                shown = (f"{n} {m:.0f} MB/s ({m / medians['ours']:.2f})" for n, m in medians.items())
                typer.echo(f"{sort}: {', '.join(shown)}")
            for name, server in servers.items():
                peak = server.memory_mib("VmHWM")
                typer.echo(f"{name}: {begun[name]:.0f} MiB at the start, {peak:.0f} MiB at most")
        for fault, happen in FAULTS.items():
            for name, make in makers.items():
                with make(Path(folder) / f"{fault} {name}") as server:
                    typer.echo(f"{fault}, {name}: {happen(server)}")


if __name__ == "__main__":
    typer.run(main)
