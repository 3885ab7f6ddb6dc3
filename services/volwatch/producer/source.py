"""What the producer asks of a source of trades, and what a source hands over."""

from dataclasses import dataclass
from typing import Protocol

import msgspec

from volwatch.trade import Trade


class Label(msgspec.Struct, frozen=True):
    """Ground truth: what a simulated market really did to a symbol, and when.

    Attributes
    ----------
    kind : str
        ``burst``, ``jump``, ``flash``, ``regime`` or ``halt``.
    start_ms, end_ms : int
        When volatility is unusual, epoch milliseconds, half-open. A halt's label begins when trading reopens.
    magnitude : float
        Volatility multiplier (burst, regime), local one-minute sigmas (jump, halt), or fall as a ratio (flash).
    """

    symbol: str
    kind: str
    start_ms: int
    end_ms: int
    magnitude: float


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row of a source that is no trade: it goes to quarantine with its reason."""

    key: str
    reason: str
    record: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What a source handed over at one reading.

    Attributes
    ----------
    trades : list of Trade
        Ordered by received_at.
    more : bool
        Further trades are due already: read again without waiting.
    labels : tuple of Label
        Events that began since the last reading.
    rejected : tuple of Rejected
        Rows of the source that are no trades.
    garbage : tuple of (key, value)
        Bad records to be sent as if they were trades, on purpose.
    """

    trades: list[Trade]
    more: bool
    labels: tuple[Label, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    garbage: tuple[tuple[str, bytes], ...] = ()


class Source(Protocol):
    """Where trades come from.

    A reading never waits: a source fed by a socket fills a queue from a thread of its own and hands it over here.
    """

    def read(self, until_ms: int) -> Batch | None:
        """Return trades received by ``until_ms`` and not handed over before; None when none will ever come again."""
