"""Where a rebuild begins: at the nearest state that was kept before its range, else with the first trade there is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.alerts import alert_id, id_of
from volwatch.analytics.detector import KINDS
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Transition
from volwatch.analytics.rules.rule import KIND as RULE
from volwatch.analytics.state import VERSION, EngineState, restore
from volwatch.errors import BadObject
from volwatch.pipeline.rebuild_engine import Recomputed
from volwatch.pipeline.rebuild_hour import Tools, compute
from volwatch.pipeline.rebuild_plan import Hour, Listing, Span, listed
from volwatch.rawzone.decode import decode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.warehouse import rebuild_ledger, rebuild_states, writer
from volwatch.warehouse.rebuild_states import Snapshot
from volwatch.warehouse.writer import Position

_log = structlog.get_logger()

_REPAIRS_LOOKED_FOR = 20  # a partition; each costs a read


@dataclass(slots=True)
class Course:
    """A rebuild under way: the engine of each partition, where its range began and how far it has come.

    Attributes
    ----------
    first, reached : offsets, by partition.
    before : watermarks at ``first``, by partition and source.
    steps : of alerts, by partition; of those that were open at ``first`` since their opening.
    kept : offsets of which this rebuild has kept the state, by partition.
    live : the range has no end but what is loaded.
    """

    listing: Listing
    hours: list[Hour]
    engines: dict[int, Engine]
    first: dict[int, int]
    reached: dict[int, int]
    before: dict[int, dict[str, int]]
    steps: dict[int, list[Transition]]
    kept: dict[int, list[int]]
    live: bool

    def enter(self, partition: int, engine: Engine, first: int) -> None:
        """Add a partition, whose engine stands where its range begins."""
        self.engines[partition] = engine
        self.first[partition] = self.reached[partition] = first
        self.before[partition] = dict(engine.state.watermarks)
        self.steps[partition], self.kept[partition] = [], []

    def advance(self, made: Sequence[Recomputed]) -> None:
        """Note how far partitions have come."""
        for one in made:
            self.reached[one.span.partition] = one.span.end
            self.steps[one.span.partition] += one.steps


def begin(tools: Tools, first: datetime, end: datetime | None) -> Course:
    """Return a rebuild of the hours of arrival in [first, end), its engines at the beginning; end None: all loaded."""
    with tools.connection, tools.connection.cursor() as cursor:
        positions = writer.positions(cursor)
        spans = {span.partition: span for span in _range(tools, positions, first, end)}
        states = {p: rebuild_states.newest_state(cursor, p, span.first, VERSION) for p, span in spans.items()}
        _warn_of_repairs(tools, cursor, spans.values())
    hours = [first, *(state.hour for state in states.values() if state is not None)]
    since = None if None in states.values() else min(hours)
    wanted = [Span(p, _start(states[p], span), span.end) for p, span in spans.items()]
    listing = listed(tools.rawzone, since, wanted)
    live = all(span.end == positions[p].next_offset for p, span in spans.items())
    course = Course(listing, listing.hours(spans.values()), {}, {}, {}, {}, {}, {}, live)
    for span in spans.values():
        _warm_up(tools, course, span, states[span.partition])
    return course


def _range(tools: Tools, positions: dict[int, Position], first: datetime, end: datetime | None) -> list[Span]:
    """Return the offsets of each partition that came in within the hours of a range."""
    listing = listed(tools.rawzone, first, [])
    spans = []
    for partition, position in sorted(positions.items()):
        last = position.next_offset
        until = last if end is None else listing.first_offset(partition, end, last)
        spans.append(Span(partition, listing.first_offset(partition, first, last), until))
    return spans


def _warn_of_repairs(tools: Tools, cursor: Cursor, spans: Iterable[Span]) -> None:
    """Tell of objects before the range that could not be read when they were loaded, and now can."""
    for span in spans:
        for name in rebuild_ledger.unreadable_before(cursor, span.partition, span.first, _REPAIRS_LOOKED_FOR):
            key = ObjectKey.parse(name)
            if not any(info.key == key for info in tools.rawzone.list_objects(key.hour)):
                continue
            try:
                decode_object(tools.rawzone.read(key), key)
            except BadObject:
                continue
            _log.warning("rebuild_begins_behind_a_repair", object=name, begin_with=key.hour.isoformat())


def _start(state: Snapshot | None, span: Span) -> int:
    return span.first if state is None else state.next_offset


def _warm_up(tools: Tools, course: Course, span: Span, state: Snapshot | None) -> None:
    """Take an engine from a state that was kept to where the range begins."""
    partition = span.partition
    engine = Engine(tools.config, None if state is None else restore(state.state))
    start = course.listing.begin(partition, span.first) if state is None else state.next_offset
    _log.info(
        "rebuild_starts",
        partition=partition,
        state="none" if state is None else "kept",
        kept_at=None if state is None else state.hour.isoformat(),
        offset=start,
        range_offset=span.first,
    )
    warm = Span(partition, min(start, span.first), span.first)
    with tools.connection, tools.connection.cursor() as cursor:
        [made] = compute(tools, cursor, {partition: engine}, [warm], course.listing, rows_wanted=False)
    course.enter(partition, engine, span.first)
    course.steps[partition] = _of_open(made.steps, engine.state)


def _of_open(steps: Sequence[Transition], state: EngineState) -> list[Transition]:
    """Return the steps of the alerts that are open in a state."""
    still_open = {
        alert_id(*state.series[series], KINDS[shown.kind], shown.onset) for series, shown in state.shown.items()
    }
    for key, told in state.rules.told.items():
        name, _, version = key.rpartition(":")
        still_open |= {alert_id(*state.series[series], RULE, one.onset, name, version) for series, one in told.items()}
    return [step for step in steps if id_of(step) in still_open]
