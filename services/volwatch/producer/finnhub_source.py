"""Finnhub's stream as a source: the messages of a feed into trades, rejects, and records of what could not be seen."""

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from volwatch import finnhub, metrics
from volwatch.analytics.bars import GAP_CONDITION
from volwatch.analytics.duplicates import Duplicates
from volwatch.producer.feed import Arrived, Failed, Item
from volwatch.producer.source import Batch, Rejected
from volwatch.trade import Trade

_log = structlog.get_logger()

_ITEMS_PER_BATCH = 2_000
_SILENT_AFTER_MS = 300_000
_SILENT_AGAIN_MS = 3_600_000


class Items(Protocol):
    """The part of a feed that is used here."""

    def take(self) -> Item | None:
        """Return the next item without waiting; None when there is none now."""


class FinnhubSource:
    """Decodes what a feed has queued.

    A message that an earlier one equals is a resend and goes, see ``analytics.duplicates``. Each time the feed begins
    to see, the first time too, every symbol has a record of condition ``gap``: what was traded before is not known.

    Parameters
    ----------
    symbols : sequence of str
        Those that are subscribed.
    first_seq : int
        Number of the first record.
    lateness_seconds : int
        As the engine has it.
    redacted : callable
        Returns a text of Finnhub's without our token.
    """

    def __init__(
        self,
        feed: Items,
        symbols: Sequence[str],
        first_seq: int,
        lateness_seconds: int,
        redacted: Callable[[str], str],
    ) -> None:
        self._feed = feed
        self._symbols = tuple(symbols)
        self._subscribed = frozenset(symbols)
        self._seq = first_seq
        self._duplicates = Duplicates(lateness_seconds)
        self._redacted = redacted
        self._failure: Exception | None = None
        self._silent = set(symbols)
        self._tell_silent_at_ms: int | None = None

    def read(self, until_ms: int) -> Batch | None:
        """Return what has come since the last reading.

        Raises
        ------
        Exception
            What ended the feed for good: ``Misconfigured`` when Finnhub refuses the token.
        """
        if self._failure is not None:
            raise self._failure
        trades: list[Trade] = []
        rejected: list[Rejected] = []
        more = True
        for _ in range(_ITEMS_PER_BATCH):
            item = self._feed.take()
            if item is None:
                more = False
                break
            if isinstance(item, Failed):
                self._failure = item.error  # raised at the next reading: what came before it is handed over first
                break
            if isinstance(item, Arrived):
                self._take(item, trades, rejected)
            else:
                trades += self._gaps(item.received_at)
        self._tell_of_silent(until_ms)
        return Batch(trades, more, rejected=tuple(rejected))

    def _take(self, item: Arrived, trades: list[Trade], rejected: list[Rejected]) -> None:
        message = finnhub.decode(item.message, item.received_at, self._seq, self._subscribed)
        if message.kind == "error":
            _log.warning("finnhub_error", detail=self._redacted(message.text))
        if self._duplicates.is_resent(message.trades, [each.raw for each in message.rejects], item.received_at):
            metrics.producer_resent_trades_total.inc(len(message.trades))
            return
        self._seq += len(message.trades)
        trades += message.trades
        # Which symbol it would have been cannot be told of most of them.
        rejected += [Rejected(finnhub.SOURCE, each.reason, each.raw) for each in message.rejects]
        self._silent.difference_update(trade.symbol for trade in message.trades)

    def _gaps(self, received_at: int) -> list[Trade]:
        first, self._seq = self._seq, self._seq + len(self._symbols)
        return [
            Trade(finnhub.SOURCE, symbol, received_at, 0.0, 0.0, (GAP_CONDITION,), None, received_at, seq)
            for seq, symbol in enumerate(self._symbols, first)
        ]

    def _tell_of_silent(self, now_ms: int) -> None:
        """Log which symbols have had no trade: Finnhub drops those above its limit without naming them."""
        if self._tell_silent_at_ms is None:
            self._tell_silent_at_ms = now_ms + _SILENT_AFTER_MS
        if now_ms >= self._tell_silent_at_ms and self._silent:
            self._tell_silent_at_ms = now_ms + _SILENT_AGAIN_MS
            _log.warning("symbols_silent", symbols=sorted(self._silent), of=len(self._symbols))
