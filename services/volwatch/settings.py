"""The only reader of the environment. A variable is ``VOLWATCH_<GROUP>_<FIELD>``; a stage loads the groups it needs.

Secrets have no default and print as ``***``. All faults of all groups are reported at once (``Misconfigured``).
"""

import os
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from volwatch.errors import Misconfigured


def _prefix(group: str) -> SettingsConfigDict:
    return SettingsConfigDict(env_prefix=f"VOLWATCH_{group}_", extra="ignore", frozen=True)


def _access_key(user: str) -> Any:
    return Field(None, min_length=3, max_length=20, description=f"{user}, 3 to 20 characters")


def _secret_key() -> Any:
    return Field(None, min_length=8, max_length=40, validate_default=True, description="its key, 8 to 40 characters")


class ServiceSettings(BaseSettings):
    """What every long-running stage has: where it tells of itself."""

    model_config = _prefix("SERVICE")
    host: str = Field("0.0.0.0", description="address on which /metrics, /healthz and /readyz are served")  # noqa: S104 - a container serves its probes on all its interfaces
    port: int = Field(9100, ge=0, le=65535, description="their port")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")


class KafkaSettings(BaseSettings):
    """How to reach Kafka."""

    model_config = _prefix("KAFKA")
    bootstrap: str = Field(description="bootstrap servers, host:port[,host:port]")
    topic: str = Field("trades", description="topic of the trade records")
    quarantine_topic: str = Field("trades.quarantine", description="topic of rejected records, reasons as headers")
    partitions: int = Field(6, ge=1, le=1000, description="partitions of a topic this project has to create itself")
    replication: int = Field(1, ge=1, le=100, description="brokers that keep a copy of each partition of such a topic")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    username: str | None = None
    password: SecretStr | None = None
    ca_file: str | None = Field(None, description="PEM file of the authority that signed the brokers' certificates")

    def client_config(self) -> dict[str, str]:
        """Return the librdkafka settings that every client needs to connect."""
        config = {"bootstrap.servers": self.bootstrap, "security.protocol": self.security_protocol}
        if self.security_protocol.startswith("SASL"):
            config["sasl.mechanism"] = self.sasl_mechanism
            config["sasl.username"] = self.username or ""
            config["sasl.password"] = self.password.get_secret_value() if self.password else ""
        if self.ca_file:
            config["ssl.ca.location"] = self.ca_file
        return config


class RawzoneSettings(BaseSettings):
    """How to reach the object store of the raw zone (any S3)."""

    model_config = _prefix("RAWZONE")
    endpoint: str = Field(description="host:port of the S3 service")
    access_key: SecretStr
    secret_key: SecretStr
    bucket: str = "raw"
    secure: bool = Field(False, description="use TLS")
    region: str = "us-east-1"
    ca_file: str | None = Field(None, description="PEM file of the authority that signed the store's certificate")


