"""The nightly batch on a warehouse in memory: every finished session once, in any number of runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import cast

import numpy as np
import pandas as pd
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case
from structlog.testing import capture_logs

from volwatch.analytics.calendars import DAY_MS, MINUTE_MS, calendar_named
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.trades import Int64, Series
from volwatch.pipeline import nightly
from volwatch.pipeline.nightly import SESSIONS_AT_ONCE, Report, batches, jobs
from volwatch.settings import PipelineSettings
from volwatch.warehouse.nightly import GarchRow, Pending, SessionRows, measures_frame

EXCHANGE = calendar_named("XNYS")
LAST = date(2026, 1, 9)
NOW = datetime(2026, 1, 10, 2, 15, tzinfo=UTC)
SETTINGS = PipelineSettings(volatility_retention_days=60)
STOCK, COIN = ("replay", "MSFT"), ("feed", "BINANCE:BTCUSDT")
SESSION_MEASURES = {"rv", "rv_total", "rho1", "bv", "medrv", "jump_z", "jump_p"}
KEYS = ("source", "symbol", "bar_start", "estimator", "window_bars", "annualisation")
DAY_MEASURES = {"sharpe_eta", "psr", "sortino", "max_drawdown", "var_95", "es_95", "var_99", "es_99"}


def epoch_day(day: date) -> int:
    return (day - date(1970, 1, 1)).days


@dataclass
class MemoryWarehouse:
    """What ``warehouse.nightly`` and ``warehouse.writer`` do, in memory."""

    busy: bool = False
    days: dict[Series, pd.DataFrame] = field(default_factory=dict)
    minutes: dict[Series, pd.DataFrame] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    rows: dict[tuple[object, ...], tuple[float, object, int]] = field(default_factory=dict)
    models: list[GarchRow] = field(default_factory=list)
    forgotten: list[date] = field(default_factory=list)
    transactions: int = 0

    def add(self, series: Series, sessions: Int64, bounds_ms: tuple[Int64, Int64], seed: int = 1) -> None:
        """Put bars of a random walk into it."""
        random = np.random.Generator(np.random.PCG64(seed))
        close = 100 * np.exp(np.cumsum(random.standard_normal(len(sessions)) * 0.01))
        opened = np.append(100.0, close[:-1]) * 1.001
        self.days[series] = pd.DataFrame({"day": sessions, "open": opened, "close": close, "revision": 3})
        start = np.concatenate([np.arange(first, end, MINUTE_MS) for first, end in zip(*bounds_ms, strict=True)])
        returns = random.standard_normal(len(start)) * 1e-3
        self.minutes[series] = pd.DataFrame({"start": start, "log_return": returns})

    def try_lock(self, cursor: object) -> bool:
        self.transactions += 1
        return not self.busy

    def forget_garch(self, cursor: object, before: date) -> int:
        self.forgotten.append(before)
        return 0

    def watchlist(self, cursor: object) -> dict[str, str]:
        return self.names

    def pending(self, cursor: object, since: datetime) -> list[Pending]:
        done = {(key[0], key[1], key[2]) for key in self.rows if key[3] == "rv"}
        found = []
        for series, bars in sorted(self.days.items()):
            recent = [day for day in bars["day"].tolist() if day >= epoch_day(since.date())]
            left = tuple(day for day in recent if (*series, pd.Timestamp(day, unit="D", tz="UTC")) not in done)
            found += [Pending(series, left)] if left else []
        return found

    def day_bars(self, cursor: object, series: Sequence[Series]) -> pd.DataFrame:
        return pd.concat([self.days[one].assign(place=place) for place, one in enumerate(series)])

    def minute_returns(self, cursor: object, series: Sequence[Series], first_ms: Int64, end_ms: Int64) -> pd.DataFrame:
        parts: list[pd.DataFrame] = []
        for place, (one, first, end) in enumerate(zip(series, first_ms.tolist(), end_ms.tolist(), strict=True)):
            bars = self.minutes[one]
            parts.append(bars.loc[(bars["start"] >= first) & (bars["start"] < end)].assign(place=place))
        return pd.concat(parts)

    def measures_frame(self, rows: Sequence[SessionRows]) -> pd.DataFrame:
        return measures_frame(rows)

    def write_frame(self, cursor: object, table: str, frame: pd.DataFrame) -> int:
        assert table == "stock_volatility"
        assert set(frame["input_revision"]) <= {3}
        before = len(self.rows)
        for row in frame.to_dict("records"):
            key = tuple(row[name] for name in KEYS)
            reason = None if pd.isna(row["null_reason"]) else row["null_reason"]
            self.rows.setdefault(key, (row["value"], reason, row["n_obs"]))
        return len(self.rows) - before

    def write_garch(self, cursor: object, rows: Sequence[GarchRow]) -> None:
        self.models += rows


class FakeConnection:
    """A connection whose transactions and cursors do nothing."""

    def cursor(self) -> "FakeConnection":
        return self

    def __enter__(self) -> "FakeConnection":
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> MemoryWarehouse:
    made = MemoryWarehouse()
    monkeypatch.setattr(nightly, "nightly", made)
    monkeypatch.setattr(nightly, "writer", made)
    return made


def run(settings: PipelineSettings = SETTINGS, now: datetime = NOW) -> Report:
    return nightly.run(cast("Connection", FakeConnection()), settings, now)


def add_stock(warehouse: MemoryWarehouse, sessions: int, series: Series = STOCK) -> Int64:
    """Put sessions of the exchange up to the last one into the warehouse; return their days."""
    end = int(np.searchsorted(EXCHANGE.days, epoch_day(LAST))) + 1
    held = slice(end - sessions, end)
    warehouse.add(series, EXCHANGE.days[held], (EXCHANGE.open_ms[held], EXCHANGE.close_ms[held]))
    return EXCHANGE.days[held]


def add_coin(warehouse: MemoryWarehouse, days: int) -> None:
    held = np.arange(epoch_day(LAST) - days + 1, epoch_day(LAST) + 1)
    warehouse.add(COIN, held, (held * DAY_MS, (held + 1) * DAY_MS))


def test_every_finished_session_has_every_measure_once(warehouse: MemoryWarehouse) -> None:
    add_stock(warehouse, 5)
    add_coin(warehouse, 3)
    report = run()
    measures = len(SESSION_MEASURES | DAY_MEASURES)
    assert report == Report(series=2, sessions=8, rows=8 * measures + 2, models=2)
    codes = {(key[1], key[5]) for key in warehouse.rows}
    assert codes == {("MSFT", "US_DAILY"), ("BINANCE:BTCUSDT", "CRYPTO_DAILY")}
    last = {key[3]: value for key, value in warehouse.rows.items() if key[:3] == (*STOCK, pd.Timestamp(LAST, tz="UTC"))}
    assert set(last) == SESSION_MEASURES | DAY_MEASURES | {"garch"}
    defined = {name for name, (_, reason, _) in last.items() if reason is None}
    assert defined == SESSION_MEASURES
    assert {last[name][1] for name in DAY_MEASURES | {"garch"}} == {"INSUFFICIENT_DATA"}


def test_a_second_run_finds_nothing(warehouse: MemoryWarehouse) -> None:
    add_stock(warehouse, 5)
    run()
    before = dict(warehouse.rows)
    assert run() == Report()
    assert warehouse.rows == before


def test_one_run_and_a_run_a_night_store_the_same(warehouse: MemoryWarehouse) -> None:
    days = add_stock(warehouse, 30)
    run()
    whole, warehouse.rows = dict(warehouse.rows), {}
    bars = warehouse.days[STOCK]
    for night in range(1, len(days) + 1):
        warehouse.days[STOCK] = bars.iloc[:night]
        run()
    modelled = {key for key in warehouse.rows if key[3] == "garch"}
    assert len(modelled) == len(days)
    by_night = {key: value for key, value in warehouse.rows.items() if key[3] != "garch"}
    pd.testing.assert_frame_equal(
        pd.DataFrame(by_night).T.sort_index(),
        pd.DataFrame({key: value for key, value in whole.items() if key[3] != "garch"}).T.sort_index(),
    )


def test_a_short_session_is_measured_and_has_its_210_minutes(warehouse: MemoryWarehouse) -> None:
    """The day after Thanksgiving, 2025-11-28."""
    add_stock(warehouse, 40)
    run()
    key = (*STOCK, pd.Timestamp("2025-11-28", tz="UTC"), "rv", 1, "US_DAILY")
    assert warehouse.rows[key][1:] == (None, 210)


def test_the_night_is_in_the_total_and_unknown_after_a_session_that_is_missing(warehouse: MemoryWarehouse) -> None:
    days = add_stock(warehouse, 4)
    warehouse.days[STOCK] = warehouse.days[STOCK].drop(index=1)
    run()
    found = {
        day: warehouse.rows[(*STOCK, pd.Timestamp(day, unit="D", tz="UTC"), "rv_total", 1, "US_DAILY")]
        for day in days[[0, 2, 3]].tolist()
    }
    assert [reason for _, reason, _ in found.values()] == ["INSUFFICIENT_DATA", "INSUFFICIENT_DATA", None]
    rv = warehouse.rows[(*STOCK, pd.Timestamp(days[3], unit="D", tz="UTC"), "rv", 1, "US_DAILY")][0]
    total = found[int(days[3])][0]
    assert total**2 - rv**2 == pytest.approx(252 * np.log(1.001) ** 2, rel=1e-9)


def test_in_a_market_that_never_closes_the_total_is_the_day(warehouse: MemoryWarehouse) -> None:
    add_coin(warehouse, 2)
    run()
    for day in (LAST - timedelta(days=1), LAST):
        key = (*COIN, pd.Timestamp(day, tz="UTC"))
        rv, total = (warehouse.rows[(*key, name, 1, "CRYPTO_DAILY")][0] for name in ("rv", "rv_total"))
        assert rv == total == pytest.approx(1e-3 * np.sqrt(1440 * 365), rel=0.15)


def test_the_watch_list_names_the_calendar(warehouse: MemoryWarehouse) -> None:
    add_coin(warehouse, 2)
    warehouse.names = {"BINANCE:BTCUSDT": "XNYS"}
    run()
    assert {key[5] for key in warehouse.rows} == {"US_DAILY"}


def test_a_break_is_no_part_of_a_session(warehouse: MemoryWarehouse) -> None:
    """Hong Kong rests from 12:00 to 13:00: of 390 minutes from open to close 330 are traded."""
    exchange = calendar_named("XHKG")
    end = int(np.searchsorted(exchange.days, epoch_day(LAST))) + 1
    held = slice(end - 3, end)
    warehouse.add(("feed", "700"), exchange.days[held], (exchange.open_ms[held], exchange.close_ms[held]))
    warehouse.names = {"700": "XHKG"}
    run()
    found = {key[3]: value[1:] for key, value in warehouse.rows.items() if key[2] == pd.Timestamp(LAST, tz="UTC")}
    assert (found["rv"], found["jump_z"]) == ((None, 330), (None, 66))


def test_a_session_of_currencies_ends_in_the_afternoon_and_is_measured_whole(warehouse: MemoryWarehouse) -> None:
    market = calendar_named("24/5")
    end = int(np.searchsorted(market.days, epoch_day(LAST))) + 1
    held = slice(end - 3, end)
    warehouse.add(("feed", "OANDA:EUR_USD"), market.days[held], (market.open_ms[held], market.close_ms[held]))
    run()
    found = {key[3]: value[1:] for key, value in warehouse.rows.items() if key[2] == pd.Timestamp(LAST, tz="UTC")}
    assert (found["rv"], found["jump_z"]) == ((None, 1440), (None, 288))


def test_the_step_between_two_sessions_of_a_week_is_counted_once(warehouse: MemoryWarehouse) -> None:
    """A currency's first return of a weekday has it; only what happens over the weekend is a night of its own."""
    market = calendar_named("24/5")
    end = int(np.searchsorted(market.days, epoch_day(LAST))) + 1
    held = slice(end - 8, end)
    warehouse.add(("feed", "OANDA:EUR_USD"), market.days[held], (market.open_ms[held], market.close_ms[held]))
    run()
    values: dict[object, dict[object, float]] = {}
    for key, value in warehouse.rows.items():
        values.setdefault(key[3], {})[cast("pd.Timestamp", key[2])] = value[0]
    for session, total in list(values["rv_total"].items())[1:]:
        weekday = cast("pd.Timestamp", session).day_of_week
        assert (total == pytest.approx(values["rv"][session], rel=1e-12)) == (weekday != 0), session


