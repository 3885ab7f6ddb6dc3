"""Servers that run already, and that the stack does not start."""

from pydantic_settings import BaseSettings

from volwatch.settings import KafkaSettings, LocalSettings, RawzoneSettings, WarehouseSettings, load


def check_given(local: LocalSettings) -> None:
    """Return when all that is said of them can be used.

    Raises
    ------
    Misconfigured
        Lists every fault, before anything is started.
    """
    given: dict[type[BaseSettings], str | None] = {
        KafkaSettings: local.kafka_bootstrap,
        RawzoneSettings: local.rawzone_endpoint,
        WarehouseSettings: local.warehouse_host,
    }
    load(*(group for group, address in given.items() if address is not None))
