"""The minute path: everything in the raw zone that is not loaded yet becomes bars, volatility and alerts.

A transaction takes a bounded number of rows of each partition: rows, alerts, ledger, positions and engine state become
visible together. A run that is killed leaves nothing behind; one that finds another at work leaves at once.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial

import structlog
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the same

from volwatch.analytics.bars import marks
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Result
from volwatch.analytics.standing import standings
from volwatch.analytics.state import VERSION, restore, save
from volwatch.analytics.trades import Trades, concatenate
from volwatch.configuration import engine_config
from volwatch.pipeline.ahead import in_order
from volwatch.pipeline.listing import Plan, missing_offsets, share, unloaded
from volwatch.pipeline.loads import Load, ledger, read
from volwatch.pipeline.quarantine import quarantined
from volwatch.pipeline.rows import copies
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import Rawzone
from volwatch.settings import PipelineSettings
from volwatch.warehouse import writer
from volwatch.warehouse.alert_writer import Told, changed_since, write_transitions
from volwatch.warehouse.rebuild_states import keep_states
from volwatch.warehouse.staging import PRICES, VOLATILITY, Copy
from volwatch.warehouse.standing_writer import write_standings
from volwatch.warehouse.writer import Position, Run

WORKERS = 2
"""Partitions that are read and computed at a time: numpy and Arrow leave each other the cores of a small machine."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did. ``busy``: another one was at work; ``left``: objects that its time did not reach."""

    busy: bool = False
    objects: int = 0
    rows_loaded: int = 0
    rows_rejected: int = 0
    bars: int = 0
    volatility: int = 0
    alerts: int = 0
    left: int = 0
    newest_event_ms: int = 0

    def as_row(self) -> Run:
        """Return the row of pipeline_runs."""
        newest = _time(self.newest_event_ms) if self.newest_event_ms else None
        return Run(self.objects, self.rows_loaded, self.rows_rejected, self.bars, self.volatility, self.alerts, newest)

    def plus(self, other: "Report") -> "Report":
        """Return both added up."""
        return Report(
            busy=self.busy or other.busy,
            objects=self.objects + other.objects,
            rows_loaded=self.rows_loaded + other.rows_loaded,
            rows_rejected=self.rows_rejected + other.rows_rejected,
            bars=self.bars + other.bars,
            volatility=self.volatility + other.volatility,
            alerts=self.alerts + other.alerts,
            left=other.left,
            newest_event_ms=max(self.newest_event_ms, other.newest_event_ms),
        )


def run(connection: Connection, rawzone: Rawzone, settings: PipelineSettings, clock: Callable[[], datetime]) -> Report:
    """Load and compute all that is not loaded yet, in as many transactions as it takes and the time budget allows.

    Raises
    ------
    Transient
        A server did not answer; what was committed stays, the rest is for the next run.
    Misconfigured
        The saved engine state is not this program's.
    """
    started = clock()
    report = Report()
    while True:
        with connection, connection.cursor() as cursor:
            step = _transaction(cursor, rawzone, settings, started)
        report = report.plus(step)
        if step.busy or not step.left or (clock() - started).total_seconds() > settings.time_budget_seconds:
            break
    _log.info("pipeline_run", seconds=round((clock() - started).total_seconds(), 3), **asdict(report))
    return report


def _transaction(cursor: Cursor, rawzone: Rawzone, settings: PipelineSettings, started: datetime) -> Report:
    if not writer.try_lock(cursor):
        return Report(busy=True)
    positions = writer.positions(cursor)
    config = engine_config(settings, writer.watchlist(cursor))
    plan = unloaded(rawzone, positions)
    chosen = share(plan.objects, settings.rows_per_transaction)
    bars_since = changed_since(cursor, sorted(chosen))
    report, told = _load(cursor, rawzone, chosen, positions, config)
    keep_states(cursor)
    _log_gaps(plan)
    # Last, for until the end nobody else may write alerts; and the fast path must not wait.
    alerts = write_transitions(
        cursor, told, "pipeline", bars_since=bars_since, threshold=config.enter, config_hash=config.hash
    )
    report = replace(report, alerts=alerts)
    writer.write_run(cursor, started, report.as_row())
    return replace(report, left=sum(map(len, plan.objects.values())) - report.objects)


def _log_gaps(plan: Plan) -> None:
    for partition, missing in plan.gaps.items():
        _log.warning("raw_offsets_missing", partition=partition, offsets=missing)


