"""The end of a rebuild: alerts, which span hours and partitions, and the running state of the engine, in one
transaction under the run lock."""

from collections.abc import Sequence
from datetime import UTC, datetime

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.alerts import id_of
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Result
from volwatch.analytics.standing import standings
from volwatch.analytics.state import VERSION, restore, save
from volwatch.analytics.trades import no_trades
from volwatch.errors import Misconfigured
from volwatch.pipeline.rebuild_engine import scopes, settle
from volwatch.pipeline.rebuild_hour import Tools, compute, rebuild_hour, wait_lock, write
from volwatch.pipeline.rebuild_plan import HOUR, Listing, Span, listed
from volwatch.pipeline.rebuild_report import Report, of_alerts
from volwatch.pipeline.rebuild_start import Course
from volwatch.pipeline.rows import of_finality, tables
from volwatch.warehouse import rebuild_alerts, rebuild_rows, rebuild_states, writer
from volwatch.warehouse.alert_writer import UNSETTLED, Told, lock, write_transitions
from volwatch.warehouse.market_reader import Since
from volwatch.warehouse.market_writer import write_market_alerts
from volwatch.warehouse.rebuild_alerts import ACTOR, Stretch
from volwatch.warehouse.staging import PRICES, SIGNALS, VOLATILITY, Copy, copy_of
from volwatch.warehouse.standing_writer import write_standings

CATCH_UP_ROUNDS = 10
_FIRST_DAY = datetime(1970, 1, 2, tzinfo=UTC)


def catch_up(tools: Tools, course: Course) -> Report:
    """Rebuild what the minute path has loaded since the range was set out, hour by hour."""
    report = Report()
    for _round in range(CATCH_UP_ROUNDS):
        with tools.connection, tools.connection.cursor() as cursor:
            spans, listing = _behind(tools, cursor, course)
        if sum(span.end - span.first for span in spans) <= tools.settings.rows_per_transaction:
            break
        for hour in listing.hours(spans):
            done, made = rebuild_hour(tools, course.engines, hour, listing)
            report = report.plus(done)
            course.advance(made)
    return report


def finish(tools: Tools, course: Course, done: Report) -> Report:
    """Settle alerts and, where the range reaches to what is loaded, the running states; return what that changed.

    Parameters
    ----------
    done : Report
        What the hours of the range have changed.
    """
    with tools.connection.cursor() as cursor:
        try:
            report = _finish(tools, cursor, course, done)
        except BaseException:
            tools.connection.rollback()
            raise
        tools.end_transaction()
    return report


def _finish(tools: Tools, cursor: Cursor, course: Course, done: Report) -> Report:
    wait_lock(tools, cursor)
    report = Report()
    if course.live:
        spans, listing = _behind(tools, cursor, course)
        made = compute(tools, cursor, course.engines, spans, listing)
        if made:
            report = write(tools, cursor, made)
        course.advance(made)
    lock(cursor)
    stretches = [_stretch(course, partition) for partition in sorted(course.engines)]
    report = report.plus(_settle(tools, cursor, course, stretches, bars_changed=done.plus(report).bars_changed))
    if course.live:
        for stretch in stretches:
            engine = course.engines[stretch.partition]
            if not _is_running(cursor, stretch.partition, engine):
                report = report.plus(_replace(tools, cursor, course, stretch, engine))
    if done.plus(report).changes:
        _forget(cursor, course)
    return report


def _behind(tools: Tools, cursor: Cursor, course: Course) -> tuple[list[Span], Listing]:
    """Return what is loaded and not rebuilt yet; a partition that is new begins with its first trade."""
    positions = writer.positions(cursor)
    since = min((position.hour for position in positions.values()), default=None)
    spans = [Span(p, course.reached.get(p, 0), position.next_offset) for p, position in sorted(positions.items())]
    behind = [span for span in spans if span.first < span.end]
    if not behind:
        return [], Listing({})
    for span in behind:
        if span.partition not in course.engines:
            course.enter(span.partition, Engine(tools.config), 0)
    return behind, listed(tools.rawzone, None if since is None else since.astimezone(UTC) - HOUR, behind)


