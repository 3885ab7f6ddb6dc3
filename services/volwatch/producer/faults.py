"""Faults on demand: a burst or a stall by signal, and garbage among the trades. Each wraps another source."""

import json
import signal
from collections import Counter
from dataclasses import replace
from types import FrameType

import msgspec
import structlog

from volwatch.market.scenarios import stream
from volwatch.producer.simulator import Simulator
from volwatch.producer.source import Batch, Source
from volwatch.trade import Trade, encode

_log = structlog.get_logger()

_FAR_MS = 600_000
_GARBAGE_KINDS = ("not_json", "negative_price", "nan_price", "future_time", "late_trade")


class Switches:
    """What was asked for by signal: SIGUSR1 a burst, SIGUSR2 a stall or its end."""

    def __init__(self) -> None:
        self.spike_wanted = False
        self.stalled = False

    @classmethod
    def on_signals(cls) -> "Switches":
        """Return switches that the two signals work."""
        switches = cls()

        def handle(signum: int, _frame: FrameType | None) -> None:
            if signum == signal.SIGUSR1:
                switches.spike_wanted = True
            else:
                switches.stalled = not switches.stalled

        signal.signal(signal.SIGUSR1, handle)
        signal.signal(signal.SIGUSR2, handle)
        return switches


class SwitchedSimulator:
    """A simulator that obeys switches. What it would have sent during a stall is lost, as when a feed is down."""

    def __init__(self, simulator: Simulator, switches: Switches, spike_symbol: str) -> None:
        self._simulator = simulator
        self._switches = switches
        self._spike_symbol = spike_symbol
        self._was_stalled = False
        self._lost = 0

    def read(self, until_ms: int) -> Batch | None:
        """Return what the simulator gives, without the trades while it is stalled."""
        if self._switches.spike_wanted:
            self._switches.spike_wanted = False
            self._simulator.spike(until_ms, self._spike_symbol)
            _log.info("spike_injected", symbol=self._spike_symbol)
        batch = self._simulator.read(until_ms)
        self._tell_of_stall()
        if not self._switches.stalled:
            return batch
        self._lost += len(batch.trades)
        return replace(batch, trades=[])

    def _tell_of_stall(self) -> None:
        if self._switches.stalled and not self._was_stalled:
            _log.info("stall_began")
        elif self._was_stalled and not self._switches.stalled:
            _log.info("stall_ended", lost_trades=self._lost)
            self._lost = 0
        self._was_stalled = self._switches.stalled


class Garbage:
    """A source that spoils copies of some trades and sends them along.

    Parameters
    ----------
    share : float
        Mean number of bad records per trade.
    """

    def __init__(self, source: Source, share: float, seed: int) -> None:
        self._source = source
        self._share = share
        self._rng = stream(seed, "garbage")
        self.sent: Counter[str] = Counter()

    def read(self, until_ms: int) -> Batch | None:
        """Return what the source gives, and bad records beside it."""
        batch = self._source.read(until_ms)
        if batch is None or not batch.trades:
            return batch
        last_received_at = batch.trades[-1].received_at
        chosen = self._rng.integers(0, len(batch.trades), self._rng.poisson(self._share * len(batch.trades)))
        garbage = tuple(self._spoiled(batch.trades[index], last_received_at) for index in chosen.tolist())
        return replace(batch, garbage=batch.garbage + garbage)

    def _spoiled(self, trade: Trade, received_at: int) -> tuple[str, bytes]:
        kind = _GARBAGE_KINDS[int(self._rng.integers(len(_GARBAGE_KINDS)))]
        self.sent[kind] += 1
        return trade.symbol, spoil(msgspec.structs.replace(trade, received_at=received_at), kind)


def spoil(trade: Trade, kind: str) -> bytes:
    """Return a bad record made from a good one."""
    if kind == "not_json":
        return b"\xff" + encode(trade)[:20]
    if kind == "nan_price":
        return json.dumps({**msgspec.to_builtins(trade), "price": float("nan")}).encode()
    if kind == "negative_price":
        return encode(msgspec.structs.replace(trade, price=-trade.price))
    distance_ms = _FAR_MS if kind == "future_time" else -_FAR_MS
    return encode(msgspec.structs.replace(trade, event_time=trade.received_at + distance_ms))
