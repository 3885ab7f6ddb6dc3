import argparse
from pathlib import Path

import pytest
from pydantic import SecretStr

from volwatch.market.scenarios import SCENARIOS
from volwatch.producer import arguments
from volwatch.settings import FinnhubSettings, ProducerSettings, load_one


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    arguments.declare(made)
    return made


def faults(parser: argparse.ArgumentParser, *words: str) -> list[str]:
    args = parser.parse_args(words)
    return arguments.faults(args, load_one(ProducerSettings, **arguments.settings_options(args)))


def test_every_setting_is_an_option_that_goes_before_the_environment(
    parser: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOLWATCH_PRODUCER_RATE", "7")
    monkeypatch.setenv("VOLWATCH_PRODUCER_SEED", "8")
    words = [
        "--source",
        "simulator",
        "--symbols",
        "3",
        "--rate",
        "1.5",
        "--scenario",
        "burst",
        "--history-minutes",
        "2",
    ]
    options = arguments.settings_options(parser.parse_args(words))
    assert load_one(ProducerSettings, **options) == ProducerSettings(
        source="simulator", symbols=3, rate=1.5, seed=8, scenario="burst", history_minutes=2
    )


def test_the_help_teaches_every_scenario_with_examples(parser: argparse.ArgumentParser) -> None:
    text = parser.format_help()
    assert [name for name, scenario in SCENARIOS.items() if f"{name:<12}{scenario.summary}" not in text] == []
    assert text.count("volwatch producer") >= 5


def test_every_fault_of_a_simulation_is_named(parser: argparse.ArgumentParser) -> None:
    found = faults(parser, "--scenario", "storm", "--garbage", "2", "--history-days", "-1")
    assert [fault.split(":")[0] for fault in found] == ["--garbage", "--history-days", "--scenario"]


def test_every_fault_of_a_replay_is_named(parser: argparse.ArgumentParser) -> None:
    assert faults(parser, "--source", "replay", "--speed", "-1") == [
        "--name: lower-case letters, digits, '.', '_', '-'",
        "--source replay needs either --ohlc or --raw-from",
        "--speed: 0 or more",
    ]
    words = ("--name", "a", "--ohlc", "no/such.csv", "--raw-from", "2026-11-22T10", "--raw-to", "2026-11-22T09")
    assert faults(parser, "--source", "replay", *words) == [
        "--source replay needs either --ohlc or --raw-from",
        "--symbol: whose bars they are",
        "--ohlc: no/such.csv is no file",
        "--raw-to: before --raw-from",
    ]


def test_good_options_have_no_fault(parser: argparse.ArgumentParser, tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.touch()
    assert faults(parser) == []
    assert faults(parser, "--source", "replay", "--name", "msft", "--ohlc", str(file), "--symbol", "MSFT") == []
    assert faults(parser, "--source", "replay", "--name", "monday", "--raw-from", "2026-11-22T10") == []


def test_garbage_goes_into_no_stream_of_finnhub(parser: argparse.ArgumentParser) -> None:
    assert faults(parser, "--source", "finnhub") == []
    assert faults(parser, "--source", "finnhub", "--garbage", "0.1") == ["--garbage: of the simulator only"]


def watching(symbols: str) -> FinnhubSettings:
    return FinnhubSettings(token=SecretStr("t0ken"), symbols=symbols)


def test_symbols_are_subscribed_once_each_whatever_stands_around_them() -> None:
    assert watching(" AAPL,,BINANCE:BTCUSDT, AAPL ,").watched == ("AAPL", "BINANCE:BTCUSDT")


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        (",".join(f"S{number}" for number in range(50)), []),
        (" , ", ["name at least one"]),
        (f"AAPL,{'A' * 65},A\x00B", [f"{'A' * 65!r} is no symbol", "'A\\x00B' is no symbol"]),
        (",".join(f"S{number}" for number in range(52)), ["52, and 50 is the most: leave out e.g. S50, S51"]),
    ],
)
def test_symbols_that_finnhub_would_not_give_are_faults(
    parser: argparse.ArgumentParser, symbols: str, expected: list[str]
) -> None:
    args = parser.parse_args(["--source", "finnhub"])
    settings = load_one(ProducerSettings, **arguments.settings_options(args))
    found = arguments.faults(args, settings, watching(symbols))
    assert found == [f"VOLWATCH_FINNHUB_SYMBOLS: {fault}" for fault in expected]
