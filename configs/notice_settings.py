"""Settings of notices: to administrators about the service, and to people through mail server, robots and hooks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from configs.hook_settings import HookSettings

Code = Annotated[str, Field(pattern=r"^[0-9]{0,12}$")]


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


class RobotSettings(BaseModel):
    """A robot of a group of DingTalk or WeCom. Values are described in ``configs/service.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["dingtalk", "wecom"]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    code: Code = ""
    token: Annotated[SecretStr, Field(min_length=8)]
    secret: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _validate_secret(self) -> RobotSettings:
        if self.kind == "dingtalk" and len(self.secret.get_secret_value()) < 16:
            raise ValueError("a robot of DingTalk needs the secret of its signature (加签), which begins with SEC")
        return self


class PeopleHookSettings(HookSettings):
    """A web hook that receives the messages to the people of an area."""

    code: Code = ""


class RobotServers(BaseModel):
    """Addresses, limits and sizes of the servers of robots. Values are described in ``configs/service.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dingtalk: Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=300)] = (
        "https://oapi.dingtalk.com/robot/send"
    )
    wecom: Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=300)] = (
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"
    )
    per_minute: Annotated[int, Field(ge=1, le=1000)] = 20
    dingtalk_bytes: Annotated[int, Field(ge=200)] = 18000
    wecom_bytes: Annotated[int, Field(ge=200)] = 2048


class NoticeSettings(BaseModel):
    """Notices of problems of the service, and messages to people. Values are described in ``configs/service.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "07:30"
    hooks: tuple[HookSettings, ...] = ()
    mail: MailSettings = MailSettings()
    robots: tuple[RobotSettings, ...] = ()
    robot_servers: RobotServers = RobotServers()
    people_hooks: tuple[PeopleHookSettings, ...] = ()
    attempts: Annotated[int, Field(ge=1, le=100)] = 8
    backoff_seconds: Annotated[tuple[float, ...], Field(min_length=1)] = (30, 120, 600, 3600)

    @model_validator(mode="after")
    def _validate_robots(self) -> NoticeSettings:
        names = [robot.name for robot in self.robots]
        if len(names) != len(set(names)):
            raise ValueError(f"robots: two have the same name; found {', '.join(names)}")
        return self
