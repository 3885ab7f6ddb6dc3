"""The replay: a source that gives recorded trades again, as fast as told.

Times are those of the record, so the rows that come of it do not depend on the speed. The source has a name of its own
(``replay-<name>``): nothing recorded is ever overwritten.
"""

from collections.abc import Iterable, Iterator

import msgspec

from volwatch.analytics.bars import MARK_CONDITION
from volwatch.producer.source import Batch, Rejected
from volwatch.trade import Trade

REPLAY_PREFIX = "replay-"
_ROWS_PER_BATCH = 20_000
_MARK_AFTER_MS = 300_000  # beyond the lateness that any bar waits for


class Replay:
    """Gives rows in their order, each when its time has come.

    Parameters
    ----------
    rows : iterable of Trade or Rejected
        In order of received_at.
    speed : float
        Seconds of the record per second; 0 is as fast as possible.
    """

    def __init__(self, rows: Iterable[Trade | Rejected], speed: float = 0.0) -> None:
        self._rows = _with_end_marks(rows)
        self._speed = speed
        self._begun_ms: int | None = None
        self._first_ms: int | None = None
        self._waiting: Trade | None = None

    def read(self, until_ms: int) -> Batch | None:
        """Return the rows that are due by ``until_ms`` on the clock of the reader; None after the last."""
        trades: list[Trade] = []
        rejected: list[Rejected] = []
        for _ in range(_ROWS_PER_BATCH):
            row = self._waiting or next(self._rows, None)
            if row is None:
                break
            self._waiting = None
            if isinstance(row, Rejected):
                rejected.append(row)
            elif self._is_due(row, until_ms):
                trades.append(row)
            else:
                self._waiting = row
                return Batch(trades, more=False, rejected=tuple(rejected))
        return Batch(trades, more=True, rejected=tuple(rejected)) if trades or rejected else None

    def _is_due(self, trade: Trade, until_ms: int) -> bool:
        if self._begun_ms is None or self._first_ms is None:
            self._begun_ms, self._first_ms = until_ms, trade.received_at
        if MARK_CONDITION in trade.conditions:
            return True
        return self._speed == 0 or trade.received_at - self._first_ms <= (until_ms - self._begun_ms) * self._speed


def _with_end_marks(rows: Iterable[Trade | Rejected]) -> Iterator[Trade | Rejected]:
    """Yield the rows, then a mark for each symbol: without one the last bars of a record would never become final."""
    last: dict[str, Trade] = {}
    for row in rows:
        if isinstance(row, Trade):
            last[row.symbol] = row
        yield row
    if not last:
        return
    end = max(last.values(), key=lambda trade: (trade.received_at, trade.seq))
    received_at = end.received_at + _MARK_AFTER_MS
    for index, trade in enumerate(last.values()):
        yield msgspec.structs.replace(
            trade,
            event_time=received_at,
            size=0.0,
            conditions=(MARK_CONDITION,),
            trade_id=None,
            received_at=received_at,
            seq=end.seq + 1 + index,
        )
