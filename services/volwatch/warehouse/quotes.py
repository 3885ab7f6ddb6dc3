"""The table of polled prices: when each symbol was asked last, and which quote of it was published last."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case
from psycopg2.extras import execute_values

Outcome = Literal["PUBLISHED", "UNCHANGED", "STALE", "UNKNOWN", "FAILED"]

_LOCK_KEY = 0x71756F74  # "quot"; a database of ours holds no other advisory lock of this key
_UPSERT = """
INSERT INTO quotes (symbol, asked_at, outcome) VALUES %s
ON CONFLICT (symbol) DO UPDATE SET asked_at = excluded.asked_at, outcome = coalesce(excluded.outcome, quotes.outcome)
"""
_CLAIM = """
UPDATE quotes SET event_time = fresh.event_time, price = fresh.price, published = quotes.published + 1
FROM (VALUES %s) AS fresh (symbol, event_time, price)
WHERE quotes.symbol = fresh.symbol AND (quotes.event_time IS NULL OR fresh.event_time > quotes.event_time
    OR (fresh.event_time = quotes.event_time AND fresh.price <> quotes.price))
RETURNING quotes.symbol
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A symbol, when it was asked last (None: never), and what came of it (None leaves what the table says)."""

    symbol: str
    at: datetime | None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """A symbol's price at the time of its last trade."""

    symbol: str
    event_time: datetime
    price: float


def try_lock(cursor: Cursor) -> bool:
    """Return whether this session may ask; false when another one is at it. Released when the session ends."""
    cursor.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK_KEY,))
    row = cursor.fetchone()
    return row is not None and bool(row[0])


def asked(cursor: Cursor, symbols: Collection[str]) -> dict[str, datetime]:
    """Return when some symbols were asked last; one that never was is left out."""
    cursor.execute(
        "SELECT symbol, asked_at FROM quotes WHERE symbol = ANY(%s) AND asked_at IS NOT NULL", (list(symbols),)
    )
    return dict(cursor.fetchall())


def asked_since(cursor: Cursor, since: datetime) -> list[datetime]:
    """Return when calls were made after a time, in order, as far as the table can tell: one call a symbol."""
    cursor.execute("SELECT asked_at FROM quotes WHERE asked_at > %s ORDER BY asked_at", (since,))
    return [at for (at,) in cursor.fetchall()]


def write(cursor: Cursor, rows: Iterable[Asked]) -> None:
    """Note when symbols were asked, and what came of it."""
    execute_values(cursor, _UPSERT, [(row.symbol, row.at, row.outcome) for row in rows])


def claim(cursor: Cursor, quotes: Iterable[Quote]) -> set[str]:
    """Take for publishing the quotes that say something new; return their symbols, which ``write`` must know.

    New is a later trade than the one last published, or another price of the same second.
    """
    rows = [(quote.symbol, quote.event_time, quote.price) for quote in quotes]
    if not rows:
        return set()
    template = "(%s, %s::timestamptz, %s::double precision)"
    return {symbol for (symbol,) in execute_values(cursor, _CLAIM, rows, template, fetch=True)}


def published(cursor: Cursor) -> int:
    """Return how many quotes have been published so far."""
    cursor.execute("SELECT coalesce(sum(published), 0)::bigint FROM quotes")
    row = cursor.fetchone()
    return 0 if row is None else int(row[0])
