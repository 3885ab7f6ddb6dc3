"""A cursor that answers from a list and remembers what it was asked."""

from collections import deque
from collections.abc import Sequence
from typing import Any, cast

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case


class ScriptedCursor:
    """Answers each statement that asks for rows with the next of ``answers``."""

    def __init__(self, *answers: Sequence[tuple[object, ...]]) -> None:
        self.asked: list[tuple[str, Any]] = []
        self._answers = deque(answers)
        self.rowcount = 1

    def execute(self, statement: str, parameters: object = None) -> None:
        self.asked.append((statement, parameters))

    def fetchone(self) -> tuple[object, ...] | None:
        rows = self._answers.popleft()
        return rows[0] if rows else None

    def fetchall(self) -> list[tuple[object, ...]]:
        return list(self._answers.popleft())

    @property
    def cursor(self) -> Cursor:
        """The same, as what the statements take."""
        return cast("Cursor", self)
