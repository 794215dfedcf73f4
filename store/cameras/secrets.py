"""Encryption of camera addresses, user names and passwords.

The key is the file ``camera_key`` in home, outside the database, so that backups contain only encrypted values.
Machines that share a database but not a home get the same key from the settings.
"""

from __future__ import annotations

import json

from cryptography.fernet import Fernet, InvalidToken

from configs.secret_file import load_or_create_secret
from configs.service import ServiceSettings
from errors import CameraError, SettingsError
from imagery.cameras.camera import Credentials, Stream, StreamKind

KEY_FILE = "camera_key"


class CameraKey:
    """A symmetric key that encrypts and decrypts streams; its representation does not reveal it."""

    def __init__(self, key: bytes) -> None:
        """Load a key of 32 bytes in URL-safe base64.

        Raises:
            SettingsError: the key is invalid.
        """
        try:
            self._fernet = Fernet(key)
        except ValueError:
            raise SettingsError(
                "The camera key is invalid; expected 32 bytes in URL-safe base64, as printed by `python -c "
                "'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`. Correct "
                f"TUBAN_CAMERAS__KEY, or the file {KEY_FILE} in home."
            ) from None

    def encrypt(self, stream: Stream) -> str:
        """Return the address and credentials of a stream as ciphertext."""
        credentials = stream.credentials
        plaintext = {
            "address": stream.address,
            "credentials": [credentials.username, credentials.password] if credentials else None,
        }
        return self._fernet.encrypt(json.dumps(plaintext).encode()).decode()

    def decrypt(self, kind: StreamKind, ciphertext: str) -> Stream:
        """Return the stream of a ciphertext.

        Raises:
            CameraError: it was encrypted with another key.
        """
        try:
            plaintext = json.loads(self._fernet.decrypt(ciphertext.encode()))
        except (InvalidToken, ValueError):
            raise CameraError(
                "The camera's address and password were encrypted with another key. Restore that key, or enter them "
                "again, on the camera's page or with `tuban camera add --replace`.",
                "camera.locked",
            ) from None
        credentials = Credentials(*plaintext["credentials"]) if plaintext["credentials"] else None
        return Stream(kind, plaintext["address"], credentials)


def camera_key(settings: ServiceSettings) -> CameraKey:
    """Return the camera key of this installation; it is generated on first use.

    Raises:
        SettingsError: the key is invalid, or other users may read its file.
        OutputError: the file cannot be written.
    """
    configured = settings.cameras.key.get_secret_value()
    return CameraKey(
        configured.encode()
        if configured
        else load_or_create_secret(settings.home.resolve() / KEY_FILE, Fernet.generate_key, "camera key")
    )
