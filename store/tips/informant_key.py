"""Encryption of informants: name, phone and address of who reported a tip.

The key is the file ``tip_key`` in home, outside the database, so that backups contain only encrypted values. Machines
that share a database but not a home get the same key from the settings.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from cryptography.fernet import Fernet, InvalidToken

from configs.secret_file import load_or_create_secret
from configs.service import ServiceSettings
from errors import SettingsError, TubanError

KEY_FILE = "tip_key"


class InformantLocked(TubanError):  # noqa: N818  (an expected condition that callers handle)
    """An informant was encrypted with another key."""


@dataclass(frozen=True, repr=False)
class Informant:
    """Who reported a tip; its representation reveals nothing, so that no log and no error message does.

    ``words`` is the complete summary if it named a phone or the like, which the stored one does not.
    """

    name: str = ""
    phone: str = ""
    address: str = ""
    postcode: str = ""
    words: str = ""

    def __repr__(self) -> str:
        """Return no more than that there is one."""
        return "Informant(***)" if self else "Informant()"

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return bool(self.name or self.phone or self.address or self.postcode)


class InformantKey:
    """A symmetric key that encrypts and decrypts informants; its representation does not reveal it."""

    def __init__(self, key: bytes) -> None:
        """Load a key of 32 bytes in URL-safe base64.

        Raises:
            SettingsError: the key is invalid.
        """
        try:
            self._fernet = Fernet(key)
        except ValueError:
            raise SettingsError(
                "The key of informants is invalid; expected 32 bytes in URL-safe base64. Correct TUBAN_TIPS__KEY, or "
                f"the file {KEY_FILE} in home."
            ) from None

    def encrypt(self, informant: Informant) -> str:
        """Return an informant as ciphertext; "" if nothing is known."""
        if not (informant or informant.words):
            return ""
        return self._fernet.encrypt(json.dumps(asdict(informant), ensure_ascii=False).encode()).decode()

    def decrypt(self, ciphertext: str) -> Informant:
        """Return the informant of a ciphertext.

        Raises:
            InformantLocked: it was encrypted with another key.
        """
        if not ciphertext:
            return Informant()
        try:
            return Informant(**json.loads(self._fernet.decrypt(ciphertext.encode())))
        except (InvalidToken, ValueError, TypeError):
            raise InformantLocked(
                f"The informant was encrypted with another key. Restore {KEY_FILE} in home, or TUBAN_TIPS__KEY.",
                "tip.locked",
            ) from None


def informant_key(settings: ServiceSettings) -> InformantKey:
    """Return the key of this installation; it is generated on first use.

    Raises:
        SettingsError: the key is invalid, or other users may read its file.
        OutputError: the file cannot be written.
    """
    return InformantKey(_raw_key(settings))


def signing_key(settings: ServiceSettings) -> bytes:
    """Return a secret derived from the key, for the tokens of the public form."""
    return hashlib.sha256(b"public form" + _raw_key(settings)).digest()


def _raw_key(settings: ServiceSettings) -> bytes:
    configured = settings.tips.key.get_secret_value()
    return (
        configured.encode()
        if configured
        else load_or_create_secret(settings.home.resolve() / KEY_FILE, Fernet.generate_key, "key of informants")
    )
