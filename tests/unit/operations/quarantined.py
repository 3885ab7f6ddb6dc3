"""A quarantined trade, for tests of what is done about it."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from volwatch.trade import Trade, encode
from volwatch.warehouse.quarantine import SetAside

MINUTE = datetime(2026, 1, 5, 15, tzinfo=UTC)
MINUTE_MS = 1_767_625_200_000
TRADE = Trade("finnhub", "AAPL", MINUTE_MS + 30_000, 190.5, 10.0, (), None, MINUTE_MS + 30_100, 7)


def set_aside(trade: Trade = TRADE, **changes: Any) -> SetAside:
    """Return the row of a trade, seen two minutes and a half after its minute began."""
    row = SetAside(
        41, 2, 1234, trade.source, trade.symbol, "OUTLIER", encode(trade).decode(), MINUTE, None, None,
        datetime(2026, 1, 5, 15, 2, 30, tzinfo=UTC),
    )  # fmt: skip
    return SetAside(**{name: changes.get(name, getattr(row, name)) for name in SetAside.__slots__})


def print_of(**changes: Any) -> Trade:
    """Return a trade like the usual one."""
    return msgspec.structs.replace(TRADE, **changes)
