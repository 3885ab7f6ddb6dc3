"""The simulator: a source whose trades are a pure function of seed, scenario, start, symbols and rate.

Blocks of the market are made when their time comes; how often and when the simulator is read changes nothing. A burst
ordered from outside is one more argument: it changes the path from its second on, and nothing before.
"""

from collections.abc import Iterator

from volwatch.errors import Misconfigured
from volwatch.market import paths
from volwatch.market.paths import Ticks
from volwatch.market.scenarios import PERIOD_SECONDS, SCENARIOS, Event, burst, last_second, schedule
from volwatch.producer.coarse import coarse_days
from volwatch.producer.source import Batch, Label
from volwatch.trade import Trade

_ROWS_PER_BLOCK = 30_000
_BLOCK_SECONDS = (60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1)


def symbol_names(symbols: int) -> tuple[str, ...]:
    """Return the names of simulated symbols, ``SIM01`` and so on."""
    width = max(2, len(str(symbols)))
    return tuple(f"SIM{number:0{width}d}" for number in range(1, symbols + 1))


class Simulator:
    """A market that runs round the clock from ``start_ms``, preceded by ``history_days`` of coarse prints.

    Parameters
    ----------
    rate : float
        Mean trades per second of all symbols together.
    start_ms : int
        The market's start, epoch milliseconds.
    first_seq : int
        Number of the first trade; lost trades leave gaps.
    history_seconds : int
        Length of the market's first part, in full minutes, whose trades come at the rate ``history_rate`` (by default
        at the same). The prices' path is one: a busy market needs no history that takes hours to send.

    Raises
    ------
    Misconfigured
        No scenario has that name.
    """

    source_name = "simulator"

    def __init__(
        self,
        scenario: str,
        seed: int,
        symbols: int,
        rate: float,
        start_ms: int,
        history_days: int = 0,
        first_seq: int = 0,
        history_seconds: int = 0,
        history_rate: float | None = None,
    ) -> None:
        if scenario not in SCENARIOS:
            raise Misconfigured([f"no scenario {scenario!r}: there are {', '.join(SCENARIOS)}"])
        self._scenario = SCENARIOS[scenario]
        self._seed = seed
        self._names = symbol_names(symbols)
        self._start_ms = start_ms
        self._traits = paths.draw_traits(self._scenario, seed, symbols, rate)
        self._history_seconds = history_seconds
        self._history_traits = paths.draw_traits(self._scenario, seed, symbols, history_rate or rate)
        self._before = self._after = paths.begin(self._traits, seed)
        busiest = max(rate, history_rate or rate)
        self._seconds = next(span for span in _BLOCK_SECONDS if span * busiest <= _ROWS_PER_BLOCK or span == 1)
        self._coarse: Iterator[Ticks] = coarse_days(self._traits, seed, history_days)
        self._events: list[Event] = []
        self._unlabelled: list[Event] = []
        self._periods = 0
        self._carried = paths.no_ticks()
        self._late = paths.no_ticks()
        self._ticks = paths.no_ticks()
        self._end_ms = -history_days * 86_400_000
        self._given = 0
        self._seq = first_seq

    @property
    def names(self) -> tuple[str, ...]:
        """The symbols of this market."""
        return self._names

    def read(self, until_ms: int) -> Batch:
        """Return trades received by ``until_ms`` and not handed over before, at most one block of them."""
        until_ms -= self._start_ms
        if self._given == len(self._ticks) and self._end_ms <= until_ms:
            self._next_block()
        end = int(self._ticks.received_ms.searchsorted(until_ms, side="right"))
        trades = self._trades(self._ticks[self._given : end]) if end > self._given else []
        self._given = max(self._given, end)
        more = self._given == len(self._ticks) and self._end_ms <= until_ms
        return Batch(trades, more, labels=self._begun(min(until_ms, self._end_ms)))

    def spike(self, now_ms: int, symbol: str, multiplier: float = 8.0, seconds: int = 180) -> None:
        """Multiply a symbol's volatility for a while, from the next full second after ``now_ms`` on."""
        second = max(-((self._start_ms - now_ms) // 1_000), self._before.second)
        event = burst(self._names.index(symbol), second, seconds, multiplier)
        self._add([event])
        if self._after.second > self._before.second:
            self._make_block()

    def _next_block(self) -> None:
        coarse = next(self._coarse, None)
        self._given = 0
        if coarse is not None:
            self._ticks = coarse
            self._end_ms += 86_400_000
            return
        self._before, self._carried = self._after, self._late
        end_second = self._before.second + self._seconds
        while self._periods * PERIOD_SECONDS < end_second:
            self._add(schedule(self._scenario, self._seed, self._periods, len(self._names)))
            self._periods += 1
        self._events = [event for event in self._events if last_second(event) > self._before.second]
        self._end_ms = end_second * 1_000
        self._make_block()

    def _make_block(self) -> None:
        """Make the block after ``before``; what it receives after its end is carried into the next."""
        traits = self._history_traits if self._before.second < self._history_seconds else self._traits
        ticks, self._after = paths.make_block(traits, self._before, self._seconds, self._seed, self._events)
        merged = self._carried.merged(ticks)
        cut = int(merged.received_ms.searchsorted(self._end_ms))
        self._ticks, self._late = merged[:cut], merged[cut:]

    def _add(self, events: list[Event]) -> None:
        self._events += events
        self._unlabelled = sorted([*self._unlabelled, *events], key=lambda event: event.start_second)

    def _begun(self, until_ms: int) -> tuple[Label, ...]:
        count = sum(event.start_second * 1_000 <= until_ms for event in self._unlabelled)
        begun, self._unlabelled = self._unlabelled[:count], self._unlabelled[count:]
        return tuple(
            Label(
                self._names[event.symbol],
                event.kind,
                self._start_ms + event.start_second * 1_000,
                self._start_ms + event.end_second * 1_000,
                event.magnitude,
            )
            for event in begun
        )

    def _trades(self, ticks: Ticks) -> list[Trade]:
        names, source, start_ms = self._names, self.source_name, self._start_ms
        first = self._seq
        self._seq += len(ticks)
        rows = zip(
            ticks.symbol.tolist(),
            (ticks.event_ms + start_ms).tolist(),
            ticks.price.tolist(),
            ticks.size.tolist(),
            (ticks.received_ms + start_ms).tolist(),
            range(first, self._seq),
            strict=True,
        )
        return [
            Trade(source, names[symbol], event_ms, price, size, (), None, received_ms, seq)
            for symbol, event_ms, price, size, received_ms, seq in rows
        ]
