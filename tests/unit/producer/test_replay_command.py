import argparse
from datetime import UTC, datetime

import pytest

from tests.unit.producer.fakes import START_MS, some_trade
from volwatch.errors import BadInput
from volwatch.producer import replay_command
from volwatch.producer.recorded import Wanted
from volwatch.producer.replay_command import Asked, asked, summary, watched

NOW = datetime(2026, 11, 24, 15, 4, 5, tzinfo=UTC)
FIRST_MS = round(datetime(2026, 1, 5, 15, tzinfo=UTC).timestamp() * 1_000)
RANGE = ("--from", "2026-01-05T15:00Z", "--to", "2026-01-05T15:01Z")


def parsed(*options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    replay_command.add_arguments(parser)
    return parser.parse_args([*RANGE, *options])


def test_a_range_alone_is_replayed_whole_and_at_once_under_the_name_of_now() -> None:
    assert asked(parsed(), NOW) == Asked(Wanted(FIRST_MS, FIRST_MS + 60_000), "replay-20261124t150405", 0.0)


def test_symbols_source_speed_and_name_are_taken() -> None:
    options = ("--symbols", "AAPL, MSFT,", "--source", "finnhub", "--speed", "60", "--name", "opening")
    wanted = Wanted(FIRST_MS, FIRST_MS + 60_000, frozenset({"AAPL", "MSFT"}), "finnhub")
    assert asked(parsed(*options), NOW) == Asked(wanted, "replay-opening", 60.0)


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        (("--from", "noon", "--to", "2026-01-05"), ["--from", "--to"]),
        (("--from", "2026-01-05T15:00"), ["--from"]),
        (("--to", "2026-01-05T15:00Z"), ["--to"]),
        (("--name", "Monday Morning", "--speed", "fast", "--symbols", " ,"), ["--name", "--speed", "--symbols"]),
        (("--speed", "0"), ["--speed"]),
        (("--speed", "inf"), ["--speed"]),
        (("--speed", "nan"), ["--speed"]),
    ],
)
def test_all_that_is_wrong_is_told_at_once(options: tuple[str, ...], faults: list[str]) -> None:
    with pytest.raises(BadInput) as raised:
        asked(parsed(*options), NOW)
    assert [fault.partition(":")[0] for fault in raised.value.faults] == faults


def test_how_far_it_is_is_told_now_and_then() -> None:
    trades = [some_trade(seq, START_MS + seq) for seq in range(4_001)]
    heard: list[int] = []
    assert list(watched(trades, heard.append)) == trades
    assert heard == [START_MS, START_MS + 2_000, START_MS + 4_000]


def test_a_summary_says_what_came_of_it() -> None:
    assert summary("replay-x", 12, 3.21, stopped=False) == "12 records delivered as replay-x in 3.2 s"
    assert summary("replay-x", 12, 3.21, stopped=True) == "12 records delivered as replay-x stopped after 3.2 s"
    assert summary("replay-x", 0, 3.21, stopped=False) == "there is no trade of that range in the raw zone"
