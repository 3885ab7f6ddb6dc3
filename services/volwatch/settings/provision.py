"""What is made once on those servers: buckets, users, roles."""

from typing import Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _access_key(user: str) -> Any:
    return Field(None, min_length=3, max_length=20, description=f"{user}, 3 to 20 characters")


def _secret_key() -> Any:
    return Field(None, min_length=8, max_length=40, validate_default=True, description="its key, 8 to 40 characters")


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


class WarehouseProvisionSettings(BaseSettings):
    """The passwords that ``volwatch provision warehouse`` gives; a role without one is left as it is.

    An empty variable counts as one that is not set: a Secret may hold a key for what is switched off.
    """

    model_config = SettingsConfigDict(
        env_prefix="VOLWATCH_WAREHOUSE_PROVISION_", extra="ignore", frozen=True, env_ignore_empty=True
    )
    owner_password: SecretStr | None = Field(None, description="of volwatch_owner, which migrates")
    pipeline_password: SecretStr | None = Field(None, description="of volwatch_pipeline")
    detector_password: SecretStr | None = Field(None, description="of volwatch_detector")
    notifier_password: SecretStr | None = Field(None, description="of volwatch_notifier")
    dashboard_password: SecretStr | None = Field(None, description="of volwatch_dashboard")
    readonly_password: SecretStr | None = Field(None, description="of volwatch_readonly, for Grafana and analysts")
    airflow_password: SecretStr | None = Field(None, description="of airflow; its database is made only with it")