def test_a_day_that_the_calendar_does_not_know_is_left_alone(warehouse: MemoryWarehouse) -> None:
    """Three days of a coin that the watch-list takes for a stock: two of them are a weekend's."""
    held = np.array([epoch_day(date(2026, 1, 3)), epoch_day(date(2026, 1, 4))])
    warehouse.add(COIN, held, (held * DAY_MS, (held + 1) * DAY_MS))
    warehouse.names = {"BINANCE:BTCUSDT": "XNYS"}
    assert run() == Report(series=1)
    assert warehouse.rows == {}


def test_what_retention_would_drop_is_not_made(warehouse: MemoryWarehouse) -> None:
    add_stock(warehouse, 60)
    run()
    oldest = min(cast("pd.Timestamp", key[2]) for key in warehouse.rows)
    assert oldest == pd.Timestamp("2025-11-11", tz="UTC")
    assert warehouse.forgotten == [date(2025, 11, 11)]


def test_the_newest_session_has_the_model_of_all_returns(warehouse: MemoryWarehouse) -> None:
    add_stock(warehouse, 520)
    report = run()
    [model] = warehouse.models
    assert (report.models, model.session_date, model.n_obs, model.distribution) == (1, LAST, 519, "t")
    value, reason, n = warehouse.rows[(*STOCK, pd.Timestamp(LAST, tz="UTC"), "garch", 1000, "US_DAILY")]
    assert (model.null_reason, n) == (reason, 519)
    assert (model.volatility_next is None) == (model.term_structure is None) == (reason is not None)
    assert value == pytest.approx(np.nan if model.volatility_next is None else model.volatility_next, nan_ok=True)
    assert model.converged


