"""``volwatch local demo``: the whole way on this machine, with a spike put in, and its alert awaited.

The exit code is 0 only when every hop carried trades until the end and the spike's alert arrived; else it is 1, and the
hop at fault is named. Quotes come from Finnhub's double, and with an account both they and the trades from Finnhub
itself, which has no spike to put in.
"""

import argparse
import os
import shutil
import signal
import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case
from rich.console import Console
from rich.live import Live
from rich.table import Table

from volwatch.errors import Transient
from volwatch.local.feeds import Feeds, choose_feeds
from volwatch.local.hops import CARRIES, HOPS, Watch
from volwatch.local.interrupts import interruptible
from volwatch.local.scrape import read_metric
from volwatch.local.service import Service
from volwatch.local.stack import Stack
from volwatch.producer.simulator import symbol_names
from volwatch.warehouse import quotes
from volwatch.warehouse.connection import connect
from volwatch.warehouse.hops import Counts, RaisedAlert, counts, first_alert

SOURCE = "simulator"
HISTORY_MINUTES = 120
MOST_HISTORY_TRADES = 400_000  # what the whole way takes in a few seconds, however busy the live market is
_LOOK_SECONDS = 2.0
_PLAIN_LINE_SECONDS = 10.0
_CAUGHT_UP_SECONDS = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the action's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        "Kafka, MinIO, PostgreSQL, Airflow, the producer with a simulated market, consumer, detector and dashboard\n"
        "are started. Two hours of history go through first, so that the detector is warm; then a burst of volatility\n"
        "is injected into the first symbol and its alert awaited. Exit 0: every hop carried trades, the alert came.\n"
        "\n"
        "Quotes are fetched every minute from a double of Finnhub. With VOLWATCH_FINNHUB_TOKEN and\n"
        "VOLWATCH_FINNHUB_SYMBOLS quotes and trades are Finnhub's own, and no spike is injected: a market that is\n"
        "closed sends nothing."
    )
    parser.add_argument("--for", dest="seconds", type=float, help="end after so many seconds (default: on Ctrl-C)")
    parser.add_argument("--symbols", type=int, default=10, help="simulated symbols (%(default)s)")
    parser.add_argument("--rate", type=float, default=50.0, help="trades per second, all together (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same market (%(default)s)")
    parser.add_argument(
        "--finnhub",
        action="store_true",
        help="let the producer listen to the double of Finnhub; then there is no spike",
    )
    parser.add_argument(
        "--folder", type=Path, default=Path(".volwatch/demo"), help="data and logs; an earlier demo's go (%(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo until its time is over (0 or 1), a hop breaks (1), or Ctrl-C (0)."""
    console = Console()
    feeds = choose_feeds(stream=args.finnhub)
    shutil.rmtree(args.folder, ignore_errors=True)
    began = time.monotonic()
    with interruptible(), Stack(args.folder, console=console, task_env=feeds.environment) as stack:
        try:
            demo = Demo(stack, console, began, feeds, symbol_names(args.symbols)[0])
            demo.start(args)
            return demo.watch(args.seconds)
        except KeyboardInterrupt:
            console.print("stopped")
            return 0


@dataclass
class _Spike:
    """The burst that was injected, the alert it raised, and when the minute path was seen to have that too."""

    injected_at: datetime
    alert: RaisedAlert | None = None
    settled_seconds: float = float("nan")

    @property
    def is_settled(self) -> bool:
        """Whether both paths have found it."""
        return self.alert is not None and self.alert.on_record

    @property
    def delay_seconds(self) -> float | None:
        """Time from the injection to the alert's row."""
        return None if self.alert is None else (self.alert.recorded_at - self.injected_at).total_seconds()


@dataclass
class Demo:
    """A running demo."""

    stack: Stack
    console: Console
    began: float
    feeds: Feeds
    spike_symbol: str
    services: dict[str, Service] = field(default_factory=dict)
    spike: _Spike | None = None
    counted: Counts | None = None
    told_at: float = 0.0

    def start(self, args: argparse.Namespace) -> None:
        """Start everything, side by side where that can be; return when the last part is up."""
        self.stack.start_airflow()
        self.stack.start_servers()
        self.services["consumer"] = self.stack.start_service("consumer", env={"VOLWATCH_CONSUMER_FLUSH_SECONDS": "3"})
        self.services |= {stage: self.stack.start_service(stage) for stage in ("detector", "notifier")}
        if self.feeds.double_port is not None:
            options = _double_options(args, self.feeds.double_port)
            self.services["finnhub"] = self.stack.start_service("local", "finnhub", *options, name="finnhub")
        self.services["producer"] = self._start_producer(args)
        self.services["dashboard"] = self.stack.start_service("dashboard")
        for service in self.services.values():
            service.wait_ready()
        self._tell(f"dashboard: {self.services['dashboard'].url}")
        with self.console.status("starting Airflow"):
            self.stack.wait_airflow()
        self._tell(f"everything is up after {time.monotonic() - self.began:.0f} s")
        self._tell(f"airflow: {self.stack.airflow_url}")

    def _start_producer(self, args: argparse.Namespace) -> Service:
        if self.feeds.stream:
            options, env = ["--source", "finnhub"], self.feeds.environment
        else:
            options, env = _producer_options(args, self.stack.folder), {}
        return self.stack.start_service("producer", *options, env={**env, **self.stack.own_lease})

    def watch(self, seconds: float | None) -> int:
        """Look at every hop until the time is over; return the exit code."""
        watch = Watch(time.monotonic(), may_rest=self.feeds.double_port is None)
        end = time.monotonic() + (seconds if seconds is not None else float("inf"))
        fault = None
        with Live(console=self.console, auto_refresh=False, transient=True) as live:
            while time.monotonic() < end and fault is None:
                fault = self._look(watch)
                self._show(live, watch)
                # The pace of the table; the servers send no event that could be waited for.
                time.sleep(min(_LOOK_SECONDS, max(0.0, end - time.monotonic())))
        fault = fault or self._verdict(watch)
        self.console.print(self._table(watch), soft_wrap=True)
        if not self.feeds.stream:
            self._tell(self._told_spike())
        if fault is not None:
            self.console.print(f"FAILED: {fault}", style="bold red", markup=False, highlight=False, soft_wrap=True)
        return 0 if fault is None else 1

    def _look(self, watch: Watch) -> str | None:
        """Count the hops, inject the spike when the market is live; return what is broken."""
        watch.note(self._service_counts() | self._warehouse_counts(), time.monotonic())
        ended = self.stack.failed()
        if ended:
            first = ended[0]
            hop = next((CARRIES[name] for name in CARRIES if first.name.startswith(name)), first.name)
            return f"{hop}: {first.name} ended with exit code {first.exit_code}; see {first.log}"
        self._inject()
        stuck = watch.stuck(time.monotonic())
        return None if stuck is None else f"{stuck.server}: no {stuck.name} for {stuck.patience_seconds:.0f} s"

    def _service_counts(self) -> dict[str, int]:
        samples = {
            "trades produced": ("producer", "volwatch_producer_trades_total", "delivered"),
            "trades watched": ("detector", "volwatch_detector_records_total", "taken"),
            "trades stored raw": ("consumer", "volwatch_consumer_records_total", "stored"),
        }
        counted = {
            hop: read_metric(self.services[service].url, name, outcome=outcome)
            for hop, (service, name, outcome) in samples.items()
        }
        return {hop: int(count) for hop, count in counted.items() if count is not None}

    def _warehouse_counts(self) -> dict[str, int]:
        """Count what the dashboard's role sees, and look for the spike's alert; nothing when the server is away."""
        try:
            settings = self.stack.warehouse_settings("dashboard")
            with closing(connect(settings, application_name="volwatch-demo")) as found, found.cursor() as cursor:
                self.counted, published = counts(cursor), quotes.published(cursor)
                if self.spike is not None and not self.spike.is_settled:
                    self._seek_alert(cursor, self.spike)
        except (Transient, psycopg2.Error):
            return {}
        rows = self.counted
        return {
            "trades loaded": rows.loaded,
            "bars": rows.bars,
            "volatility rows": rows.volatility,
            "quotes published": published,
        }

    def _seek_alert(self, cursor: Cursor, spike: _Spike) -> None:
        minute, before = spike.injected_at.replace(second=0, microsecond=0), spike.alert
        spike.alert = first_alert(cursor, SOURCE, self.spike_symbol, minute)
        if spike.alert is not None and before is None:
            self._tell(self._told_spike())
        if spike.is_settled:
            spike.settled_seconds = (datetime.now(UTC) - spike.injected_at).total_seconds()
            self._tell(f"the minute path has it too, {spike.settled_seconds:.0f} s after the burst")

    def _inject(self) -> None:
        """Put the spike in once the history is sent and trades are live."""
        if self.spike is not None or self.feeds.stream:
            return
        lag = read_metric(self.services["producer"].url, "volwatch_producer_event_lag_seconds")
        if lag is not None and lag < _CAUGHT_UP_SECONDS:
            self.spike = _Spike(datetime.now(UTC))
            os.kill(self.services["producer"].pids[0], signal.SIGUSR1)
            self._tell(f"injected a burst of volatility into {self.spike_symbol}")

    def _verdict(self, watch: Watch) -> str | None:
        """Return what was missing when the time was over."""
        empty = watch.empty()
        if empty is not None:
            return f"{empty.server}: no {empty.name}"
        if not self.feeds.stream and self.spike is None:
            return "producer: its market did not become live"
        if self.spike is not None and self.spike.alert is None:
            return "detector: the injected burst raised no alert"
        if self.spike is not None and not self.spike.is_settled:
            return "market_pipeline (Airflow): it has not found the alert that the detector raised"
        return None if self.services["dashboard"].probe() else "dashboard: it does not answer"

    def _show(self, live: Live, watch: Watch) -> None:
        """Redraw the table on a terminal; elsewhere tell a line now and then."""
        if self.console.is_terminal:
            live.update(self._table(watch), refresh=True)
        elif time.monotonic() - self.told_at > _PLAIN_LINE_SECONDS:
            self.told_at = time.monotonic()
            alerts = self.counted.alerts if self.counted is not None else 0
            hops = [f"{watch.counts[hop.name]:,} {hop.name}" for hop in HOPS]
            self._tell(", ".join([*hops, f"{alerts:,} alerts"]))

    def _table(self, watch: Watch) -> Table:
        table = Table(title=f"volwatch demo, {time.monotonic() - self.began:.0f} s")
        for heading in ("hop", "by", "count", "last moved"):
            table.add_column(heading, justify="right" if heading in ("count", "last moved") else "left")
        now = time.monotonic()
        for hop in HOPS:
            idle = watch.idle_seconds(hop, now)
            moved = f"{idle:.0f} s ago" if watch.counts[hop.name] else "not yet"
            table.add_row(hop.name, hop.server, f"{watch.counts[hop.name]:,}", moved)
        alerts = self.counted.alerts if self.counted is not None else 0
        table.add_row("alerts", "detector, confirmed by market_pipeline", f"{alerts:,}", self._told_delay())
        return table

    def _told_delay(self) -> str:
        if self.feeds.stream:
            return "no spike is injected"
        delay = self.spike.delay_seconds if self.spike is not None else None
        if self.spike is None or delay is None:
            return "spike not found yet"
        record = f", {self.spike.settled_seconds:.0f} s" if self.spike.is_settled else ""
        return f"spike after {delay:.0f} s{record}"

    def _told_spike(self) -> str:
        if self.spike is None or self.spike.alert is None:
            return "no alert of the injected burst"
        alert = self.spike.alert
        return (
            f"{alert.severity} alert {self.spike.delay_seconds:.0f} s after the burst was injected, "
            f"{self._seconds_since_begin(alert):.0f} s after the command: {alert.sentence}"
        )

    def _seconds_since_begin(self, alert: RaisedAlert) -> float:
        return time.monotonic() - self.began - (datetime.now(UTC) - alert.recorded_at).total_seconds()

    def _tell(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _double_options(args: argparse.Namespace, port: int) -> list[str]:
    return ["--port", str(port), "--rate", str(args.rate), "--seed", str(args.seed)]


def _producer_options(args: argparse.Namespace, folder: Path) -> list[str]:
    options = {
        "--symbols": args.symbols,
        "--rate": args.rate,
        "--seed": args.seed,
        "--history-minutes": HISTORY_MINUTES,
        "--history-rate": min(args.rate, MOST_HISTORY_TRADES / (HISTORY_MINUTES * 60)),
        "--spike-symbol": symbol_names(args.symbols)[0],
        "--labels": folder / "labels.jsonl",
    }
    return [text for name, value in options.items() for text in (name, str(value))]
