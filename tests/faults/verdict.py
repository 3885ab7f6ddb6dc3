"""The verdict on a fault run: each hop against the one before it, and the warehouse against an undisturbed run's.

What is true is the topic, read from its first record to its last by a plain consumer.
"""

from collections.abc import Iterator, Mapping, Sequence

from tests.faults.check import Check, compare
from tests.faults.platform import Outcome, Platform
from tests.faults.source import Log, Market, Sample, check_delivered, check_emitted, is_mark, lives
from volwatch.errors import BadTrade
from volwatch.rawzone.decode import decode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.trade import Trade, decode

_LOADED = "SELECT coalesce(sum(rows_loaded), 0)::bigint FROM raw_objects"
_IN_BARS = "SELECT coalesce(sum(trades), 0)::bigint FROM stock_prices WHERE bar_seconds = 60"
_REJECTED = "SELECT count(*) FROM quarantine"
_GAPS = "SELECT coalesce(sum(gaps), 0)::bigint FROM load_positions"
_FAULTS = "SELECT count(*) FROM raw_objects WHERE fault IS NOT NULL"


def judge(market: Market, platform: Platform, samples: Sequence[Sample], undisturbed: Outcome) -> list[Check]:
    """Return what was found at each hop, in the order of the data's way."""
    log = platform.log()
    found = lives(log)
    checks = [check_emitted(market, found), check_delivered(samples, found)]
    del found
    trades, malformed = trades_of(log)
    checks += [_check_rawzone(platform, trades), check_set_aside(malformed, platform.set_aside())]
    checks += _check_loaded(platform, trades)
    outcome = platform.outcome()
    checks += [compare(table, undisturbed[table], outcome[table]) for table in undisturbed]
    return [*checks, _check_paths(platform), platform.reconcile()]


def trades_of(log: Log) -> tuple[dict[int, dict[int, Trade]], set[tuple[int, int]]]:
    """Return the trades of a topic by partition and offset, and where the records are that are no trades."""
    trades: dict[int, dict[int, Trade]] = {}
    malformed = set()
    for partition, values in log.items():
        held = trades[partition] = {}
        for offset, value in enumerate(values):
            try:
                held[offset] = decode(value)
            except BadTrade:
                malformed.add((partition, offset))
    return trades, malformed


def check_set_aside(malformed: set[tuple[int, int]], found: set[tuple[int, int]]) -> Check:
    """Return whether every record that is no trade is set aside; a consumer that was killed may do so again."""
    return Check("no trades → quarantine topic", len(malformed), len(malformed - found), len(found - malformed))


def _check_rawzone(platform: Platform, trades: Mapping[int, Mapping[int, Trade]]) -> Check:
    """Return whether every trade is in the raw zone, unchanged; objects may overlap, and must agree."""
    keys: dict[int, list[ObjectKey]] = {}
    for info in platform.world.rawzone.list_all():
        keys.setdefault(info.key.partition, []).append(info.key)
    counted, lost, wrong, examples = 0, 0, 0, []
    for partition, expected in trades.items():
        seen: set[int] = set()
        for offset, trade in _rows(platform, keys.get(partition, [])):
            seen.add(offset)
            if expected.get(offset) != trade:
                wrong += 1
                examples.append(f"{partition}/{offset}: {trade} is stored for {expected.get(offset)}")
        counted += len(expected)
        lost += len(expected.keys() - seen)
    return Check("topic → raw zone", counted, lost, wrong, tuple(examples[:3]))


def _rows(platform: Platform, keys: Sequence[ObjectKey]) -> Iterator[tuple[int, Trade]]:
    for key in keys:
        found = decode_object(platform.world.rawzone.read(key), key)
        yield from zip(found.trades.offset.tolist(), found.records(), strict=True)


def _check_loaded(platform: Platform, trades: Mapping[int, Mapping[int, Trade]]) -> list[Check]:
    """Return whether every trade was loaded once, and is in a bar or rejected, unless it is a mark."""
    counted = sum(map(len, trades.values()))
    marks = sum(is_mark(trade) for held in trades.values() for trade in held.values())
    figures = [_figure(platform, statement) for statement in (_LOADED, _IN_BARS, _REJECTED, _GAPS, _FAULTS)]
    loaded, in_bars, rejected, gaps, faults = figures
    return [
        _balance("raw zone → ledger", counted, loaded),
        _balance(f"ledger → bars, {rejected} rejected, {marks} marks", counted, in_bars + rejected + marks),
        Check("offsets passed over, objects unreadable", counted, gaps + faults, 0),
    ]


def _check_paths(platform: Platform) -> Check:
    """Return whether detector and minute path found the same steps on final bars, as far as both came."""
    counted = _figure(platform, "SELECT count(*) FROM alert_steps WHERE path = 'detector'")
    lost, doubled = (
        _figure(platform, f"SELECT count(*) FROM alert_differences WHERE found_by = '{path}'")
        for path in ("pipeline", "detector")
    )
    return Check("steps of alerts by both paths", counted, lost, doubled)


def _figure(platform: Platform, statement: str) -> int:
    [(figure,)] = platform.world.select(statement)
    return int(figure)


def _balance(name: str, expected: int, found: int) -> Check:
    return Check(name, expected, max(0, expected - found), max(0, found - expected))
