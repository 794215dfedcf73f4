"""What reaches a camera, kept encrypted: its address, user name and password.

The key lies in home as ``camera_key``, beside the database and not in it: a backup holds what is encrypted and not the
key. Of many machines, which share a database and not a home, each is given the same key by the settings.
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
    """Encrypts and decrypts; shows nothing of itself."""

    def __init__(self, key: bytes) -> None:
        """``key``: 32 bytes in URL-safe base64.

        Raises:
            SettingsError: it is none.
        """
        try:
            self._fernet = Fernet(key)
        except ValueError:
            raise SettingsError(
                "The key of the cameras is none: expected 32 bytes in URL-safe base64, as `python -c "
                "'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'` makes one. Correct "
                f"TUBAN_CAMERAS__KEY, or the file {KEY_FILE} in home."
            ) from None

    def encrypt(self, stream: Stream) -> str:
        """What is kept of a stream."""
        who = stream.credentials
        kept = {"address": stream.address, "credentials": [who.username, who.password] if who else None}
        return self._fernet.encrypt(json.dumps(kept).encode()).decode()

    def decrypt(self, kind: StreamKind, sealed: str) -> Stream:
        """The stream again.

        Raises:
            CameraError: it was encrypted with another key.
        """
        try:
            kept = json.loads(self._fernet.decrypt(sealed.encode()))
        except (InvalidToken, ValueError):
            raise CameraError(
                "The camera's address and password were encrypted with another key. Bring that key back, or enter them "
                "again, on the camera's page or by tuban camera add --replace.",
                "camera.locked",
            ) from None
        return Stream(kind, kept["address"], Credentials(*kept["credentials"]) if kept["credentials"] else None)


def camera_key(settings: ServiceSettings) -> CameraKey:
    """The key of this installation; made when there is none yet.

    Raises:
        SettingsError: it is none, or others may read it.
        OutputError: it cannot be written.
    """
    given = settings.cameras.key.get_secret_value()
    return CameraKey(
        given.encode()
        if given
        else load_or_create_secret(settings.home.resolve() / KEY_FILE, Fernet.generate_key, "key of the cameras")
    )
