"""``volwatch local finnhub``: Finnhub's double with a simulated market behind it, for whoever has no account.

It runs in the service image too: nothing here needs more than the extras of producer and consumer.
"""

import argparse
import time
from collections.abc import Sequence

import structlog

from volwatch.errors import Misconfigured
from volwatch.local.finnhub_double import FinnhubDouble, Print
from volwatch.market.scenarios import SCENARIOS
from volwatch.producer.faults import SwitchedSimulator, Switches
from volwatch.producer.simulator import Simulator
from volwatch.producer.source import Source
from volwatch.runtime import Health, Stop, configure_logging, serve
from volwatch.settings import ServiceSettings, load_one
from volwatch.trade import Trade

_log = structlog.get_logger()

SYMBOLS = ("AAPL", "MSFT", "NVDA", "AMZN", "BINANCE:BTCUSDT")
_PORT = 8080
_PING_SECONDS = 60.0
_STEP_SECONDS = 0.2
_TOLD_SECONDS = 30.0
_PRINTS_PER_MESSAGE = 100

_EPILOG = """\
What it serves is of nobody: prices are simulated, and every key will do. The stream is at ws://HOST:PORT, the quotes at
http://HOST:PORT/api/v1/quote; /healthz and /readyz are at VOLWATCH_SERVICE_PORT. SIGUSR1 injects a burst of volatility
into the first symbol, SIGUSR2 begins or ends a stall of the market, SIGTERM ends it.

  volwatch local finnhub --port 8080 --symbols AAPL,MSFT
  VOLWATCH_FINNHUB_TOKEN=any VOLWATCH_FINNHUB_URL=ws://127.0.0.1:8080 VOLWATCH_FINNHUB_SYMBOLS=AAPL,MSFT \\
      volwatch producer --source finnhub
  curl --header 'X-Finnhub-Token: any' 'http://127.0.0.1:8080/api/v1/quote?symbol=AAPL'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the action's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("--port", type=int, default=_PORT, help="where it listens (%(default)s)")
    parser.add_argument(
        "--symbols", default=",".join(SYMBOLS), help="what is traded, separated by commas (%(default)s)"
    )
    parser.add_argument("--rate", type=float, default=20.0, help="trades per second, all together (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same prices (%(default)s)")
    parser.add_argument("--scenario", default="calm", help=f"of {', '.join(SCENARIOS)} (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C; return 0."""
    names = tuple(dict.fromkeys(name for part in args.symbols.split(",") if (name := part.strip())))
    if not names:
        raise Misconfigured(["--symbols: name at least one"])
    service = load_one(ServiceSettings)
    configure_logging(service.log_level)
    stop, health = Stop.on_signals(), Health()
    simulator = Simulator(args.scenario, args.seed, len(names), args.rate, start_ms=_now_ms())
    source = SwitchedSimulator(simulator, Switches.on_signals(), simulator.names[0])
    with FinnhubDouble(None, _PING_SECONDS, host=service.host, port=args.port) as double:
        serve(health, service.host, service.port)
        health.set_ready(True)
        _log.info("finnhub_double_started", host=service.host, port=double.port, symbols=len(names))
        Market(double, source, dict(zip(simulator.names, names, strict=True))).play(stop, health)
    _log.info("finnhub_double_stopped")
    return 0


class Market:
    """Lets the trades of a source be a double's, under names of its own.

    Parameters
    ----------
    names : dict of str to str
        What the double calls each symbol of the source.
    """

    def __init__(self, double: FinnhubDouble, source: Source, names: dict[str, str]) -> None:
        self._double = double
        self._source = source
        self._names = names
        self.trades = 0

    def play(self, stop: Stop, health: Health) -> None:
        """Send what happens until a stop is wanted."""
        told_at = time.monotonic()
        while not stop.wait(_STEP_SECONDS):
            self.step(_now_ms())
            health.beat()
            if time.monotonic() - told_at >= _TOLD_SECONDS:
                told_at = time.monotonic()
                _log.info(
                    "finnhub_double",
                    trades=self.trades,
                    connections=len(self._double.subscribed),
                    quotes=len(self._double.quotes.calls),
                    refused=self._double.quotes.refused,
                )

    def step(self, until_ms: int) -> None:
        """Send what the source gives by a time."""
        more = True
        while more:
            batch = self._source.read(until_ms)
            if batch is None:
                return
            self._send(batch.trades)
            more = batch.more

    def _send(self, trades: Sequence[Trade]) -> None:
        for trade in trades:
            self._double.quotes.set(self._names[trade.symbol], trade.price, trade.event_time)
        for start in range(0, len(trades), _PRINTS_PER_MESSAGE):
            self._double.trade(*(self._print(trade) for trade in trades[start : start + _PRINTS_PER_MESSAGE]))
        self.trades += len(trades)

    def _print(self, trade: Trade) -> Print:
        symbol = self._names[trade.symbol]
        return {"s": symbol, "p": trade.price, "t": trade.event_time, "v": trade.size, "c": ["1"]}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
