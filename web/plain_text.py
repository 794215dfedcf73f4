"""Texts that a database can store: without null characters and lone surrogates."""

from __future__ import annotations

from typing import Any

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, field_validator


def check_plain(value: str) -> str:
    """Return a text that can be stored.

    Raises:
        ValueError: it contains null characters or lone surrogates.
    """
    if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError("it contains characters that cannot be stored")
    return value


Plain = AfterValidator(check_plain)
"""Validator of a parameter: ``Annotated[str, Query(…), Plain]``."""


class PlainModel(BaseModel):
    """A model whose texts can be stored."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="after")
    @classmethod
    def _check(cls, value: Any) -> Any:
        if isinstance(value, SecretStr):
            check_plain(value.get_secret_value())
        elif isinstance(value, str):
            check_plain(value)
        elif isinstance(value, dict):
            for key, entry in value.items():
                check_plain(str(key))
                check_plain(str(entry))
        return value
