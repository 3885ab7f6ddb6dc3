"""The rebuild: bars, volatility, signals and alerts of a range of hours computed from the raw zone again, and the
tables corrected where they say otherwise. What is right is not touched, so a second rebuild of a range changes nothing.

The engine's state depends on all trades before, so hours are computed one after another (``run``); or first without
writing, keeping the state at each hour's beginning (``plan``), after which hours are written in any order, side by side
(``piece``), and at last what spans hours (``finish_pieces``).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Transition
from volwatch.analytics.state import VERSION, restore, save
from volwatch.errors import BadInput
from volwatch.pipeline.rebuild_finish import catch_up, finish
from volwatch.pipeline.rebuild_hour import Tools, compute, rebuild_hour
from volwatch.pipeline.rebuild_plan import HOUR, Hour, Listing, Span, listed
from volwatch.pipeline.rebuild_report import Report
from volwatch.pipeline.rebuild_start import Course, begin
from volwatch.warehouse import rebuild_states
from volwatch.warehouse.rebuild_states import Snapshot

_log = structlog.get_logger()

EVERY_HOUR_FOR = timedelta(days=2)
"""How far back from the end of a range the state of every hour is kept; before that, of the first of each day."""

Told = Callable[[int, int], None]
"""Is told how many hours are done, and of how many."""


class PlannedPartition(msgspec.Struct, frozen=True):
    """What the end of a rebuild in pieces must know of a partition."""

    partition: int
    first: int
    end: int
    borders: list[int]
    steps: list[Transition]


class Planned(msgspec.Struct, frozen=True):
    """What the end of a rebuild in pieces must know."""

    partitions: list[PlannedPartition]
    live: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """Hours of a rebuild, mostly one, to be done by whoever takes them."""

    hours: tuple[Hour, ...]

    def as_told(self) -> dict[str, object]:
        """Return the piece as one task tells it another."""
        spans = [[[one.partition, one.first, one.end] for one in hour.spans] for hour in self.hours]
        return {"hours": [hour.hour.isoformat() for hour in self.hours], "spans": spans}

    @classmethod
    def from_told(cls, told: Mapping[str, Any]) -> "Piece":
        """Return the piece that ``as_told`` gave."""
        return cls(
            tuple(
                Hour(datetime.fromisoformat(hour), tuple(Span(*span) for span in spans))
                for hour, spans in zip(told["hours"], told["spans"], strict=True)
            )
        )


def run(tools: Tools, first: datetime, end: datetime | None, tell: Told) -> Report:
    """Rebuild the hours of arrival in [first, end), one after another; ``end`` None: to what is loaded.

    Raises
    ------
    BadInput
        The raw zone has lost what was loaded once, and that is not allowed. Hours before it are done.
    Transient
        A server did not answer, or another run did not let go. The same rebuild, started again, does the rest.
    """
    course = begin(tools, first, end)
    report = Report()
    for done, hour in enumerate(course.hours):
        tell(done, len(course.hours))
        told, made = rebuild_hour(tools, course.engines, hour, course.listing)
        course.advance(made)
        _keep(tools, course, hour)
        report = report.plus(told)
        _log.info("rebuild_hour", hour=hour.hour.isoformat(), **told.changes)
    tell(len(course.hours), len(course.hours))
    if course.live:
        report = report.plus(catch_up(tools, course))
    report = report.plus(finish(tools, course, report))
    _log.info("rebuild_run", dry_run=tools.dry_run, live=course.live, **asdict(report))
    return report


def plan(tools: Tools, first: datetime, end: datetime | None, most_pieces: int) -> tuple[int, list[Piece]]:
    """Go through the hours of arrival in [first, end) without writing rows; return the plan's number and its pieces."""
    course = begin(tools, first, end)
    pieces = _pieces(course.hours, most_pieces)
    for one in pieces:
        _go_through(tools, course, one)
    last = course.hours[-1].hour if course.hours else first
    with tools.connection, tools.connection.cursor() as cursor:
        for partition, reached in course.reached.items():
            if course.first[partition] == reached:  # nothing came in: its first state is its last
                _keep_state(tools, cursor, course, partition, reached, first - HOUR)
            else:
                _keep_state(tools, cursor, course, partition, reached, last)
        number = rebuild_states.write_plan(cursor, msgspec.msgpack.encode(_planned(course)))
    _log.info("rebuild_planned", rebuild=number, hours=len(course.hours), pieces=len(pieces), live=course.live)
    return number, pieces


