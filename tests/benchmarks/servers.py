"""The real servers, started when the first benchmark asks for them and stopped when the last one is done."""

import shutil
import tempfile
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from tests.databases import make_warehouse
from volwatch.local.stack import ROLES, Stack
from volwatch.rawzone.store import Rawzone
from volwatch.settings import KafkaSettings, RawzoneSettings, WarehouseSettings
from volwatch.topics import create_topics


class Servers:
    """Kafka, MinIO and PostgreSQL in a folder of their own, as a context manager.

    Parameters
    ----------
    console : Console
        Where the stack tells of its start.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._folder: Path | None = None
        self._stack: Stack | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stack is not None:
            self._stack.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder)

    @property
    def stack(self) -> Stack:
        """The running stack."""
        if self._stack is None:
            self._folder = Path(tempfile.mkdtemp(prefix="volwatch-bench-"))
            self._stack = Stack(self._folder / "stack", console=self._console)
            self._stack.start_servers()
        return self._stack

    def new_topic(self) -> KafkaSettings:
        """Return how to reach Kafka with empty topics."""
        name = f"trades-{uuid.uuid4().hex[:8]}"
        topics = {"topic": name, "quarantine_topic": f"{name}.quarantine"}
        settings = self.stack.kafka_settings.model_copy(update=topics)
        create_topics(settings)
        return settings

    def new_database(self, role: str) -> WarehouseSettings:
        """Return how to reach an empty warehouse under a role."""
        database = f"volwatch_{uuid.uuid4().hex[:8]}"
        make_warehouse(self.stack.postgres, database)
        return self.stack.postgres.settings(ROLES[role], database)

    def new_bucket(self) -> RawzoneSettings:
        """Return how to reach an empty bucket."""
        settings = self.stack.rawzone_settings.model_copy(update={"bucket": f"raw-{uuid.uuid4().hex[:8]}"})
        Rawzone.connect(settings).ensure_bucket()
        return settings
