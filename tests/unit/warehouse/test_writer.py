"""What is read back before a run writes; the writing itself is tested on a real server."""

import hashlib
from datetime import UTC, datetime

import pandas as pd
import pytest

from tests.unit.warehouse.fakes import ScriptedCursor
from volwatch.errors import Misconfigured
from volwatch.warehouse import writer
from volwatch.warehouse.writer import Position

STATE = b"\x00state\xff"
CHECKSUM = hashlib.sha256(STATE).hexdigest()
HOUR = datetime(2026, 1, 5, 15, tzinfo=UTC)


def test_a_state_is_given_back_as_it_was_saved() -> None:
    asked = ScriptedCursor([("1", CHECKSUM, memoryview(STATE))])
    assert writer.engine_state(asked.cursor, 3, "1") == STATE
    assert asked.asked[0][1] == (3,)


def test_before_the_first_run_there_is_no_state() -> None:
    assert writer.engine_state(ScriptedCursor([]).cursor, 3, "1") is None


def test_a_state_of_another_version_is_refused() -> None:
    asked = ScriptedCursor([("0", CHECKSUM, memoryview(STATE))])
    with pytest.raises(Misconfigured, match="partition 3 is of version 0, this program's is 1"):
        writer.engine_state(asked.cursor, 3, "1")


def test_a_damaged_state_is_refused() -> None:
    asked = ScriptedCursor([("1", CHECKSUM, memoryview(STATE + b"!"))])
    with pytest.raises(Misconfigured, match="partition 3 is damaged"):
        writer.engine_state(asked.cursor, 3, "1")


def test_what_is_saved_goes_with_its_checksum() -> None:
    asked = ScriptedCursor()
    writer.write_engine_state(asked.cursor, 3, STATE, version="1", config_hash="abc", watermark=HOUR)
    assert asked.asked[0][1] == (3, HOUR, "1", "abc", CHECKSUM, STATE, 0)


@pytest.mark.parametrize("free", [True, False])
def test_the_lock_says_whether_this_run_may_write(free: bool) -> None:
    assert writer.try_lock(ScriptedCursor([(free,)]).cursor) is free


def test_positions_are_read_by_partition() -> None:
    asked = ScriptedCursor([(0, 10, HOUR, 0), (3, 20, HOUR, 2)])
    assert writer.positions(asked.cursor) == {0: Position(10, HOUR, 0), 3: Position(20, HOUR, 2)}


def test_the_watch_list_is_read_by_symbol() -> None:
    assert writer.watchlist(ScriptedCursor([("AAPL", "XNYS"), ("ETH", "24/7")]).cursor) == {
        "AAPL": "XNYS",
        "ETH": "24/7",
    }


def test_an_empty_frame_asks_the_server_for_nothing() -> None:
    asked = ScriptedCursor()
    assert (writer.write_frame(asked.cursor, "stock_prices", pd.DataFrame()), asked.asked) == (0, [])