def _pieces(hours: Sequence[Hour], most: int) -> list[Piece]:
    size = max(1, math.ceil(len(hours) / most))
    return [Piece(tuple(hours[start : start + size])) for start in range(0, len(hours), size)]


def _go_through(tools: Tools, course: Course, one: Piece) -> None:
    """Take the engines through a piece, and keep the states with which it begins."""
    begun: set[int] = set()
    for hour in one.hours:
        with tools.connection, tools.connection.cursor() as cursor:
            for span in hour.spans:
                if span.partition not in begun:
                    _keep_state(tools, cursor, course, span.partition, span.first, hour.hour - HOUR)
                    begun.add(span.partition)
            course.advance(compute(tools, cursor, course.engines, hour.spans, course.listing, rows_wanted=False))


def piece(tools: Tools, one: Piece) -> Report:
    """Do one piece of a plan; again, it changes nothing."""
    engines: dict[int, Engine] = {}
    report = Report()
    for hour in one.hours:
        with tools.connection, tools.connection.cursor() as cursor:
            for span in hour.spans:
                if span.partition not in engines:
                    engines[span.partition] = _kept_engine(tools, cursor, span.partition, span.first)
        told, _made = rebuild_hour(tools, engines, hour, listed(tools.rawzone, hour.hour, hour.spans))
        _log.info("rebuild_hour", hour=hour.hour.isoformat(), **told.changes)
        report = report.plus(told)
    return report


def finish_pieces(tools: Tools, number: int, done: Report) -> Report:
    """Do what is left when all pieces of a plan are done.

    Parameters
    ----------
    done : Report
        What the pieces have changed, added up.
    """
    with tools.connection, tools.connection.cursor() as cursor:
        stored = rebuild_states.read_plan(cursor, number)
        if stored is None:
            raise BadInput([f"there is no rebuild {number}"])
        course = _course(tools, cursor, msgspec.msgpack.decode(stored, type=Planned))
    report = done
    if course.live:
        report = report.plus(catch_up(tools, course))
    report = report.plus(finish(tools, course, report))
    with tools.connection, tools.connection.cursor() as cursor:
        rebuild_states.finish_plan(cursor, number)
    _log.info("rebuild_run", rebuild=number, live=course.live, **asdict(report))
    return report


def _planned(course: Course) -> Planned:
    return Planned(
        [
            PlannedPartition(
                partition, first, course.reached[partition], course.kept[partition], course.steps[partition]
            )
            for partition, first in course.first.items()
        ],
        course.live,
    )


def _course(tools: Tools, cursor: Cursor, planned: Planned) -> Course:
    """Return the rebuild as it stands behind its last piece."""
    course = Course(Listing({}), [], {}, {}, {}, {}, {}, {}, planned.live)
    for one in planned.partitions:
        course.enter(one.partition, _kept_engine(tools, cursor, one.partition, one.first), one.first)
        course.engines[one.partition] = _kept_engine(tools, cursor, one.partition, one.end)
        course.reached[one.partition] = one.end
        course.steps[one.partition] = list(one.steps)
        course.kept[one.partition] = list(one.borders)
    return course


def _kept_engine(tools: Tools, cursor: Cursor, partition: int, offset: int) -> Engine:
    state = rebuild_states.state_at(cursor, partition, offset, VERSION)
    if state is None:
        raise BadInput([f"the state of partition {partition} at offset {offset} is not kept any more: plan again"])
    return Engine(tools.config, restore(state))


def _keep(tools: Tools, course: Course, hour: Hour) -> None:
    """Keep the states at the end of an hour, if it is one of the last, or the first of its day."""
    first_of_day = min(one.hour for one in course.hours if one.hour.date() == hour.hour.date())
    if tools.dry_run or (hour.hour != first_of_day and hour.hour < course.hours[-1].hour - EVERY_HOUR_FOR):
        return
    with tools.connection, tools.connection.cursor() as cursor:
        for span in hour.spans:
            _keep_state(tools, cursor, course, span.partition, span.end, hour.hour)


def _keep_state(tools: Tools, cursor: Cursor, course: Course, partition: int, offset: int, hour: datetime) -> None:
    snapshot = Snapshot(offset, hour, save(course.engines[partition].state))
    rebuild_states.keep_state(cursor, partition, snapshot, VERSION, tools.config.hash)
    course.kept[partition].append(offset)
