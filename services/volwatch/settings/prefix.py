"""The names of variables: ``VOLWATCH_<GROUP>_<FIELD>``."""

from pydantic_settings import SettingsConfigDict


def prefix(group: str) -> SettingsConfigDict:
    """Return the configuration of a group's class."""
    return SettingsConfigDict(env_prefix=f"VOLWATCH_{group}_", extra="ignore", frozen=True)
