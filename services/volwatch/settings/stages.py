"""What each stage needs to know beside its servers."""

from datetime import date
from pathlib import Path
from typing import Any, Literal
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from volwatch.settings.prefix import prefix


class ServiceSettings(BaseSettings):
    """What every long-running stage has: where it tells of itself."""

    model_config = prefix("SERVICE")
    host: str = Field("0.0.0.0", description="address on which /metrics, /healthz and /readyz are served")  # noqa: S104 - a container serves its probes on all its interfaces
    port: int = Field(9100, ge=0, le=65535, description="their port")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")


class ProducerSettings(BaseSettings):
    """What the producer emits. Each field is also an option of ``volwatch producer``."""

    model_config = prefix("PRODUCER")
    source: Literal["simulator", "replay", "finnhub"] = "simulator"
    symbols: int = Field(10, ge=1, le=10_000, description="simulated symbols")
    rate: float = Field(50.0, gt=0, le=1_000_000, description="simulated trades per second, all symbols together")
    seed: int = Field(1, ge=0, description="same seed, same market")
    scenario: str = Field("calm", description="name of a scenario of the simulator")
    history_minutes: int = Field(
        0, ge=0, le=525_600, description="minutes of history sent ahead of the live market, into an empty topic only"
    )
    history_rate: float | None = Field(
        None, gt=0, le=1_000_000, description="trades per second of that history, by default those of the live market"
    )


class LeaseSettings(BaseSettings):
    """Which of several producers sends: the one that holds the lease. A replay needs none."""

    model_config = prefix("LEASE")
    kind: Literal["auto", "kubernetes", "file", "none"] = Field("auto", description="where the lease is kept")
    name: str = Field(
        "volwatch-producer",
        pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
        max_length=200,
        description="name of the Lease, or how its file's name begins",
    )
    namespace: str | None = Field(None, description="namespace of the Lease, by default that of the pod")
    identity: str | None = Field(None, description="name of this producer, by default host name and process number")
    file: Path | None = Field(
        None, description="the file that is locked, by default one of the topic's own in the temporary folder"
    )
    duration_seconds: float = Field(10.0, ge=2, le=600, description="silence after which a holder is replaced")


class FinnhubSettings(BaseSettings):
    """The stream of Finnhub: one connection per token, so one producer."""

    model_config = prefix("FINNHUB")
    token: SecretStr = Field(min_length=1, description="the key of the account")
    url: str = Field("wss://ws.finnhub.io", pattern=r"^wss?://[^\s?#]+$", description="where the stream is")
    symbols: str = Field("", description="symbols to watch as Finnhub spells them, at most 50, separated by commas")
    rest_url: str = Field(
        "https://finnhub.io/api/v1", pattern=r"^https?://[^\s?#]+$", description="where its quotes are"
    )
    quotes_per_minute: int = Field(50, ge=1, le=1_000, description="most calls for quotes in a minute")

    @property
    def watched(self) -> tuple[str, ...]:
        """The symbols, each once, in their order."""
        return tuple(dict.fromkeys(name for part in self.symbols.split(",") if (name := part.strip())))


class ConsumerSettings(BaseSettings):
    """When the consumer writes an object."""

    model_config = prefix("CONSUMER")
    group: str = "volwatch-consumer"
    flush_rows: int = Field(50_000, ge=1, description="rows of one partition that make an object")
    flush_seconds: float = Field(15.0, gt=0, description="age of the oldest buffered row that makes an object")
    buffer_bytes: int = Field(64 * 2**20, ge=2**20, description="most bytes of records held, waiting or being stored")
    store_attempts: int = Field(8, ge=1, description="tries to store an object before the process gives up")


class PipelineSettings(BaseSettings):
    """The minute path."""

    model_config = prefix("PIPELINE")
    rows_per_transaction: int = Field(500_000, ge=1, description="most raw rows loaded in one transaction")
    time_budget_seconds: float = Field(50.0, gt=0, description="a run starts no further transaction after this long")
    price_retention_days: int = Field(730, ge=31, description="age at which partitions of stock_prices are dropped")
    volatility_retention_days: int = Field(365, ge=31, description="the same for stock_volatility and stock_signals")
    risk_free_rate: float = Field(0.0, gt=-1, lt=1, description="annual risk-free rate of the Sharpe ratio, a decimal")
    risk_free_as_of: date | None = Field(None, description="the day that rate is of; the night warns of an old one")
    alert_enter: float = Field(3.8, gt=0, description="statistic at which the default detector opens an alert")
    outlier_filter: bool = Field(True, description="hold back single prints that are far from those before them")
    condition_tables: str = Field("", description="tables of sale conditions, source=table[,source=table]")
    rules_file: str = Field("", description="file of users' rules (YAML); empty: the default detector alone")