def _load(
    cursor: Cursor,
    rawzone: Rawzone,
    chosen: Mapping[int, Sequence[ObjectKey]],
    positions: Mapping[int, Position],
    config: EngineConfig,
) -> tuple[Report, list[Told]]:
    """Load objects of some partitions, in order: while one partition is written, others are read and computed.

    What that says of alerts is returned, not written yet.
    """
    before = {
        partition: positions.get(partition, Position(keys[0].first_offset, keys[0].hour, 0))
        for partition, keys in chosen.items()
    }
    # The states are read here, a little ahead: the cursor is this thread's alone.
    work = (
        _Work(keys, before[partition].next_offset, writer.engine_state(cursor, partition, VERSION))
        for partition, keys in chosen.items()
    )
    report, told = Report(), []
    with closing(in_order(WORKERS, partial(_make, rawzone, config), work)) as parts:
        for made in parts:
            report = report.plus(_write(cursor, rawzone, made, before[made.partition], config))
            told.append(_told(made, before[made.partition], config))
    return report, told


@dataclass(frozen=True, slots=True)
class _Work:
    """A partition's objects, the first offset that is not loaded yet, and the saved state of its engine, if any."""

    keys: Sequence[ObjectKey]
    start: int
    state: bytes | None


@dataclass(frozen=True, slots=True)
class _Made:
    """What an engine made of a partition's objects; ``copies`` are the rows of bars, volatility and signals."""

    partition: int
    loads: Sequence[Load]
    trades: Trades
    engine: Engine
    result: Result
    copies: Sequence[Copy]
    state: bytes


def _make(rawzone: Rawzone, config: EngineConfig, work: _Work) -> _Made:
    engine = Engine(config, restore(work.state) if work.state is not None else None)
    partition = work.keys[0].partition
    loads = read(rawzone, work.keys, work.start)
    trades = concatenate([load.trades for load in loads])
    result = engine.process(trades)
    rows = copies(result, partition, work.start, config.enter)
    return _Made(partition, loads, trades, engine, result, rows, save(engine.state))


def _told(made: _Made, position: Position, config: EngineConfig) -> Told:
    reached = max(position.next_offset, *(load.key.last_offset + 1 for load in made.loads))
    watermarks = made.engine.state.watermarks
    return Told(
        made.partition,
        position.next_offset,
        reached,
        made.result.transitions,
        {source: config.final_before(watermark) for source, watermark in watermarks.items()},
    )


def _write(cursor: Cursor, rawzone: Rawzone, made: _Made, position: Position, config: EngineConfig) -> Report:
    partition, state = made.partition, made.engine.state
    written = _write_result(cursor, rawzone, made)
    writer.write_position(cursor, partition, _moved(position, [load.key for load in made.loads]))
    write_standings(cursor, state.series, standings(state, config))
    newest = max(state.watermarks.values(), default=0)
    writer.write_engine_state(
        cursor, partition, made.state, version=VERSION, config_hash=config.hash, watermark=_time(newest)
    )
    # A mark says that records come through, not that the market moves: it makes no data fresh.
    newest_event = int(made.trades.event_time[~marks(made.trades)].max(initial=0))
    return replace(written, objects=len(made.loads), rows_loaded=len(made.trades), newest_event_ms=newest_event)


def _moved(position: Position, keys: Sequence[ObjectKey]) -> Position:
    """Return the position behind some objects."""
    reached = max(position.next_offset, *(key.last_offset + 1 for key in keys))
    missing = missing_offsets(keys, position.next_offset)
    return Position(reached, max(key.hour for key in keys), position.gaps + missing)


def _write_result(cursor: Cursor, rawzone: Rawzone, made: _Made) -> Report:
    partition, result = made.partition, made.result
    read = [load.raw for load in made.loads if load.raw is not None]
    rejected = quarantined(cursor, rawzone, partition, read, result.rejected)
    writer.write_quarantine(cursor, rejected)
    writer.write_objects(cursor, ledger(made.loads, result.rejected.trades.offset))
    _log_conditions(partition, result)
    changed: Counter[str] = Counter()
    for copy in made.copies:
        changed[copy.table] += writer.write_rows(cursor, copy)
    return Report(rows_rejected=len(rejected), bars=changed[PRICES], volatility=changed[VOLATILITY])


def _log_conditions(partition: int, result: Result) -> None:
    if result.unknown_conditions:
        _log.warning("conditions_unknown", partition=partition, trades=dict(result.unknown_conditions))
    if len(result.unpriced):
        volume = float(result.unpriced.volume.sum())
        _log.info("volume_without_price", partition=partition, minutes=len(result.unpriced), volume=volume)


def _time(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)
