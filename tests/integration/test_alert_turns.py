"""Every turn of an alert is in the audit, also where an alert that was retracted stands again."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from tests.integration.acting import Insert, as_pipeline
from tests.integration.test_pipeline import FIRST_DAY, INSERT_BAR, opening
from tests.integration.worlds import MINUTE_MS, START_MS, MakeWorld, World, end_mark, print_of, simulated
from volwatch.analytics.results import Transition
from volwatch.warehouse.alert_writer import Told, write_transitions
from volwatch.warehouse.connection import connect

TURNS = "('OPEN', 'ESCALATED', 'CLOSED', 'RETRACTED', 'SUPPRESSED')"
# Alerts whose audit ends in another state than they have.
UNTOLD = f"""
SELECT alert_id, state FROM stock_alerts AS alert
WHERE state IS DISTINCT FROM (SELECT event FROM alert_events AS told WHERE told.alert_id = alert.alert_id
                              AND event IN {TURNS} ORDER BY event_id DESC LIMIT 1)"""
Write = Callable[..., None]


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


@contextmanager
def writing(world: World) -> Iterator[Cursor]:
    """Lend a cursor in a transaction of the pipeline."""
    with (
        closing(connect(world.warehouse, application_name="test")) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        yield cursor


@pytest.fixture
def write(world: World) -> Write:
    """Write steps as a run does, in a transaction of their own, twice."""
    with writing(world) as cursor:
        cursor.execute("SELECT ensure_partitions(to_timestamp(%s), to_timestamp(%s))", [START_MS / 1000] * 2)
        cursor.execute(INSERT_BAR, (START_MS / 1000,))

    def write(*steps: Transition) -> None:
        for _again in range(2):
            with writing(world) as cursor:
                told = [Told(0, 0, 1, steps)]
                write_transitions(cursor, told, "pipeline", bars_since=FIRST_DAY, threshold=3.7, config_hash="h")

    return write


def turns(world: World, kind: str = "VOLATILITY") -> list[tuple[object, ...]]:
    return world.select(
        f"""SELECT event, bar_start IS NULL, actor FROM alert_events JOIN stock_alerts USING (alert_id)
            WHERE kind = %s AND event IN {TURNS} ORDER BY event_id""",
        kind,
    )


def test_an_alert_that_is_retracted_and_stands_again_is_told_each_time(world: World, write: Write) -> None:
    for state in ("OPEN", "RETRACTED", "OPEN", "RETRACTED", "OPEN", "CLOSED"):
        write(opening(0, 30, state))
    assert turns(world) == [
        ("OPEN", False, "pipeline"),
        ("RETRACTED", False, "pipeline"),
        ("OPEN", True, "pipeline"),
        ("RETRACTED", True, "pipeline"),
        ("OPEN", True, "pipeline"),
        ("CLOSED", False, "pipeline"),
    ]
    assert world.select(UNTOLD) == []


def test_an_alert_of_the_market_that_comes_again_is_told_again(world: World, write: Write) -> None:
    write(opening(0, 30), opening(1, 30), opening(2, 31), opening(3, 32))
    write(opening(1, 30, "RETRACTED"))
    write(opening(1, 30))
    assert [event for event, *_ in turns(world, "MARKET")] == ["OPEN", "RETRACTED", "OPEN"]
    assert world.select(UNTOLD) == []


def test_what_a_hand_turns_is_told_when_its_transaction_ends(world: World, insert: Insert) -> None:
    insert(state="OPEN")
    as_pipeline(world, "UPDATE stock_alerts SET state = 'ESCALATED'")
    as_pipeline(world, "UPDATE stock_alerts SET state = 'ESCALATED', statistic = 5")
    as_pipeline(world, "UPDATE stock_alerts SET state = 'CLOSED'; UPDATE stock_alerts SET state = 'RETRACTED'")
    assert turns(world) == [("ESCALATED", True, "pipeline"), ("RETRACTED", True, "pipeline")]


def test_the_audit_of_a_day_ends_in_the_state_of_every_alert(world: World) -> None:
    """A burst that opens, escalates and closes, and an alert that a tardy print takes back, in many runs."""
    calm = simulated(minutes=90, symbols=3, spike_minute=70)
    end_ms = START_MS + 90 * MINUTE_MS
    last = max((trade for trade in calm if trade.symbol == calm[0].symbol), key=lambda trade: trade.event_time)
    moved = print_of(last, price=last.price * 1.05, received_at=end_ms + 1_000)
    jump = [print_of(moved, event_time=end_ms + at) for at in (900, 925, 950)]
    tardy = [print_of(moved, event_time=end_ms - 1_000 + at, received_at=end_ms + 20_000) for at in (0, 10)]
    mark = end_mark(moved, after_ms=125_000)
    offset = 0
    pieces = [calm[first : first + 200] for first in range(0, len(calm), 200)]
    for piece in [*pieces, jump, tardy, [mark], [end_mark(mark)]]:
        world.put(0, offset, piece)
        offset += len(piece)
        world.run()
        assert world.select(UNTOLD) == []
    states = dict(world.select("SELECT state, count(*) FROM stock_alerts GROUP BY state"))
    assert {"CLOSED", "RETRACTED"} <= set(states), states
    first = "SELECT (array_agg(event ORDER BY event_id))[1] FROM alert_events GROUP BY alert_id"
    assert set(world.select(first)) == {("OPEN",)}