class DetectorSettings(BaseSettings):
    """The fast path. What its engine is told are the settings of the minute path."""

    model_config = prefix("DETECTOR")
    group: str = Field("volwatch-detector", description="the consumer group")
    snapshot_seconds: float = Field(10.0, gt=0, le=600, description="how often the state of an engine is saved")


class NotifierSettings(BaseSettings):
    """The notifier."""

    model_config = prefix("NOTIFIER")
    channels_file: Path | None = Field(None, description="YAML file of the channels; without one, the topic of alerts")


_OIDC = ("oidc_metadata_url", "oidc_client_id", "oidc_client_secret", "oidc_redirect_uri")
_LEAST_COOKIE_SECRET = 32


class DashboardSettings(BaseSettings):
    """The dashboard. People sign in where a provider is told; an empty variable of it counts as one that is not set."""

    model_config = prefix("DASHBOARD")
    host: str = "0.0.0.0"  # noqa: S104 - a container serves on all its interfaces
    port: int = Field(8501, ge=0, le=65535)
    base_path: str = Field("", description="sub-path under which an ingress serves it")
    refresh_seconds: float = Field(2.0, gt=0, description="how often a page's fragments read again")
    stale_seconds: float = Field(180.0, gt=0, description="age of the newest data at which the page says it is stale")
    rawzone_browser: str = Field(
        "",
        pattern=r"^(https?://[^\s{}/]+/[^\s{}]*\{key\}[^\s{}]*)?$",
        description="address of an object of the raw zone for people, with {key} for its quoted key",
    )
    time_zone: str = Field("UTC", description="in which times are told to who has not chosen another, as Europe/Berlin")
    read_only: bool = Field(False, description="nobody may acknowledge, note, judge or silence")
    oidc_metadata_url: str | None = Field(
        None, pattern=r"^https?://\S+$", description="discovery document of the provider by which people sign in"
    )
    oidc_client_id: str | None = Field(None, description="what the provider calls this dashboard")
    oidc_client_secret: SecretStr | None = Field(None, description="what the dashboard proves that by")
    oidc_redirect_uri: str | None = Field(
        None,
        pattern=r"^https?://[^\s?#]+/oauth2callback$",
        description="address of the dashboard as browsers know it, and /oauth2callback",
    )
    cookie_secret: SecretStr | None = Field(
        None, validate_default=True, description="signs cookies; the same on all replicas"
    )

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("no time zone of this name: write it as UTC or Europe/Berlin")
        return name

    @property
    def signs_in(self) -> bool:
        """Whether people have to sign in."""
        return self.oidc_client_id is not None

    @model_validator(mode="before")
    @classmethod
    def _of_one_provider(cls, given: dict[str, Any]) -> dict[str, Any]:
        # What is missing is made empty, and not None: so that each has a fault of its own.
        nothing = "" if any(given.get(name) for name in _OIDC) else None
        return given | {name: given.get(name) or nothing for name in _OIDC}

    @field_validator(*_OIDC, mode="before")
    @classmethod
    def _is_told(cls, value: object) -> object:
        if value == "":
            raise ValueError("set this too, or none of VOLWATCH_DASHBOARD_OIDC_*")
        return value

    @field_validator("cookie_secret")
    @classmethod
    def _keeps_who_is_signed_in(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        # One that is wrong is not in the data, but somebody wants to sign in all the same.
        wanted = any(info.data.get(name, name) for name in _OIDC)
        if wanted and len(secret.get_secret_value() if secret else "") < _LEAST_COOKIE_SECRET:
            raise ValueError(
                f"to sign in, set {_LEAST_COOKIE_SECRET} random characters or more: it proves who people are"
            )
        return secret


class LocalSettings(BaseSettings):
    """What the embedded stack need not start because it runs already: addresses of other groups, all optional."""

    model_config = SettingsConfigDict(env_prefix="VOLWATCH_", extra="ignore", frozen=True)
    kafka_bootstrap: str | None = None
    rawzone_endpoint: str | None = None
    warehouse_host: str | None = None
    airflow_url: str | None = None
    cache_home: Path | None = Field(None, validation_alias="XDG_CACHE_HOME", description="default: ~/.cache")

    @property
    def cache(self) -> Path:
        """Return the folder of what the stack downloads or builds once."""
        return (self.cache_home or Path.home() / ".cache") / "volwatch"
