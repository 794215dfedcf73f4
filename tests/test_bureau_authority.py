"""Certificates of ``deploy/tls/bureau-authority.sh`` are accepted by a client that trusts only the bureau's root."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "deploy" / "tls" / "bureau-authority.sh"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_renewed_certificate_is_trusted_by_the_same_root_for_its_names_only(tmp_path: Path) -> None:
    for _ in range(2):
        subprocess.run([SCRIPT, tmp_path, "tuban.test", "127.0.0.1"], check=True, capture_output=True)
        root = (tmp_path / "authority.crt").read_bytes()
    assert (tmp_path / "authority.crt").read_bytes() == root
    assert (tmp_path / "authority.key").stat().st_mode & 0o77 == 0
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "tuban.pem", tmp_path / "tuban.key")
    client = ssl.create_default_context(cafile=str(tmp_path / "authority.crt"))
    assert _handshake(server, client, "tuban.test")
    assert _handshake(server, client, "127.0.0.1")
    assert not _handshake(server, client, "other.test")
    assert not _handshake(server, ssl.create_default_context(), "tuban.test")


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> bool:
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except (ssl.SSLError, OSError):
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=name):
            return True
    except ssl.SSLCertVerificationError:
        return False
    finally:
        ours.close()
        thread.join()
