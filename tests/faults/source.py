"""What the source emitted, and how much of it stands on the topic.

The simulator is a pure function of its arguments, so what each life of the producer emitted can be made anew and
compared with the broker's log, which is the acknowledgement: a record is acknowledged when it is in the log. Claimed of
each life, however it ended: in every partition stands a prefix of what it emitted there, each record unchanged, once
and in order. So nothing that was acknowledged is lost, for what is missing lies behind all that is there. And the log
holds at least as many records as the producer had counted as delivered a moment before it was killed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.faults.check import Check
from volwatch.analytics.bars import MARK_CONDITION
from volwatch.errors import BadTrade
from volwatch.producer.simulator import Simulator
from volwatch.trade import Trade, decode

Log = Mapping[int, Sequence[bytes]]
"""The values of each partition of a topic, from its first offset on, without a gap."""

_MINUTE_MS = 60_000
_SEQ_PER_MS = 1_000
# A life numbers its records from a thousand times the milliseconds of its start; its queue is lost when it is killed.
_LEAST_STEP_BETWEEN_LIVES = 300_000


@dataclass(frozen=True, slots=True)
class Market:
    """The market that the producer simulates, from its first trade to its last."""

    seed: int
    rate: float
    history_minutes: int
    history_rate: float
    symbols: int = 12
    scenario: str = "mixed"
    garbage: float = 0.001

    @property
    def words(self) -> tuple[str, ...]:
        """The options of ``volwatch producer``."""
        options = {
            "scenario": self.scenario, "seed": self.seed, "symbols": self.symbols, "rate": self.rate,
            "garbage": self.garbage, "history-minutes": self.history_minutes, "history-rate": self.history_rate,
        }  # fmt: skip
        return tuple(word for name, value in options.items() for word in (f"--{name}", str(value)))

    @property
    def history_trades(self) -> float:
        """About how many trades the history has."""
        return self.history_minutes * 60 * self.history_rate

    def emitted(self, first_seq: int, last_seq: int, *, with_history: bool) -> list[Trade]:
        """Return the trades that a life emitted, from its first to one of a number or further."""
        now_ms = first_seq // _SEQ_PER_MS
        minutes = self.history_minutes if with_history else 0
        simulator = Simulator(
            self.scenario,
            self.seed,
            self.symbols,
            self.rate,
            start_ms=(now_ms - minutes * _MINUTE_MS) // _MINUTE_MS * _MINUTE_MS if minutes else now_ms,
            first_seq=first_seq,
            history_seconds=minutes * 60,
            history_rate=self.history_rate,
        )
        trades: list[Trade] = []
        while first_seq + len(trades) <= last_seq:
            trades += simulator.read(now_ms + 86_400_000).trades
        return trades


@dataclass(frozen=True, slots=True)
class Sample:
    """What a producer had counted as delivered at a time of its life, in epoch milliseconds; ``whole``: at its end."""

    started_ms: int
    taken_ms: int
    delivered: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Life:
    """What stands on the topic of one life of the producer.

    Attributes
    ----------
    trades : mapping of int to list of Trade
        By partition, in order of offsets, spoiled copies included.
    malformed : int
        Records beside them that are no trades.
    """

    first_seq: int
    trades: Mapping[int, list[Trade]]
    malformed: int

    @property
    def records(self) -> int:
        """How many records there are."""
        return sum(map(len, self.trades.values())) + self.malformed


def is_mark(trade: Trade) -> bool:
    """Return whether a record is of those that end a run."""
    return trade.conditions == (MARK_CONDITION,)


def lives(log: Log) -> list[Life]:
    """Return the lives of the producer in order. A record that is no trade is of the life of the one before it."""
    decoded = {partition: [_decoded(value) for value in values] for partition, values in log.items()}
    firsts = _first_numbers({trade.seq for rows in decoded.values() for trade in rows if trade is not None})
    trades: list[dict[int, list[Trade]]] = [{} for _ in firsts]
    malformed = [0] * len(firsts)
    for partition, rows in decoded.items():
        life = 0
        for trade in rows:
            if trade is None:
                malformed[life] += 1
                continue
            while life + 1 < len(firsts) and trade.seq >= firsts[life + 1]:
                life += 1
            if not is_mark(trade):
                trades[life].setdefault(partition, []).append(trade)
    return [Life(*fields) for fields in zip(firsts, trades, malformed, strict=True)]


def _decoded(value: bytes) -> Trade | None:
    try:
        return decode(value)
    except BadTrade:
        return None


def _first_numbers(numbers: set[int]) -> list[int]:
    """Return the number with which each life began. Its first record may be missing, of a thousand one is there."""
    ordered = sorted(numbers)
    steps = [after for before, after in pairwise(ordered) if after - before > _LEAST_STEP_BETWEEN_LIVES]
    return [number // _SEQ_PER_MS * _SEQ_PER_MS for number in [*ordered[:1], *steps]]


def check_emitted(market: Market, found: Sequence[Life]) -> Check:
    """Return whether each life left a prefix of what it emitted."""
    counted, lost, doubled = 0, Counter[str](), Counter[str]()
    for life in found:
        for partition, (expected, standing) in _sequences(market, life).items():
            where = f"life {life.first_seq}, partition {partition}"
            counted += len(standing)
            lost[where] += len(set(expected) - set(standing))
            doubled[where] += len(standing) - len(set(standing))
            if standing != sorted(standing):
                doubled[f"{where}, not in order"] += 1
    return Check("emitted → topic", counted, lost.total(), doubled.total(), tuple(f"{at}" for at in +lost | +doubled))


def _sequences(market: Market, life: Life) -> dict[int, tuple[list[int], list[int]]]:
    """Return by partition the numbers that must stand there, and those that do, spoiled copies left out."""
    last_seq = max(trade.seq for trades in life.trades.values() for trade in trades)
    first_received_ms = min(trades[0].received_at for trades in life.trades.values())
    with_history = first_received_ms < life.first_seq // _SEQ_PER_MS
    emitted = market.emitted(life.first_seq, last_seq, with_history=with_history)
    by_number = dict(enumerate(emitted, life.first_seq))
    standing = {
        partition: [trade.seq for trade in trades if trade == by_number.get(trade.seq)]
        for partition, trades in life.trades.items()
    }
    home = {trade.symbol: partition for partition, trades in life.trades.items() for trade in trades}
    ends = {partition: max(numbers, default=-1) for partition, numbers in standing.items()}
    expected: dict[int, list[int]] = {partition: [] for partition in standing}
    for trade in emitted:
        partition = home.get(trade.symbol)
        if partition is not None and trade.seq <= ends[partition]:
            expected[partition].append(trade.seq)
    return {partition: (expected[partition], standing[partition]) for partition in standing}


def check_delivered(samples: Sequence[Sample], found: Sequence[Life]) -> Check:
    """Return whether the topic has all that each life had counted as delivered, and of one that ended well no more."""
    lost, doubled, told = 0, 0, []
    for sample in samples:
        began_ms, ended_ms = sample.started_ms, sample.taken_ms
        standing = sum(life.records for life in found if began_ms <= life.first_seq // _SEQ_PER_MS <= ended_ms)
        missing = sample.delivered - standing
        lost += max(0, missing)
        doubled += max(0, -missing) if sample.whole else 0
        if missing > 0 or (missing and sample.whole):
            told.append(f"{sample}: {standing} stand on the topic")
    return Check("delivered → topic", sum(sample.delivered for sample in samples), lost, doubled, tuple(told))
