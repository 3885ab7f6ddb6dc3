"""Recorded messages: how their trades are numbered, and when a file is not one of them."""

from pathlib import Path

import pytest

from volwatch.errors import BadInput
from volwatch.research.messages import Intake, RejectRow
from volwatch.trade import Trade

NOW_MS = 1_767_623_402_000
BAD = b"no line\n"


def a_line(*prices: float | str) -> bytes:
    items = ",".join(f'{{"s":"A","p":{price},"t":{NOW_MS},"v":1}}' for price in prices)
    return f'{{"arrival_ms":{NOW_MS + 5},"message":{{"type":"trade","data":[{items}]}}}}\n'.encode()


def a_trade(price: float, seq: int) -> Trade:
    return Trade("finnhub", "A", NOW_MS, price, 1.0, (), None, NOW_MS + 5, seq)


def new_intake() -> Intake:
    return Intake(Path("in.jsonl"), 120, None)


def test_trades_are_numbered_on_from_lines_to_lines_without_rejects_and_resends() -> None:
    intake = new_intake()
    bad_price = f'{{"s":"A","p":NaN,"t":{NOW_MS},"v":1}}'.encode()
    trades, rejects = intake.take([a_line(1, 2), a_line(1, 2), a_line("NaN", 3), b"\n"])
    assert trades == [a_trade(1.0, 0), a_trade(2.0, 1), a_trade(3.0, 2)]
    assert rejects == [RejectRow(NOW_MS + 5, "BAD_PRICE", bad_price)]
    assert intake.take([a_line(4), a_line(1, 2)]) == ([a_trade(4.0, 3)], [])
    assert (intake.trades, intake.messages) == (4, {"trade": 5})
    assert (intake.duplicates.memory.messages, intake.duplicates.memory.trades) == (2, 4)
    intake.end()


def test_a_good_file_may_have_any_number_of_bad_lines() -> None:
    trades, rejects = new_intake().take([BAD] * 99 + [a_line(1)] + [BAD] * 300)
    assert (len(trades), rejects) == (1, [RejectRow(None, "MALFORMED", b"no line")] * 399)


def test_a_file_that_begins_with_a_hundred_bad_lines_or_ends_without_a_good_one_is_of_another_kind() -> None:
    with pytest.raises(BadInput, match=r"in\.jsonl line 2: Expecting value"):
        new_intake().take([b"\n"] + [BAD] * 100 + [a_line(1)])
    intake = new_intake()
    intake.take([b"\n"])
    intake.take([BAD, b"{}\n"])
    with pytest.raises(BadInput, match=r"in\.jsonl line 2: Expecting value"):
        intake.end()
