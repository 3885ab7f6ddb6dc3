"""The rows of bars as a rebuild makes them, against those that are stored: what differs is written, what the raw zone
does not bear out goes, and a row that is as it was is not touched.

A bar that differs is a new revision: the number that stands there becomes one more. Rows as they stood before are kept
in superseded_rows. All of it happens in the caller's transaction: ``stage`` needs no lock, ``merge`` is quick.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.analytics import detector, state
from volwatch.warehouse import rebuild_statements as statements
from volwatch.warehouse.staging import KEYS, PRICES, SIGNALS, VOLATILITY, Copy

_VERSIONS = {PRICES: "", VOLATILITY: state.VERSION, SIGNALS: detector.VERSION}
_MINUTE, _DAY = 60, 86_400

Copies = Mapping[str, Copy]
"""Rows by the table that they are of."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The bars that became final while a source's watermark moved on: those whose start lies in (after, until].

    Attributes
    ----------
    symbols : all that the partition has of the source.
    day_closed : says of a symbol and the start of a daily bar whether that became final meanwhile.
    """

    partition: int
    source: str
    after: datetime
    until: datetime
    symbols: Sequence[str]
    day_closed: Callable[[str, datetime], bool]

    def parameters(self) -> dict[str, object]:
        """Return what the statements are told."""
        return {
            "partition": self.partition,
            "source": self.source,
            "after": self.after,
            "until": self.until,
            "symbols": list(self.symbols),
            "model_version": state.VERSION,
            "detector": detector.NAME,
            "detector_version": detector.VERSION,
        }


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows of a rebuild that are not as they were."""

    bars_added: int = 0
    bars_revised: int = 0
    bars_withdrawn: int = 0
    volatility: int = 0
    signals: int = 0


def stage(cursor: Cursor, copies: Copies) -> None:
    """Copy rows beside the tables; they are gone with the transaction."""
    for table, rows in copies.items():
        columns = sql.SQL(", ").join(map(sql.Identifier, rows.columns))
        parts = {"staging": _staging(table), "columns": columns, "target": sql.Identifier(table)}
        cursor.execute(sql.SQL(statements.STAGE).format(**parts), {"months": list(rows.months)})
        cursor.copy_expert(sql.SQL(statements.COPY).format(**parts), pa.BufferReader(rows.text))
        cursor.execute(sql.SQL("ANALYZE {}").format(_staging(table)))


def merge(cursor: Cursor, copies: Copies, scopes: Sequence[Scope]) -> Changes:
    """Make the tables say what was staged, within the scopes."""
    withdrawn = sum(_withdraw(cursor, scope) for scope in scopes)
    added, revised = _merge_bars(cursor, copies[PRICES].columns)
    changed = {}
    for table in (VOLATILITY, SIGNALS):
        cursor.execute(statements.TAKE_REVISION[table])
        changed[table] = sum(_upsert(cursor, table, copies[table].columns, statements.SETS))
    return Changes(added, revised, withdrawn, changed[VOLATILITY], changed[SIGNALS])


def _merge_bars(cursor: Cursor, columns: Sequence[str]) -> tuple[int, int]:
    changed = _upsert(cursor, PRICES, columns, statements.SETS_AND_REVISES)
    # The nightly measures of a session are of the bar that was: they go, and come again with the next night.
    cursor.execute(statements.CHANGED_DAYS)
    for source, symbol, day in cursor.fetchall():
        _gone(cursor, VOLATILITY, source, symbol, _DAY, day)
    return changed


def _upsert(cursor: Cursor, table: str, columns: Sequence[str], sets: str) -> tuple[int, int]:
    """Write the rows that differ; return how many are new, and how many replace others."""
    compared = [name for name in columns if name not in KEYS[table] and (table != PRICES or name != "revision")]
    parts = {
        "target": sql.Identifier(table),
        "staging": _staging(table),
        "relation": sql.Literal(table),
        "columns": sql.SQL(", ").join(map(sql.Identifier, columns)),
        "keys": sql.SQL(", ").join(map(sql.Identifier, KEYS[table])),
        "compared": sql.SQL(", ").join(map(sql.Identifier, compared)),
        "old": sql.SQL(", ").join(sql.Identifier("held", name) for name in compared),
        "new": sql.SQL(", ").join(sql.Identifier("made", name) for name in compared),
        "excluded": sql.SQL(", ").join(sql.Identifier("excluded", name) for name in compared),
        "same": sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(sql.Identifier("held", name), sql.Identifier("made", name))
            for name in KEYS[table]
        ),
        # The bounds tell the planner which monthly partitions there are to look at.
        "bounds": sql.SQL(statements.BOUNDS).format(staging=_staging(table)),
    }
    cursor.execute(sql.SQL(statements.DROP_UNCHANGED).format(**parts))
    cursor.execute(sql.SQL(statements.KEEP_OLD).format(**parts))
    revised = cursor.rowcount
    cursor.execute(sql.SQL(statements.UPSERT + sets).format(**parts))
    return cursor.rowcount - revised, revised


def _withdraw(cursor: Cursor, scope: Scope) -> int:
    """Take away what became final in a scope once, and did not in the rebuild; return how many bars."""
    cursor.execute(statements.UNMADE_BARS, scope.parameters())
    bars = [
        (symbol, seconds, start)
        for symbol, seconds, start in cursor.fetchall()
        if seconds == _MINUTE or scope.day_closed(symbol, start)
    ]
    for symbol, seconds, start in bars:
        for table in (PRICES, VOLATILITY, SIGNALS) if seconds == _MINUTE else (PRICES, VOLATILITY):
            _gone(cursor, table, scope.source, symbol, seconds, start)
    for table in (VOLATILITY, SIGNALS):
        cursor.execute(statements.UNMADE[table], scope.parameters())
        for symbol, start in cursor.fetchall():
            _gone(cursor, table, scope.source, symbol, _MINUTE, start)
    return len(bars)


def withdraw_provisional(cursor: Cursor, scope: Scope) -> int:
    """Take away the bars that were not final when the state was replaced and that are not staged; return how many."""
    cursor.execute(statements.UNMADE_PROVISIONAL, scope.parameters())
    bars = cursor.fetchall()
    for symbol, start in bars:
        for table in (PRICES, VOLATILITY, SIGNALS):
            _gone(cursor, table, scope.source, symbol, _MINUTE, start)
    return len(bars)


def _gone(cursor: Cursor, table: str, source: str, symbol: str, bar_seconds: int, start: datetime) -> None:
    cursor.execute(statements.WITHDRAW, (table, source, symbol, bar_seconds, start, _VERSIONS[table]))


def _staging(table: str) -> sql.Identifier:
    return sql.Identifier(f"rebuilt_{table}")
