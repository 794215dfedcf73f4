"""Settings of the service: ``configs/service.yaml``, overridden by environment variables, validated when read."""

from __future__ import annotations

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from configs import format_validation_errors, read_yaml
from configs.environment import PREFIX, SEPARATOR, reject_misspelled_variables
from configs.hook_settings import BodyHookSettings
from configs.hook_settings import HookSettings as HookSettings  # re-exported: a group of these settings
from configs.machine import usable_cores, usable_memory_mib
from configs.notice_settings import NoticeSettings
from errors import SettingsError

SCAN_MIB = 3000
"""Memory that is set aside for each worker process, when their number follows from the machine."""

MIN_WORKER_MIB = 1000
"""A worker process needs this much for the libraries and the network alone."""

Positive = Annotated[int, Field(gt=0)]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NightSettings(_Group):
    """Nightly scan. Values are described in ``configs/service.yaml``."""

    at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "01:30"
    catch_up_hours: Annotated[float, Field(ge=0, lt=24)] = 20
    oldest_days: Positive = 1100
    least_days_apart: Annotated[int, Field(ge=0)] = 3
    prefer_same_season: bool = True
    least_piece_m2: Annotated[float, Field(ge=0)] = 400
    window_margin_m: Annotated[float, Field(ge=0, le=1000)] = 100


class WatchSettings(_Group):
    """Watched folder."""

    folder: str = ""
    settled_seconds: Annotated[float, Field(ge=0)] = 30


class JobSettings(_Group):
    """Leases and retries of jobs."""

    lease_seconds: Annotated[float, Field(gt=0)] = 60
    heartbeat_seconds: Annotated[float, Field(gt=0)] = 15
    reap_seconds: Annotated[float, Field(gt=0)] = 20
    attempts: Positive = 4
    retry_seconds: tuple[float, ...] = (5, 30, 120)
    blocks_per_job: Positive = 4


class LimitSettings(_Group):
    """Time, memory and disk limits of jobs."""

    ingest_minutes: Annotated[float, Field(gt=0)] = 60
    scan_minutes: Annotated[float, Field(gt=0)] = 60
    deliver_minutes: Annotated[float, Field(gt=0)] = 5
    capture_minutes: Annotated[float, Field(gt=0)] = 5
    kill_seconds: Annotated[float, Field(gt=0)] = 120
    memory_mib: Positive = 6000
    free_disk_mib: Annotated[int, Field(ge=0)] = 500
    intake_disk_mib: Annotated[int, Field(ge=0)] = 0

    @property
    def intake_mib(self) -> int:
        """Free space below which intake is refused; it stops before scans do."""
        return max(self.free_disk_mib, self.intake_disk_mib or 2 * self.free_disk_mib)


class BatchSettings(_Group):
    """Size limits of batches."""

    max_files: Positive = 20000
    max_unpacked_gib: Annotated[float, Field(gt=0)] = 200
    max_ratio: Annotated[float, Field(gt=1)] = 200


class PhotoSettings(_Group):
    """Georeferencing of raw drone photos."""

    elevation: str = ""


class TipKeySettings(_Group):
    """Key with which the informants of tips are encrypted."""

    key: SecretStr = SecretStr("")


class CameraSettings(_Group):
    """Captures of fixed cameras, and thresholds for changes between them."""

    frames: Positive = 9
    seconds: Annotated[float, Field(ge=0)] = 8
    limit_seconds: Annotated[float, Field(gt=0)] = 30
    stale_hours: Annotated[float, Field(gt=0)] = 26
    late_minutes: Annotated[float, Field(ge=0)] = 15
    loopback: bool = False
    folders: tuple[str, ...] = ()
    key: SecretStr = SecretStr("")
    history_days: Positive = 60
    keep_days: Positive = 180
    persist: Positive = 3
    persist_hours: Annotated[float, Field(ge=0)] = 72
    references: Positive = 3
    min_area_m2: Annotated[float, Field(ge=0)] = 50
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.28
    sure: Annotated[float, Field(gt=0, lt=1)] = 0.4
    max_error_m: Annotated[float, Field(gt=0)] = 40

    @model_validator(mode="after")
    def _validate_retention(self) -> CameraSettings:
        if self.keep_days <= self.history_days:
            raise ValueError(
                f"keep_days is {self.keep_days} and history_days {self.history_days}: captures are compared over "
                "history_days, so keep_days must be larger"
            )
        return self


class RetentionSettings(_Group):
    """How long images, photos, informants, messages, events, addresses and logs are kept; 0: no limit."""

    days: Annotated[int, Field(ge=0)] = 0
    per_place: Annotated[int, Field(ge=0)] = 0
    disk_share: Annotated[float, Field(ge=0, lt=1)] = 0
    photo_days: Annotated[int, Field(ge=0)] = 0
    informant_days: Annotated[int, Field(ge=0)] = 0
    message_days: Annotated[int, Field(ge=0)] = 0
    event_days: Annotated[int, Field(ge=0)] = 0
    address_days: Annotated[int, Field(ge=0)] = 0
    log_days: Annotated[int, Field(ge=0)] = 0

    @property
    def limited(self) -> bool:
        """Whether any limit is set."""
        return any(self.model_dump().values())