class RawzoneProvisionSettings(BaseSettings):
    """What ``volwatch provision rawzone`` makes besides the bucket. A pair of keys that is given becomes a MinIO user.

    An empty variable counts as one that is not set: a Secret may hold a key for what is switched off.
    """

    model_config = SettingsConfigDict(
        env_prefix="VOLWATCH_RAWZONE_PROVISION_", extra="ignore", frozen=True, env_ignore_empty=True
    )
    log_bucket: str = Field("", description="a second bucket, for Airflow's task logs; empty makes none")
    retention_days: int = Field(0, ge=0, description="age at which raw objects expire; 0 is never")
    log_retention_days: int = Field(14, ge=0, description="age at which task logs expire; 0 is never")
    consumer_access_key: SecretStr | None = _access_key("user that stores raw objects")
    consumer_secret_key: SecretStr | None = _secret_key()
    pipeline_access_key: SecretStr | None = _access_key("user that reads raw objects")
    pipeline_secret_key: SecretStr | None = _secret_key()
    airflow_access_key: SecretStr | None = _access_key("user of the log bucket alone")
    airflow_secret_key: SecretStr | None = _secret_key()

    @field_validator("consumer_secret_key", "pipeline_secret_key", "airflow_secret_key")
    @classmethod
    def _is_whole(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        access = str(info.field_name).replace("secret", "access")
        if access in info.data and (secret is None) != (info.data[access] is None):
            raise ValueError(f"set both or none: it belongs to {cls.model_config['env_prefix']}{access.upper()}")
        return secret

    @field_validator("airflow_access_key")
    @classmethod
    def _has_a_bucket(cls, access: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if access is not None and not info.data.get("log_bucket"):
            raise ValueError(f"is of no use without {cls.model_config['env_prefix']}LOG_BUCKET")
        return access


class WarehouseSettings(BaseSettings):
    """How to reach PostgreSQL, under the role of the stage that connects."""

    model_config = _prefix("WAREHOUSE")
    host: str = Field(description="host name, or the folder of a Unix socket")
    port: int = Field(5432, ge=1, le=65535)
    database: str = "volwatch"
    user: str
    password: SecretStr | None = Field(None, description="omit where the server trusts the connection otherwise")
    sslmode: Literal["disable", "prefer", "require", "verify-full"] = "prefer"


class WarehouseProvisionSettings(BaseSettings):
    """The passwords that ``volwatch provision warehouse`` gives; a role without one is left as it is.

    An empty variable counts as one that is not set: a Secret may hold a key for what is switched off.
    """

    model_config = SettingsConfigDict(
        env_prefix="VOLWATCH_WAREHOUSE_PROVISION_", extra="ignore", frozen=True, env_ignore_empty=True
    )
    owner_password: SecretStr | None = Field(None, description="of volwatch_owner, which migrates")
    pipeline_password: SecretStr | None = Field(None, description="of volwatch_pipeline")
    dashboard_password: SecretStr | None = Field(None, description="of volwatch_dashboard")
    readonly_password: SecretStr | None = Field(None, description="of volwatch_readonly, for Grafana and analysts")
    airflow_password: SecretStr | None = Field(None, description="of airflow; its database is made only with it")


class ProducerSettings(BaseSettings):
    """What the producer emits. Each field is also an option of ``volwatch producer``."""

    model_config = _prefix("PRODUCER")
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


class FinnhubSettings(BaseSettings):
    """The stream of Finnhub: one connection per token, so one producer."""

    model_config = _prefix("FINNHUB")
    token: SecretStr = Field(min_length=1, description="the key of the account")
    url: str = Field("wss://ws.finnhub.io", pattern=r"^wss?://[^\s?#]+$", description="where the stream is")
    symbols: str = Field(description="symbols to watch as Finnhub spells them, at most 50, separated by commas")


class ConsumerSettings(BaseSettings):
    """When the consumer writes an object."""

    model_config = _prefix("CONSUMER")
    group: str = "volwatch-consumer"
    flush_rows: int = Field(50_000, ge=1, description="rows of one partition that make an object")
    flush_seconds: float = Field(15.0, gt=0, description="age of the oldest buffered row that makes an object")
    buffer_bytes: int = Field(64 * 2**20, ge=2**20, description="most bytes of records held, waiting or being stored")
    store_attempts: int = Field(8, ge=1, description="tries to store an object before the process gives up")


class PipelineSettings(BaseSettings):
    """The minute path."""

    model_config = _prefix("PIPELINE")
    rows_per_transaction: int = Field(500_000, ge=1, description="most raw rows loaded in one transaction")
    time_budget_seconds: float = Field(50.0, gt=0, description="a run starts no further transaction after this long")
    price_retention_days: int = Field(730, ge=31, description="age at which partitions of stock_prices are dropped")
    volatility_retention_days: int = Field(365, ge=31, description="the same for stock_volatility and stock_signals")
    risk_free_rate: float = Field(0.0, gt=-1, lt=1, description="annual risk-free rate of the Sharpe ratio, a decimal")
    risk_free_as_of: date | None = Field(None, description="the day that rate is of; the night warns of an old one")
    alert_enter: float = Field(3.8, gt=0, description="statistic at which the default detector opens an alert")
    outlier_filter: bool = Field(True, description="hold back single prints that are far from those before them")
    condition_tables: str = Field("", description="tables of sale conditions, source=table[,source=table]")


class DashboardSettings(BaseSettings):
    """The dashboard."""

    model_config = _prefix("DASHBOARD")
    host: str = "0.0.0.0"  # noqa: S104 - a container serves on all its interfaces
    port: int = Field(8501, ge=0, le=65535)
    base_path: str = Field("", description="sub-path under which an ingress serves it")
    refresh_seconds: float = Field(2.0, gt=0, description="how often a page's fragments read again")
    stale_seconds: float = Field(180.0, gt=0, description="age of the newest data at which the page says it is stale")
    cookie_secret: SecretStr | None = Field(None, description="signs cookies; the same on all replicas")


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


_S = TypeVar("_S", bound=BaseSettings)
_A = TypeVar("_A", bound=BaseSettings)
_B = TypeVar("_B", bound=BaseSettings)
_C = TypeVar("_C", bound=BaseSettings)
_D = TypeVar("_D", bound=BaseSettings)


@overload
def load(first: type[_A], second: type[_B], /) -> tuple[_A, _B]: ...
@overload
def load(first: type[_A], second: type[_B], third: type[_C], /) -> tuple[_A, _B, _C]: ...
@overload
def load(first: type[_A], second: type[_B], third: type[_C], fourth: type[_D], /) -> tuple[_A, _B, _C, _D]: ...
@overload
def load(*groups: type[BaseSettings], **options: Any) -> tuple[BaseSettings, ...]: ...


def load(*groups: type[BaseSettings], **options: Any) -> tuple[BaseSettings, ...]:
    """Return one instance of each group, read from the environment; a field given as an option goes before it.

    Raises
    ------
    Misconfigured
        Lists every fault of every group, each with the variable to set.
    """
    faults: list[str] = []
    loaded: list[BaseSettings] = []
    for group in groups:
        try:
            loaded.append(group(**options))
        except ValidationError as error:
            prefix = group.model_config.get("env_prefix", "")
            faults += [_fault(prefix, detail["loc"], detail["msg"], detail["type"]) for detail in error.errors()]
    if faults:
        raise Misconfigured(faults)
    return tuple(loaded)


def load_one(group: type[_S], **options: Any) -> _S:
    """Return one group, read from the environment; see ``load``."""
    loaded = load(group, **options)[0]
    assert isinstance(loaded, group)  # noqa: S101 - narrows the type for the checker; load() returns what it was given
    return loaded


def as_environment(*groups: BaseSettings) -> dict[str, str]:
    """Return the variables from which another process loads the same groups. Secrets stand in it as they are."""
    variables: dict[str, str] = {}
    for group in groups:
        prefix = group.model_config.get("env_prefix", "")
        for name, value in group:
            if value is not None:
                text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                variables[prefix + name.upper()] = text
    return variables


def inherited_environment() -> dict[str, str]:
    """Return our own environment, for programs that we start."""
    return dict(os.environ)


def describe(*groups: type[BaseSettings]) -> str:
    """Return what a person needs to set the groups' variables: a line for each, with its default."""
    lines = []
    for group in groups:
        for name, field in group.model_fields.items():
            default = "required" if field.is_required() else f"default {field.default}"
            told = default if field.description is None else f"{field.description}; {default}"
            lines.append(f"  {group.model_config.get('env_prefix', '')}{name.upper()}\n      {told}")
    return "\n".join(lines)


def _fault(prefix: str, location: tuple[int | str, ...], message: str, kind: str) -> str:
    name = prefix + "_".join(str(part) for part in location).upper()
    return f"{name} is not set" if kind == "missing" else f"{name}: {message.removeprefix('Value error, ')}"