def test_a_busy_warehouse_is_left_at_once(warehouse: MemoryWarehouse) -> None:
    add_stock(warehouse, 5)
    warehouse.busy = True
    assert run() == Report(busy=True)
    assert warehouse.rows == {}


def test_a_transaction_takes_as_many_series_as_its_bars_allow(warehouse: MemoryWarehouse) -> None:
    for index in range(6):
        add_stock(warehouse, 5, ("replay", f"S{index}"))
    with capture_logs() as logs:
        run(SETTINGS.model_copy(update={"rows_per_transaction": 2 * 25 * 390}))
    assert [line["series"] for line in logs if line["event"] == "nightly_batch"] == [2, 2, 2]
    assert [line["sessions"] for line in logs if line["event"] == "nightly_run"] == [30]
    assert warehouse.transactions == 1 + 3


def test_a_long_backlog_is_cut_into_pieces_and_no_piece_is_refused() -> None:
    days = tuple(range(20_000, 20_000 + 2 * SESSIONS_AT_ONCE + 1))
    todo = list(jobs([Pending(COIN, days), Pending(("replay", "A"), (20_000,))], EngineConfig()))
    assert [len(job.days) for job in todo] == [SESSIONS_AT_ONCE, SESSIONS_AT_ONCE, 1, 1]
    assert [job.calendar.name for job in todo] == ["24/7", "24/7", "24/7", "XNYS"]
    assert sum((job.days for job in todo[:3]), ()) == days
    assert [len(batch) for batch in batches(iter(todo), 1)] == [1, 1, 1, 1]
    assert [len(batch) for batch in batches(iter(todo), 10**9)] == [4]
    assert list(batches(iter([]), 1)) == []


@pytest.mark.parametrize(("as_of", "warns"), [(None, False), (date(2026, 1, 2), False), (date(2025, 1, 2), True)])
def test_an_old_risk_free_rate_is_told_of(warehouse: MemoryWarehouse, as_of: date | None, warns: bool) -> None:
    with capture_logs() as logs:
        run(PipelineSettings(risk_free_rate=0.04, risk_free_as_of=as_of))
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["risk_free_rate_old"] * warns