class AlertSettings(_Group):
    """Matching of polygons to alerts, and the weekly quota of alerts per village."""

    overlap: Annotated[float, Field(gt=0, le=1)] = 0.3
    grown: Annotated[float, Field(gt=1)] = 1.5
    adjacent_m: Annotated[float, Field(ge=0, le=50)] = 2.0
    site_m: Annotated[float, Field(ge=0, le=500)] = 30.0
    sigmas: Annotated[float, Field(ge=0, le=4)] = 2.0
    approved_share: Annotated[float, Field(gt=0, le=1)] = 0.8
    cap_per_grid_and_week: Positive = 30


Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
"""In the order of :meth:`datetime.date.weekday`."""


class AuditSettings(_Group):
    """Weekly verification of the logs of all alerts."""

    enabled: bool = True
    weekday: Weekday = "sunday"
    at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "12:00"


class CheckSettings(_Group):
    """Nightly check of stored objects, rows and hash chains."""

    enabled: bool = True
    at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "05:30"
    gib_per_night: Annotated[float, Field(gt=0)] = 50


class DeliverySettings(_Group):
    """Delivery of alerts to other systems."""

    queue: str = "enforcement"
    drop_folder: str = ""
    hooks: tuple[HookSettings, ...] = ()
    body_hooks: tuple[BodyHookSettings, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    attempts: Positive = 12
    backoff_seconds: tuple[float, ...] = (5, 30, 120, 600, 3600)
    timeout_seconds: Annotated[float, Field(gt=0)] = 10

    @field_validator("queue")
    @classmethod
    def _validate_queue(cls, name: str) -> str:
        if name in ("ingest", "scan", "deliver", "capture"):
            raise ValueError(f"{name!r} is a job queue; expected another name")
        return name

    @field_validator("hooks")
    @classmethod
    def _validate_hooks(cls, hooks: tuple[HookSettings, ...]) -> tuple[HookSettings, ...]:
        if len({hook.url for hook in hooks}) < len(hooks):
            raise ValueError("two hooks have the same url")
        return hooks

    @field_validator("body_hooks")
    @classmethod
    def _validate_body_hooks(cls, hooks: tuple[BodyHookSettings, ...]) -> tuple[BodyHookSettings, ...]:
        if len({hook.body for hook in hooks}) < len(hooks):
            raise ValueError("two body_hooks have the same body")
        return hooks

    @field_validator("allowed_hosts")
    @classmethod
    def _validate_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"{network!r} is not a network or address like 10.1.0.0/16 or 10.1.2.3") from error
        return networks


class LogSettings(_Group):
    """Level and format of the log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    file: str = ""
    max_mib: Positive = 50
    keep: Positive = 5
    format: Literal["text", "json"] = "text"


class MapSettings(_Group):
    """Background map (WMTS) in the intranet; no other map is loaded."""

    wmts_url: str = ""
    max_zoom: Annotated[int, Field(ge=1, le=30)] = 18
    layer: str = ""
    matrix_set: str = ""
    format: str = "image/png"
    attribution: str = ""


class OpenIdSettings(_Group):
    """Sign-in through the bureau's OpenID Connect server."""

    issuer: str = ""
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    login_claim: str = "preferred_username"


class WebSettings(_Group):
    """Web pages and API."""

    address: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, lt=65536)] = 8000
    processes: Annotated[int, Field(ge=0)] = 0
    secure_cookies: bool = True
    session_hours: Annotated[float, Field(gt=0)] = 12
    idle_minutes: Annotated[float, Field(gt=0)] = 120
    lock_seconds: Annotated[float, Field(gt=0)] = 60
    trusted_proxies: tuple[str, ...] = ()
    header_seconds: Annotated[float, Field(gt=0)] = 15
    body_seconds: Annotated[float, Field(gt=0)] = 60
    max_body_kib: Positive = 2048
    connections_per_address: Positive = 400
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    security_contact: str = ""
    max_upload_gib: Annotated[float, Field(gt=0)] = 200
    export_days: Annotated[float, Field(gt=0)] = 7
    map: MapSettings = MapSettings()
    openid: OpenIdSettings = OpenIdSettings()


