"""The engine taken through a span of offsets again: what became final there, in rows, steps of alerts and rejects.

Between spans a state is *settled*: of alerts it knows what follows from final bars alone. So it is a function of the
trades before it, however they were cut into calls, and a span can be computed from it at any time, anywhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import structlog
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.analytics.calendars import DAY_MS, MINUTE_MS
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Result, Transition
from volwatch.analytics.state import EngineState, Shown
from volwatch.analytics.trades import Int64, Trades, concatenate, no_trades
from volwatch.errors import BadObject
from volwatch.pipeline.quarantine import quarantined
from volwatch.pipeline.rebuild_plan import Span
from volwatch.pipeline.rows import of_finality, tables
from volwatch.rawzone.decode import RawRows, decode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import Rawzone
from volwatch.warehouse.rebuild_ledger import Decided, Found
from volwatch.warehouse.rebuild_rows import Scope
from volwatch.warehouse.staging import PRICES, SIGNALS, VOLATILITY, Columns
from volwatch.warehouse.writer import QuarantinedTrade

_log = structlog.get_logger()

_BEFORE_ALL = datetime(1969, 12, 31, tzinfo=UTC)


@dataclass(slots=True)
class Recomputed:
    """What a span gives anew. ``rows`` are final ones, by table, part by part; ``count`` tells how many trades it
    took."""

    span: Span
    scopes: list[Scope] = field(default_factory=list)
    rows: dict[str, list[Columns]] = field(default_factory=lambda: {PRICES: [], VOLATILITY: [], SIGNALS: []})
    steps: list[Transition] = field(default_factory=list)
    rejected: dict[int, QuarantinedTrade] = field(default_factory=dict)
    offset: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    found: list[Found] = field(default_factory=list)
    count: int = 0

    @property
    def decided(self) -> Decided:
        """Return which trades were judged."""
        return Decided(self.span.partition, self.offset, self.rejected)


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of an object that no object before had."""

    raw: RawRows | None
    trades: Trades


def settle(state: EngineState) -> None:
    """Let a state (in place) know of alerts what final bars say."""
    episodes = state.detector
    state.shown = {
        series: Shown(
            int(episodes.onset[series]), int(episodes.kind[series]), int(episodes.severity[series]), confirmed=True
        )
        for series in np.flatnonzero(episodes.active == 1).tolist()
    }
    state.rules.settle()


def recompute(
    cursor: Cursor,
    rawzone: Rawzone,
    engine: Engine,
    span: Span,
    keys: Sequence[ObjectKey],
    rows_at_once: int,
    *,
    rows_wanted: bool,
) -> Recomputed:
    """Take an engine through a span; its state (in place) is settled at the end.

    Parameters
    ----------
    cursor : cursor
        Asked for the objects of prints that were held since before.
    keys : sequence of ObjectKey
        The objects that may hold offsets of the span, in order.
    rows_wanted : bool
        Whether rows and rejects are of interest; steps of alerts always are.
    """
    made = Recomputed(span)
    before, waiting = dict(engine.state.watermarks), _undecided(engine.state)
    judged = [waiting]
    for parts in _batches(_read(rawzone, span, keys, made.found), rows_at_once):
        trades = concatenate([part.trades for part in parts])
        result = engine.process(trades)
        made.count += len(trades)
        made.steps += [step for step in result.transitions if step.final and step.state != "RETRACTED"]
        if rows_wanted:
            judged.append(trades.offset)
            _collect(made, result, engine.config)
            read = [part.raw for part in parts if part.raw is not None]
            if len(result.rejected.trades):
                rejected = quarantined(cursor, rawzone, span.partition, read, result.rejected)
                made.rejected |= {trade.offset: trade for trade in rejected}
    settle(engine.state)
    made.offset = np.setdiff1d(np.concatenate(judged), _undecided(engine.state))
    made.scopes = scopes(span.partition, before, engine)
    return made


def scopes(partition: int, before: dict[str, int], engine: Engine) -> list[Scope]:
    """Return which bars became final since the watermarks were what they were ``before``."""
    config = engine.config
    symbols: dict[str, list[str]] = {}
    for source, symbol in engine.state.series:
        symbols.setdefault(source, []).append(symbol)
    return [
        _scope(partition, source, before.get(source, 0), reached, symbols.get(source, []), config)
        for source, reached in sorted(engine.state.watermarks.items())
        if reached > before.get(source, 0)
    ]


def _scope(partition: int, source: str, since: int, reached: int, symbols: list[str], config: EngineConfig) -> Scope:
    lateness_ms = config.lateness_seconds * 1000
    wait_ms = MINUTE_MS + lateness_ms

    def day_closed(symbol: str, day: datetime) -> bool:
        calendar = config.calendar(config.calendar_name(source, symbol))
        close = calendar.close_of(np.array([round(day.timestamp() * 1000) // DAY_MS], np.int64))
        return bool(since < int(close[0]) + lateness_ms <= reached)

    after = _time(since - wait_ms) if since > wait_ms else _BEFORE_ALL
    return Scope(partition, source, after, _time(reached - wait_ms), symbols, day_closed)


def _undecided(state: EngineState) -> Int64:
    """Return the offsets of the prints that are held and may be taken yet."""
    prints = state.prints
    return prints.held.offset[~prints.dropped]


def _read(rawzone: Rawzone, span: Span, keys: Sequence[ObjectKey], found: list[Found]) -> Iterator[_Part]:
    """Yield the rows of a span, each once, in order; enter every object into ``found``."""
    reached = span.first
    for key in keys:
        facts = (str(key), key.partition, key.first_offset, key.last_offset)
        try:
            raw = decode_object(rawzone.read(key), key)
        except BadObject as error:
            _log.error("object_unreadable", object=str(key), reason=error.reason, detail=error.detail)
            found.append(Found(*facts, np.empty(0, np.int64), error.reason))
            continue
        offset = raw.trades.offset
        found.append(Found(*facts, offset, None))
        first, end = np.searchsorted(offset, [reached, span.end])
        yield _Part(raw, raw.trades.take(slice(int(first), max(int(first), int(end)))))
        reached = max(reached, key.last_offset + 1)


def _batches(parts: Iterator[_Part], rows: int) -> Iterator[list[_Part]]:
    """Yield parts that have together about so many rows; at least one, so that held prints are looked at again."""
    held: list[_Part] = []
    for part in parts:
        held.append(part)
        if sum(len(one.trades) for one in held) >= rows:
            yield held
            held = []
    yield held or [_Part(None, no_trades())]


def _collect(made: Recomputed, result: Result, config: EngineConfig) -> None:
    for table, parts in tables(of_finality(result, final=True), made.span.partition, config.enter).items():
        made.rows[table] += parts


def _time(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)
