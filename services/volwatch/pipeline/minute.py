"""The minute path: everything in the raw zone that is not loaded yet becomes bars, volatility and alerts.

A transaction takes a bounded number of rows of each partition: rows, alerts, ledger, positions and engine state become
visible together. A run that is killed leaves nothing behind; one that finds another at work leaves at once.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import structlog
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the same

from volwatch.analytics.bars import marks
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Result
from volwatch.analytics.standing import standings
from volwatch.analytics.state import VERSION, restore, save
from volwatch.analytics.trades import Int64, Trades, concatenate, no_trades
from volwatch.errors import BadObject
from volwatch.pipeline.configuration import engine_config
from volwatch.pipeline.listing import Plan, missing_offsets, take, unloaded
from volwatch.pipeline.quarantine import quarantined
from volwatch.rawzone.decode import RawRows, decode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import Rawzone
from volwatch.settings import PipelineSettings
from volwatch.warehouse import writer
from volwatch.warehouse.alert_writer import write_transitions
from volwatch.warehouse.frames import bars_frame, signals_frame, volatility_frame
from volwatch.warehouse.standing_writer import write_standings
from volwatch.warehouse.writer import LoadedObject, Position, Run

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
    report, left = Report(), 0
    for partition, objects in sorted(plan.objects.items()):
        chosen = take(objects, settings.rows_per_transaction // len(plan.objects))
        left += len(objects) - len(chosen)
        report = report.plus(_load_partition(cursor, rawzone, partition, chosen, positions.get(partition), config))
    _log_gaps(plan)
    writer.write_run(cursor, started, report.as_row())
    return replace(report, left=left)


def _log_gaps(plan: Plan) -> None:
    for partition, missing in plan.gaps.items():
        _log.warning("raw_offsets_missing", partition=partition, offsets=missing)


def _load_partition(
    cursor: Cursor,
    rawzone: Rawzone,
    partition: int,
    objects: list[ObjectKey],
    position: Position | None,
    config: EngineConfig,
) -> Report:
    start = position.next_offset if position is not None else objects[0].first_offset
    loads = _read(rawzone, objects, start)
    saved = writer.engine_state(cursor, partition, VERSION)
    engine = Engine(config, restore(saved) if saved is not None else None)
    trades = concatenate([load.trades for load in loads])
    result = engine.process(trades)
    written = _write_result(cursor, rawzone, partition, loads, result, config)
    reached = max(start, *(key.last_offset + 1 for key in objects))
    gaps = (position.gaps if position is not None else 0) + missing_offsets(objects, start)
    writer.write_position(cursor, partition, Position(reached, max(key.hour for key in objects), gaps))
    write_standings(cursor, engine.state.series, standings(engine.state, config))
    state = save(engine.state)
    newest = max(engine.state.watermarks.values(), default=0)
    writer.write_engine_state(
        cursor, partition, state, version=VERSION, config_hash=config.hash, watermark=_time(newest)
    )
    # A mark says that records come through, not that the market moves: it makes no data fresh.
    newest_event = int(trades.event_time[~marks(trades)].max(initial=0))
    return replace(written, objects=len(objects), rows_loaded=len(trades), newest_event_ms=newest_event)


@dataclass(frozen=True, slots=True)
class _Load:
    """An object and those of its rows that are not loaded yet; ``fault`` is why it could not be read."""

    key: ObjectKey
    rows_read: int
    raw: RawRows | None
    trades: Trades
    skipped: int
    fault: str | None = None


def _read(rawzone: Rawzone, objects: list[ObjectKey], start: int) -> list[_Load]:
    """Read objects in order; rows before the position, and rows that an object before had, are left out."""
    loads: list[_Load] = []
    reached = start
    for key in objects:
        try:
            raw = decode_object(rawzone.read(key), key)
        except BadObject as error:
            _log.error("object_unreadable", object=str(key), reason=error.reason, detail=error.detail)
            loads.append(_Load(key, 0, None, no_trades(), 0, fault=error.reason))
            continue
        skipped = int(np.searchsorted(raw.trades.offset, reached))
        loads.append(_Load(key, len(raw.trades), raw, raw.trades.take(slice(skipped, None)), skipped))
        reached = max(reached, key.last_offset + 1)
    return loads


def _write_result(
    cursor: Cursor, rawzone: Rawzone, partition: int, loads: list[_Load], result: Result, config: EngineConfig
) -> Report:
    read = [load.raw for load in loads if load.raw is not None]
    rejected = quarantined(cursor, rawzone, partition, read, result.rejected)
    writer.write_quarantine(cursor, rejected)
    _write_loads(cursor, partition, loads, result.rejected.trades.offset)
    _log_conditions(partition, result)
    bars = pd.concat([bars_frame(result, part, partition) for part in result.bars])
    volatility = pd.concat([volatility_frame(result, part) for part in result.volatility])
    writer.write_frame(cursor, "stock_signals", signals_frame(result, result.signals, config.enter))
    return Report(
        rows_rejected=len(rejected),
        bars=writer.write_frame(cursor, "stock_prices", bars),
        volatility=writer.write_frame(cursor, "stock_volatility", volatility),
        alerts=write_transitions(
            cursor, result.transitions, partition=partition, threshold=config.enter, config_hash=config.hash
        ),
    )


def _log_conditions(partition: int, result: Result) -> None:
    if result.unknown_conditions:
        _log.warning("conditions_unknown", partition=partition, trades=dict(result.unknown_conditions))
    if len(result.unpriced):
        volume = float(result.unpriced.volume.sum())
        _log.info("volume_without_price", partition=partition, minutes=len(result.unpriced), volume=volume)


def _write_loads(cursor: Cursor, partition: int, loads: list[_Load], offset: Int64) -> None:
    """Enter the objects into the ledger, with how many of the rejected trades of some offsets each answers for."""
    counts = np.bincount(_owners(loads, offset), minlength=len(loads))
    writer.write_objects(
        cursor,
        [
            LoadedObject(
                str(load.key),
                partition,
                load.key.first_offset,
                load.key.last_offset,
                load.rows_read,
                len(load.trades),
                int(count),
                load.fault,
            )
            for load, count in zip(loads, counts, strict=True)
        ],
    )


def _owners(loads: list[_Load], offset: Int64) -> npt.NDArray[np.intp]:
    """Return the load that counts each rejected trade: the one that it came with, if that is one of these.

    A print that was held since an earlier run is counted with the first load that has rows, for the ledger is never
    rewritten: so the rejected rows of all objects together are the rows of quarantine.
    """
    ends = np.cumsum([len(load.trades) for load in loads])
    loaded = np.concatenate([load.trades.offset for load in loads])
    if not len(loaded):
        return np.empty(0, np.intp)
    row = np.searchsorted(loaded, offset)
    row[row == len(loaded)] = 0
    return np.searchsorted(ends, np.where(loaded[row] == offset, row, 0), side="right")


def _time(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)