class ServiceSettings(BaseSettings):
    """All of ``configs/service.yaml``; read once by :func:`read_service` and passed as an argument."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=SEPARATOR, extra="forbid", frozen=True, env_ignore_empty=False
    )

    home: Path = Path("tuban-home")
    database: str = ""
    broker: str = ""
    objects: str = ""
    s3_endpoint: str = ""
    time_zone: str = "Asia/Shanghai"
    processes: Annotated[int, Field(ge=0)] = 0
    public_url: str = ""
    night: NightSettings = NightSettings()
    watch: WatchSettings = WatchSettings()
    jobs: JobSettings = JobSettings()
    limits: LimitSettings = LimitSettings()
    batch: BatchSettings = BatchSettings()
    photos: PhotoSettings = PhotoSettings()
    cameras: CameraSettings = CameraSettings()
    tips: TipKeySettings = TipKeySettings()
    retention: RetentionSettings = RetentionSettings()
    alerts: AlertSettings = AlertSettings()
    audit: AuditSettings = AuditSettings()
    check: CheckSettings = CheckSettings()
    delivery: DeliverySettings = DeliverySettings()
    web: WebSettings = WebSettings()
    notices: NoticeSettings = NoticeSettings()
    log: LogSettings = LogSettings()
    metrics_port: Annotated[int, Field(ge=0, lt=65536)] = 0

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment variables override the file."""
        return env_settings, init_settings

    @field_validator("time_zone")
    @classmethod
    def _validate_time_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"unknown time zone {name!r}; expected a name like Asia/Shanghai") from error
        return name

    @field_validator("database")
    @classmethod
    def _validate_database(cls, address: str) -> str:
        if address and not address.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError('expected "", sqlite:///PATH or postgresql+psycopg://user:password@host/name')
        return address

    @field_validator("broker")
    @classmethod
    def _validate_broker(cls, address: str) -> str:
        if address and not address.startswith(("redis://", "rediss://", "amqp://", "amqps://", "filesystem://")):
            raise ValueError('expected "", redis://host:6379/0 or amqp://user:password@host:5672//')
        return address

    @field_validator("public_url")
    @classmethod
    def _validate_public_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.query
            or parts.fragment
            or not re.fullmatch(r"(/[A-Za-z0-9_~][A-Za-z0-9._~-]*)*/?", parts.path)
        ):
            raise ValueError(
                f"{url!r} is not the address of the pages, like https://tuban.bureau.example or "
                "https://bureau.example/tuban (a path of letters, digits, hyphens and dots)"
            )
        return url

    @property
    def zone(self) -> ZoneInfo:
        """Time zone as an object."""
        return ZoneInfo(self.time_zone)

    @property
    def database_url(self) -> str:
        """Database URL for SQLAlchemy."""
        return self.database or f"sqlite:///{self.home.resolve() / 'tuban.db'}"

    @property
    def embedded_broker(self) -> bool:
        """Whether messages are stored as files in :attr:`home`."""
        return not self.broker or self.broker.startswith("filesystem")

    @property
    def objects_url(self) -> str:
        """Folder or ``s3://bucket/prefix`` of the object store."""
        return self.objects or str(self.home.resolve() / "objects")

    @property
    def pages_url(self) -> str:
        """Address of the pages in links that are sent, without a trailing slash; never taken from a request."""
        local = self.web.address in ("0.0.0.0", "::", "127.0.0.1", "::1")
        host = "127.0.0.1" if local else f"[{self.web.address}]" if ":" in self.web.address else self.web.address
        return self.public_url.rstrip("/") or f"http://{host}:{self.web.port}"

    @property
    def path_prefix(self) -> str:
        """Path of ``public_url`` without a trailing slash, like ``/tuban``; "" for none."""
        return urlsplit(self.public_url).path.rstrip("/")

    @property
    def drop_folder(self) -> Path:
        """Folder that receives deliveries as files."""
        return Path(self.delivery.drop_folder) if self.delivery.drop_folder else self.home.resolve() / "delivery"

    @property
    def web_processes(self) -> int:
        """Number of web server processes. One with SQLite, which allows one writer at a time."""
        return self.web.processes or (min(2, usable_cores()) if self.database.startswith("postgresql") else 1)

    @property
    def worker_processes(self) -> int:
        """Number of worker processes: one for every two cores that have memory for it."""
        return self.processes or max(1, min(usable_cores() // 2, usable_memory_mib() // SCAN_MIB))

    @property
    def worker_memory_mib(self) -> int:
        """Memory from which a worker process is replaced after its job: all of them together fit into the machine."""
        return min(int(self.limits.memory_mib), max(MIN_WORKER_MIB, usable_memory_mib() // (self.worker_processes + 1)))


def read_service(path: Path | None = None, **overrides: Any) -> ServiceSettings:
    """Read and validate the settings of the service.

    Args:
        path: settings file; None: ``TUBAN_SERVICE``, else ``configs/service.yaml``.
        overrides: values that override the file; environment variables override both.

    Raises:
        SettingsError: unknown names or invalid values; the message lists all of them.
    """
    reject_misspelled_variables(ServiceSettings)
    path = path or Path(os.environ.get("TUBAN_SERVICE", "service.yaml"))
    try:
        return ServiceSettings(**(read_yaml(path) | overrides))
    except ValidationError as error:
        raise SettingsError(
            f"The settings {path} (with environment variables TUBAN_…) are invalid: {format_validation_errors(error)}",
            "setup.invalid",
            path=str(path),
            errors=format_validation_errors(error),
        ) from error
