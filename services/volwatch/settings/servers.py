"""How to reach the servers that the stages share."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from volwatch.settings.prefix import prefix


class KafkaSettings(BaseSettings):
    """How to reach Kafka."""

    model_config = prefix("KAFKA")
    bootstrap: str = Field(description="bootstrap servers, host:port[,host:port]")
    topic: str = Field("trades", description="topic of the trade records")
    quarantine_topic: str = Field("trades.quarantine", description="topic of rejected records, reasons as headers")
    alerts_topic: str = Field("alerts", description="topic of alert transitions")
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

    model_config = prefix("RAWZONE")
    endpoint: str = Field(description="host:port of the S3 service")
    access_key: SecretStr
    secret_key: SecretStr
    bucket: str = "raw"
    secure: bool = Field(False, description="use TLS")
    region: str = "us-east-1"
    ca_file: str | None = Field(None, description="PEM file of the authority that signed the store's certificate")


class WarehouseSettings(BaseSettings):
    """How to reach PostgreSQL, under the role of the stage that connects."""

    model_config = prefix("WAREHOUSE")
    host: str = Field(description="host name, or the folder of a Unix socket")
    port: int = Field(5432, ge=1, le=65535)
    database: str = "volwatch"
    user: str
    password: SecretStr | None = Field(None, description="omit where the server trusts the connection otherwise")
    sslmode: Literal["disable", "prefer", "require", "verify-full"] = "prefer"
