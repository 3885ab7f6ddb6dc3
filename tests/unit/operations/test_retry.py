"""Sending quarantined trades again: what is planned, what is marked, and where it stops."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from tests.unit.operations.quarantined import MINUTE, MINUTE_MS, TRADE, print_of, set_aside
from tests.unit.warehouse.fakes import ScriptedCursor
from volwatch.operations import retry
from volwatch.operations.retry import Plan, plan
from volwatch.sending import Sent
from volwatch.trade import Trade


class FakeConnection:
    """Commits when a block ends well; ``committed`` tells what each transaction was asked."""

    def __init__(self, cursor: ScriptedCursor) -> None:
        self._cursor = cursor
        self.committed = 0

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, error: object, *_rest: object) -> None:
        self.committed += error is None

    def cursor(self) -> AbstractContextManager[ScriptedCursor]:
        return nullcontext(self._cursor)


class Broker:
    """Acknowledges all but some."""

    def __init__(self, *lost: int) -> None:
        self.lost = set(lost)
        self.taken: list[int] = []

    def publish(self, trades: Mapping[int, Trade]) -> Sent:
        arrived = [each for each in trades if each not in self.lost]
        self.taken += arrived
        return Sent(frozenset(arrived), None if len(arrived) == len(trades) else "timed out")


def send(cursor: ScriptedCursor, broker: Broker, *ids: int, force: bool = False) -> tuple[Sent, int]:
    connection = FakeConnection(cursor)
    sent = retry.send(
        cast("Connection", connection), dict.fromkeys(ids, TRADE), broker.publish, lambda: MINUTE, by="ada", force=force
    )
    return sent, connection.committed


def marked(cursor: ScriptedCursor) -> list[object]:
    return [parameters for statement, parameters in cursor.asked if statement.startswith("UPDATE")]


def test_what_would_be_rejected_again_is_refused_and_told() -> None:
    told: list[str] = []
    rows = [set_aside(quarantine_id=2), set_aside(print_of(price=0.0), quarantine_id=1, reason="BAD_PRICE")]
    price = "it would be BAD_PRICE: its price is not in [1e-8, 1e10)"
    planned = plan(rows, told.append, force=False)
    assert planned == Plan({2: print_of(received_at=MINUTE_MS + 150_000)}, {1: price})
    assert told[0] == f"1       refuse  finnhub AAPL BAD_PRICE: {price}"
    assert told[1].startswith("2       send    finnhub AAPL OUTLIER: helps once ")


def test_force_sends_all_but_what_is_no_record() -> None:
    rows = [set_aside(print_of(price=0.0), quarantine_id=1), set_aside(quarantine_id=2, record="{}")]
    planned = plan(rows, lambda _line: None, force=True)
    assert (list(planned.sent), list(planned.refused)) == ([1], [2])


def test_a_symbol_cannot_move_the_cursor() -> None:
    told: list[str] = []
    plan([set_aside(symbol="\x1b[2JA\u202e")], told.append, force=False)
    assert "finnhub \\x1b[2JA\\u202e OUTLIER" in told[0]


def test_what_is_acknowledged_is_marked_in_the_transaction_that_holds_it() -> None:
    cursor, broker = ScriptedCursor([(1, False), (2, False)]), Broker()
    assert send(cursor, broker, 1, 2) == (Sent(frozenset({1, 2}), None), 1)
    assert marked(cursor) == [(MINUTE, "ada", [1, 2])]


def test_what_another_has_sent_in_the_meantime_is_left_out_unless_forced() -> None:
    for force, taken in ((False, [2]), (True, [1, 2])):
        cursor, broker = ScriptedCursor([(1, True), (2, False)]), Broker()
        send(cursor, broker, 1, 2, force=force)
        assert broker.taken == taken
        assert marked(cursor) == [(MINUTE, "ada", taken)]


def test_the_first_failure_ends_it_and_only_what_arrived_is_marked() -> None:
    ids = range(1, 2 * retry.ROWS_PER_TRANSACTION + 1)
    cursor, broker = ScriptedCursor([(each, False) for each in ids]), Broker(3)
    sent, committed = send(cursor, broker, *ids)
    first = [each for each in ids[: retry.ROWS_PER_TRANSACTION] if each != 3]
    assert (sent, committed) == (Sent(frozenset(first), "timed out"), 1)
    assert marked(cursor) == [(MINUTE, "ada", first)]


def test_trades_are_held_a_part_at_a_time() -> None:
    ids = range(1, retry.ROWS_PER_TRANSACTION + 2)
    cursor = ScriptedCursor([(each, False) for each in ids], [(ids[-1], False)])
    sent, committed = send(cursor, Broker(), *ids)
    assert (sent, committed) == (Sent(frozenset(ids), None), 2)


def test_a_crash_before_the_mark_leaves_the_trade_unmarked() -> None:
    cursor = ScriptedCursor([(1, False)])
    connection = FakeConnection(cursor)

    def crash(_trades: Mapping[int, Trade]) -> Sent:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retry.send(cast("Connection", connection), {1: TRADE}, crash, lambda: MINUTE, by="ada", force=False)
    assert (connection.committed, marked(cursor)) == (0, [])
