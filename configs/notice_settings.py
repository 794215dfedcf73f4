"""Settings of notices to administrators: when, by which hooks, and through which mail server."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from configs.hook_settings import HookSettings


class MailSettings(BaseModel):
    """Mail server, sender and recipients. Values are described in ``configs/service.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = ""
    port: Annotated[int, Field(gt=0, lt=65536)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: str = ""
    recipients: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _validate_addresses(self) -> MailSettings:
        for address in (*self.recipients, *([self.sender] if self.host else [])):
            name, at, domain = address.rpartition("@")
            if not (name and at and domain) or not address.isprintable() or " " in address:
                raise ValueError(f"{address!r} is not an e-mail address like duty@bureau.example")
        if self.host and not self.recipients:
            raise ValueError("recipients is empty; expected at least one e-mail address")
        return self


class NoticeSettings(BaseModel):
    """Notices of problems of the service. Values are described in ``configs/service.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "07:30"
    hooks: tuple[HookSettings, ...] = ()
    mail: MailSettings = MailSettings()