def _stretch(course: Course, partition: int) -> Stretch:
    engine = course.engines[partition]
    return Stretch(
        partition,
        course.steps[partition],
        scopes(partition, course.before[partition], engine),
        dict(engine.state.watermarks),
        course.live,
    )


def _settle(
    tools: Tools, cursor: Cursor, course: Course, stretches: Sequence[Stretch], *, bars_changed: bool
) -> Report:
    """Make the alerts of symbols, then those of markets, what follows from final bars."""
    report = Report()
    onsets: dict[str, datetime] = {}
    settings = rebuild_alerts.Settings(tools.config.enter, tools.config.hash, tools.config.rules)
    for stretch in stretches:
        changes = rebuild_alerts.settle(cursor, stretch, settings)
        report = report.plus(of_alerts(changes))
        for source, onset in changes.onsets.items():
            onsets[source] = min(onset, onsets.get(source, onset))
    if not onsets and not bars_changed:
        return report
    since = Since(_first_bar(tools, course), onsets)
    return report.plus(Report(market_alerts=write_market_alerts(cursor, since, tools.config.hash, ACTOR)))


def _is_running(cursor: Cursor, partition: int, engine: Engine) -> bool:
    """Return whether the running state of a partition is what the rebuild has come to."""
    try:
        saved = writer.engine_state(cursor, partition, VERSION)
    except Misconfigured:
        return False
    if saved is None:
        return False
    running = restore(saved)
    settle(running)
    return save(running) == save(engine.state)


def _replace(tools: Tools, cursor: Cursor, course: Course, stretch: Stretch, engine: Engine) -> Report:
    """Let the minute path go on from where the rebuild has come to."""
    partition, config = stretch.partition, tools.config
    reached = course.reached[partition]
    preview = engine.process(no_trades())
    opened = [step for step in preview.transitions if step.state == "OPEN"]
    kept = [str(id_of(step)) for step in opened]
    retracted = rebuild_alerts.retract_provisional(cursor, stretch, kept, config.rules)
    rebuild_alerts.close_other_versions(cursor, stretch, config.rules)
    copies = _shown(preview, partition, config.enter)
    rebuild_rows.stage(cursor, copies)
    whole = scopes(partition, {}, engine)
    withdrawn = sum(rebuild_rows.withdraw_provisional(cursor, scope) for scope in whole)
    changed = {table: writer.write_rows(cursor, rows) for table, rows in copies.items()}
    told = Told(partition, reached, reached, preview.transitions)
    alerts = write_transitions(
        cursor,
        [told],
        "pipeline",
        bars_since=_first_bar(tools, course),
        threshold=config.enter,
        config_hash=config.hash,
    )
    write_standings(cursor, engine.state.series, standings(engine.state, config))
    newest = max(engine.state.watermarks.values(), default=0)
    watermark = datetime.fromtimestamp(newest / 1000, UTC)
    state = save(engine.state)
    writer.write_engine_state(
        cursor, partition, state, version=VERSION, config_hash=config.hash, watermark=watermark, is_rebuilt=True
    )
    return Report(
        states_replaced=1,
        bars_revised=changed[PRICES],
        bars_withdrawn=withdrawn,
        volatility=changed[VOLATILITY],
        signals=changed[SIGNALS],
        alerts_opened=alerts,
        alerts_retracted=retracted,
    )


def _shown(preview: Result, partition: int, threshold: float) -> dict[str, Copy]:
    """Return the rows of bars that may still change."""
    rows = tables(of_finality(preview, final=False), partition, threshold)
    return {table: copy_of(table, parts, is_new=False) for table, parts in rows.items()}


def _first_bar(tools: Tools, course: Course) -> datetime:
    """Return from when on bars may have changed."""
    begun = [scope.after for p, engine in course.engines.items() for scope in scopes(p, course.before[p], engine)]
    return max(min(begun, default=tools.clock()) - UNSETTLED, _FIRST_DAY)


def _forget(cursor: Cursor, course: Course) -> None:
    """Forget the states that follow from what was there before the rebuild."""
    for partition, first in course.first.items():
        rebuild_states.forget_states_after(cursor, partition, first, course.kept[partition])
