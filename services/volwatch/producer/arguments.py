"""What ``volwatch producer`` can be told: its options, its help, and what is wrong with them."""

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path

from volwatch.market.scenarios import SCENARIOS
from volwatch.settings import FinnhubSettings, ProducerSettings
from volwatch.trade import SOURCE_PATTERN, SYMBOL_PATTERN

_MOST_SYMBOLS = 50  # of one connection on Finnhub's free plan: above it symbols are dropped, it does not say which

_DESCRIPTION = """\
Sends trades to Kafka: simulated ones, recorded ones again, or those of Finnhub's stream.

The simulator's market never closes. The same seed, scenario, start, symbols and rate give the same trades. SIGUSR1
multiplies the volatility of one symbol by 8 for three minutes, SIGUSR2 begins or ends a stall, SIGTERM delivers what
is queued, gives the lease back and ends with exit code 0. A replay ends by itself.

Of several producers of one topic one sends and the others stand by (VOLWATCH_LEASE_*), for Finnhub allows one
connection per token; a replay does not wait.
"""

_EXAMPLES = """\
examples:
  VOLWATCH_KAFKA_BOOTSTRAP=localhost:9092 volwatch producer
      ten calm symbols, 50 trades a second, from now on

  volwatch producer --scenario mixed --symbols 100 --rate 5000 --history-minutes 240 --labels labels.jsonl
      four hours of history first, as fast as Kafka takes it; what truly happened goes to labels.jsonl

  volwatch producer --spike-symbol SIM03 & sleep 60; kill -USR1 $!
      a burst of one symbol, on demand

  volwatch producer --source replay --name msft --ohlc daily.csv --symbol MSFT
      bars of a CSV file (date or ts_utc, open, high, low, close, volume) as trades of source replay-msft

  volwatch producer --source replay --name monday --raw-from 2026-11-23T14 --raw-to 2026-11-23T21 --speed 60
      eight recorded hours again, an hour a minute (needs VOLWATCH_RAWZONE_*)

  VOLWATCH_FINNHUB_TOKEN=... VOLWATCH_FINNHUB_SYMBOLS=AAPL,MSFT volwatch producer --source finnhub
      trades as they happen
"""


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the options; those of ``ProducerSettings`` go before the environment."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _DESCRIPTION
    scenarios = "\n".join(f"  {name:<12}{scenario.summary}" for name, scenario in SCENARIOS.items())
    parser.epilog = f"scenarios:\n{scenarios}\n\n{_EXAMPLES}"
    for name, field in ProducerSettings.model_fields.items():
        described = field.description or "where trades come from: simulator, replay, finnhub"
        parser.add_argument(_option(name), metavar="VALUE", help=f"{described} (default {field.default})")
    _declare_simulator(parser.add_argument_group("simulator"))
    _declare_replay(parser.add_argument_group("replay"))


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _declare_simulator(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--history-days", type=int, default=0, metavar="DAYS", help="days of hourly prints before that")
    group.add_argument("--labels", type=Path, metavar="PATH", help="append what truly happened here, as JSON lines")
    group.add_argument("--spike-symbol", metavar="SYMBOL", help="symbol of the burst on SIGUSR1 (default the first)")
    group.add_argument("--garbage", type=float, default=0.0, metavar="SHARE", help="bad records per trade, 0 to 1")


def _declare_replay(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--name", help="the source is called replay-NAME")
    group.add_argument("--speed", type=float, default=0.0, metavar="FACTOR", help="0 is as fast as possible (default)")
    group.add_argument("--ohlc", type=Path, metavar="FILE.csv", help="bars to give as trades")
    group.add_argument("--symbol", help="symbol of the bars")
    group.add_argument("--raw-from", type=_hour, metavar="HOUR", help="first hour (UTC) of the raw zone")
    group.add_argument("--raw-to", type=_hour, metavar="HOUR", help="last hour, included (default the first)")


def _hour(text: str) -> datetime:
    """Return the full hour of UTC that an option names, as ``2026-11-22T10``."""
    return datetime.strptime(text, "%Y-%m-%dT%H").replace(tzinfo=UTC)


def settings_options(args: argparse.Namespace) -> dict[str, object]:
    """Return the fields of ``ProducerSettings`` that were given as options."""
    given = {name: getattr(args, name) for name in ProducerSettings.model_fields}
    return {name: value for name, value in given.items() if value is not None}


def faults(args: argparse.Namespace, settings: ProducerSettings, finnhub: FinnhubSettings | None = None) -> list[str]:
    """Return everything that is wrong with the options, and with the symbols of a stream."""
    if settings.source == "replay":
        return _replay_faults(args)
    if settings.source == "finnhub":
        wrong = ["--garbage: of the simulator only"] if args.garbage else []
        return wrong + (_symbol_faults(finnhub.watched) if finnhub else [])
    wrong = []
    if not 0 <= args.garbage <= 1:
        wrong.append("--garbage: a share of 0 to 1")
    if not 0 <= args.history_days <= 3_650:
        wrong.append("--history-days: 0 to 3650")
    if settings.scenario not in SCENARIOS:
        wrong.append(f"--scenario: no {settings.scenario!r}, there are {', '.join(SCENARIOS)}")
    return wrong


def _symbol_faults(names: tuple[str, ...]) -> list[str]:
    variable = "VOLWATCH_FINNHUB_SYMBOLS"
    if not names:
        return [f"{variable}: name at least one"]
    wrong = [f"{variable}: {name!r} is no symbol" for name in names if not re.search(SYMBOL_PATTERN, name)]
    if len(names) > _MOST_SYMBOLS:
        beyond = ", ".join(names[_MOST_SYMBOLS:])
        wrong.append(f"{variable}: {len(names)}, and {_MOST_SYMBOLS} is the most: leave out e.g. {beyond}")
    return wrong


def _replay_faults(args: argparse.Namespace) -> list[str]:
    wrong = []
    if not re.search(SOURCE_PATTERN, f"replay-{args.name}") or not args.name:
        wrong.append("--name: lower-case letters, digits, '.', '_', '-'")
    if (args.ohlc is None) == (args.raw_from is None):
        wrong.append("--source replay needs either --ohlc or --raw-from")
    if args.ohlc is not None and not args.symbol:
        wrong.append("--symbol: whose bars they are")
    if args.ohlc is not None and not args.ohlc.is_file():
        wrong.append(f"--ohlc: {args.ohlc} is no file")
    if args.raw_from is not None and args.raw_to is not None and args.raw_to < args.raw_from:
        wrong.append("--raw-to: before --raw-from")
    if args.speed < 0:
        wrong.append("--speed: 0 or more")
    return wrong
