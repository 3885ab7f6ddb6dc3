"""The reader on a real PostgreSQL, under the dashboard's own role."""

import math
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import get_args

import pandas as pd
import pytest
from psycopg2.errors import InsufficientPrivilege, ReadOnlySqlTransaction

from tests.dashboard.conftest import Warehouse
from tests.dashboard.rows import Rows
from volwatch.errors import BadInput, Transient
from volwatch.local.postgres import Postgres
from volwatch.reconcile import Reconciliation
from volwatch.warehouse.alert_acts import Scope
from volwatch.warehouse.connection import connect
from volwatch.warehouse.provision import OWNER
from volwatch.warehouse.reader import Reader, open_reader
from volwatch.warehouse.readings import AlertFilter, AlertOrder, LiveSeries, Series, Span, Troubles

pytestmark = pytest.mark.integration

AAPL, NVDA = Series("simulator", "AAPL"), Series("simulator", "NVDA")
REPLAYED = Series("replay-x", "AAPL")


def listed(frame: pd.DataFrame, *columns: str) -> list[list[object]]:
    return [list(row) for row in frame[list(columns)].itertuples(index=False)]


def last_minutes(rows: Rows, minutes: int, step_seconds: int = 60) -> Span:
    end = rows.minute + timedelta(minutes=1)
    return Span(end - timedelta(minutes=minutes), end, 60, step_seconds)


def test_an_empty_warehouse_answers_every_question(reader: Reader) -> None:
    now = datetime.now(UTC)
    asked = (AAPL, now - timedelta(hours=1), now)
    span = Span(*asked[1:], 60, 60)
    freshness = reader.freshness()
    assert (freshness.newest_event, freshness.event_age_seconds, freshness.run_age_seconds) == (None, None, None)
    assert reader.series() == []
    assert (reader.newest_bar(AAPL, 60), reader.oldest_bar(AAPL, 60)) == (None, None)
    frames = [
        reader.overview(60, 10),
        reader.ratios(*asked[1:], 600),
        reader.bars(*asked, 60),
        reader.candles(AAPL, span),
        reader.volatility(AAPL, span, ("cc",)),
        reader.signals(AAPL, span),
        reader.usual(AAPL, "cc", [now], "UTC", 20),
        reader.judged_bars(*asked),
        reader.alerts(AlertFilter(), 10),
        reader.hops(),
        reader.detector(),
        reader.runs(10),
        reader.positions(),
        reader.quarantine(),
        reader.reconciliation(),
        reader.channels(),
    ]
    assert [len(frame) for frame in frames] == [0] * len(frames)
    assert reader.totals().open_alerts == {"LOW": 0, "MEDIUM": 0, "HIGH": 0}


def test_ages_are_those_of_the_server(warehouse: Warehouse, reader: Reader) -> None:
    warehouse.rows.run(timedelta(minutes=10))
    freshness = reader.freshness()
    assert freshness.event_age_seconds == pytest.approx(605, abs=5)
    assert freshness.run_age_seconds == pytest.approx(600, abs=5)


def test_the_newest_event_is_not_that_of_a_replay_that_ran_last(warehouse: Warehouse, reader: Reader) -> None:
    warehouse.rows.run(timedelta(minutes=2))
    warehouse.rows.run(timedelta(minutes=1), newest_event=datetime(2020, 1, 2, tzinfo=UTC))
    assert reader.freshness().event_age_seconds == pytest.approx(125, abs=5)


def test_every_series_is_found_once(warehouse: Warehouse, reader: Reader) -> None:
    for series in (NVDA, AAPL, REPLAYED):
        for minutes_ago in (0, 1, 50_000):
            warehouse.rows.bar(series, minutes_ago)
    assert reader.series() == [REPLAYED, AAPL, NVDA]


def test_the_overview_takes_the_newest_of_everything(warehouse: Warehouse, reader: Reader) -> None:
    rows = warehouse.rows
    for minutes_ago, close in enumerate((104.0, 102.0, 101.0, 80.0)):
        rows.bar(AAPL, minutes_ago, close)
        rows.estimate(AAPL, minutes_ago, value=0.2 + minutes_ago)
        rows.signal(AAPL, minutes_ago, statistic=minutes_ago + 1.0)
    rows.estimate(AAPL, window_bars=390, value=9.0)
    rows.estimate(AAPL, estimator="ewma", value=None, null_reason="INSUFFICIENT_DATA")
    rows.alert(AAPL, state="ESCALATED")
    rows.alert(AAPL, minutes_ago=3, state="CLOSED")
    overview = reader.overview(bars=3, ratio_bars=2)
    columns = ("symbol", "close", "closes", "cc", "ewma_null_reason", "statistic", "threshold", "alert_state")
    assert listed(overview, *columns) == [
        ["AAPL", 104.0, [101.0, 102.0, 104.0], 0.2, "INSUFFICIENT_DATA", 1.0, 3.7, "ESCALATED"]
    ]
    assert overview["change_all_bars"][0] == pytest.approx(104 / 101 - 1)
    assert overview["change_last_bar"][0] == pytest.approx(0.0010005, rel=1e-4)


def test_the_overview_tells_the_ratio_to_usual_of_judged_bars_and_how_a_series_stands(
    warehouse: Warehouse, reader: Reader
) -> None:
    rows = warehouse.rows
    rows.standing(AAPL)
    rows.bar(AAPL)
    rows.signal(AAPL, 0, log_range=math.log(4))
    rows.signal(AAPL, 1, log_range=math.log(1))
    rows.signal(AAPL, 2, log_range=math.log(9))
    rows.signal(AAPL, 3, statistic=None)
    overview = reader.overview(bars=3, ratio_bars=2)
    assert overview["ratio"].tolist() == [pytest.approx(2)]
    assert overview["ratios"][0] == pytest.approx([9, 1, 4])
    assert overview["standing"].tolist() == ["LIVE"]


def test_ratios_are_means_of_logarithms_by_series_and_time(warehouse: Warehouse, reader: Reader) -> None:
    rows = warehouse.rows
    rows.minute = rows.minute.replace(minute=19)
    for minutes_ago, log_range in enumerate((math.log(4), 0.0, None)):
        statistic = None if log_range is None else 1.0
        rows.signal(AAPL, minutes_ago, statistic, log_range=log_range or 0.0)
    rows.signal(AAPL, 15, log_range=math.log(3))
    rows.signal(NVDA, 15, log_range=math.log(5))
    rows.signal(NVDA, 30, log_range=math.log(7))
    start, end = rows.minute - timedelta(minutes=20), rows.minute + timedelta(minutes=1)
    ratios = reader.ratios(start, end, bin_seconds=600)
    bins = [rows.minute.replace(minute=minute) for minute in (0, 0, 10)]
    assert ratios["bin_start"].tolist() == [pd.Timestamp(bin_start) for bin_start in bins]
    assert sorted(ratios["ratio"]) == pytest.approx([2, 3, 5])


def test_what_is_missing_in_the_overview_is_none(warehouse: Warehouse, reader: Reader) -> None:
    warehouse.rows.bar(AAPL)
    overview = reader.overview(60, 10)
    assert listed(overview, "cc_null_reason", "statistic_null_reason", "alert_state") == [[None, None, None]]
    assert pd.isna(overview["cc"][0])


def test_bars_are_those_of_the_series_in_the_range_oldest_first(warehouse: Warehouse, reader: Reader) -> None:
    rows = warehouse.rows
    for series in (AAPL, REPLAYED, NVDA):
        for minutes_ago in range(4):
            rows.bar(series, minutes_ago, close=100.0 + minutes_ago)
    found = reader.bars(AAPL, rows.minute - timedelta(minutes=2), rows.minute, 60)
    assert listed(found, "bar_start", "close") == [
        [pd.Timestamp(rows.minute - timedelta(minutes=back)), 100.0 + back] for back in (2, 1)
    ]


def test_a_longer_step_makes_one_candle_of_many_bars(warehouse: Warehouse, reader: Reader) -> None:
    rows = warehouse.rows
    rows.minute = rows.minute.replace(minute=14)
    for minutes_ago, close in enumerate((104.0, 90.0, 120.0, 101.0, 103.0, 99.0)):
        rows.bar(AAPL, minutes_ago, close)
    candles = reader.candles(AAPL, last_minutes(rows, 10, step_seconds=300))
    starts = [pd.Timestamp(rows.minute.replace(minute=minute)) for minute in (5, 10)]
    assert listed(candles, "bar_start", "open", "high", "low", "close", "volume", "trades") == [
        [starts[0], 100.0, 101.0, 98.0, 99.0, 10.0, 5],
        [starts[1], 100.0, 121.0, 89.0, 104.0, 50.0, 25],
    ]
    assert candles["log_return"].tolist() == pytest.approx([0.001, 0.005])
    assert candles["vwap"].isna().all()
    rows.bar(AAPL, 6, log_return=None)
    assert reader.candles(AAPL, last_minutes(rows, 10, 300))["log_return"].isna().tolist() == [True, False]


def test_the_vwap_of_a_candle_weighs_its_bars_by_volume(warehouse: Warehouse, reader: Reader) -> None:
    rows = warehouse.rows
    rows.minute = rows.minute.replace(minute=14)
    rows.bar(AAPL, 0, vwap=100.0, volume=30)
    rows.bar(AAPL, 1, vwap=100.4, volume=10)
    rows.bar(AAPL, 2, vwap=None, volume=60)
    assert reader.candles(AAPL, last_minutes(rows, 5, 300))["vwap"].tolist() == pytest.approx([100.1])


def test_a_longer_step_keeps_the_newest_estimate_and_the_highest_statistic(
    warehouse: Warehouse, reader: Reader
) -> None:
    rows = warehouse.rows
    rows.minute = rows.minute.replace(minute=14)
    for minutes_ago, value in enumerate((0.2, 0.9, 0.3)):
        rows.estimate(AAPL, minutes_ago, value=value)
        rows.signal(AAPL, minutes_ago, statistic=value)
    rows.signal(AAPL, 3, statistic=None)
    span = last_minutes(rows, 5, 300)
    assert reader.volatility(AAPL, span, ("cc",))["value"].tolist() == [0.2]
    assert reader.signals(AAPL, span)["statistic"].tolist() == [0.9]


def test_what_is_usual_is_that_of_the_same_time_of_day_on_the_days_before(warehouse: Warehouse, reader: Reader) -> None:
    rows = warehouse.rows
    day = 24 * 60
    for days_ago, value in enumerate((9.0, 0.1, 0.2, 0.3, 9.0)):
        rows.estimate(AAPL, days_ago * day, value=value)
        rows.estimate(AAPL, days_ago * day + 1, value=5.0)
    rows.estimate(AAPL, 2 * day, estimator="ewma", value=7.0)
    [usual] = listed(reader.usual(AAPL, "cc", [rows.minute], "UTC", days=3), "bar_start", "days", "low", "middle")
    assert usual == [pd.Timestamp(rows.minute), 3, pytest.approx(0.12), 0.2]


def test_the_time_of_day_is_that_of_the_market(warehouse: Warehouse, reader: Reader) -> None:
    rows = warehouse.rows
    rows.minute = datetime(2026, 3, 9, 14, 0, tzinfo=UTC)  # the first Monday of summer time in New York
    rows.make_partitions(rows.minute - timedelta(days=3), rows.minute)
    three_days = 3 * 24 * 60
    rows.estimate(AAPL, three_days, value=0.2)
    rows.estimate(AAPL, three_days - 60, value=0.1)
    for zone, value in (("UTC", 0.2), ("America/New_York", 0.1)):
        assert reader.usual(AAPL, "cc", [rows.minute], zone, days=3)["middle"].tolist() == [value]


def test_a_series_that_no_watch_list_names_follows_the_calendar_of_its_form(
    reader: Reader,
) -> None:
    assert [reader.calendar(each) for each in (AAPL, Series("finnhub", "AAPL"))] == ["24/7", "XNYS"]


def test_of_two_models_the_newer_estimate_is_read(warehouse: Warehouse, reader: Reader) -> None:
    rows = warehouse.rows
    rows.estimate(AAPL, model_version="10", value=0.2, updated_at=rows.minute - timedelta(days=1))
    rows.estimate(AAPL, model_version="9", value=0.3)
    rows.estimate(AAPL, estimator="yang-zhang")
    found = reader.volatility(AAPL, last_minutes(rows, 1), ("cc",))
    assert listed(found, "estimator", "value") == [["cc", 0.3]]


def test_alerts_pass_the_whole_filter(warehouse: Warehouse, reader: Reader) -> None:
    rows = warehouse.rows
    wanted = rows.alert(AAPL, minutes_ago=5, state="CLOSED", severity="LOW")
    rows.alert(AAPL, minutes_ago=5, kind="REOPEN", state="CLOSED", severity="HIGH")
    rows.alert(AAPL, minutes_ago=9, state="CLOSED", severity="LOW")
    rows.alert(NVDA, minutes_ago=5, state="CLOSED", severity="LOW")
    rows.alert(REPLAYED, minutes_ago=5, state="CLOSED", severity="LOW")
    rows.alert(AAPL, severity="LOW")
    start = rows.minute - timedelta(minutes=6)
    asked = AlertFilter(("CLOSED", "RETRACTED"), ("LOW",), "simulator", "AAPL", start, rows.minute)
    assert reader.alerts(asked, 10)["alert_id"].tolist() == [wanted]
    assert len(reader.alerts(AlertFilter(), 10)) == 6
    assert len(reader.alerts(AlertFilter(), 2)) == 2


@pytest.mark.parametrize("symbol", ["'; DROP TABLE stock_alerts; --", "<script>alert(1)</script>", "%s", "100%"])
def test_names_are_parameters(warehouse: Warehouse, reader: Reader, symbol: str) -> None:
    series = Series("simulator", symbol)
    warehouse.rows.bar(series)
    warehouse.rows.alert(series)
    assert reader.series() == [series]
    assert reader.alerts(AlertFilter(symbol=symbol), 10)["symbol"].tolist() == [symbol]


def test_an_acknowledgement_is_written_once_with_who_and_when(warehouse: Warehouse, reader: Reader) -> None:
    alert_id = warehouse.rows.alert(AAPL)
    assert [reader.acknowledge(alert_id, "Ada", "earnings"), reader.acknowledge(alert_id, "Bob", None)] == [True, False]
    alert = reader.alert(alert_id)
    assert alert is not None
    assert alert.acknowledged_at is not None
    assert (alert.acknowledged_by, alert.note, dict(alert.why)) == ("Ada", "earnings", {"statistic": 6.2, "trades": 57})
    assert datetime.now(UTC) - alert.acknowledged_at < timedelta(minutes=1)
    events = reader.alert_events(alert_id)
    assert listed(events, "event", "actor", "detail") == [
        ["ACKNOWLEDGED", "Ada", "earnings"],
        ["OPEN", "pipeline", None],
    ]


def test_the_hops_count_the_last_day_and_tell_when_each_last_had_rows(warehouse: Warehouse, reader: Reader) -> None:
    warehouse.rows.run(timedelta(days=2), bars=1000)
    warehouse.rows.run(timedelta(minutes=5), alerts=3)
    warehouse.rows.run(timedelta(minutes=1), bars=7)
    hops = reader.hops()
    assert listed(hops, "hop", "rows_1d", "rows_last_run") == [
        ["raw objects read", 12, 6],
        ["trades loaded", 1200, 600],
        ["trades rejected", 4, 2],
        ["bars written", 17, 7],
        ["volatility rows written", 120, 60],
        ["alert changes", 3, 0],
    ]
    assert hops["age_seconds"].round(-1).tolist() == [60.0] * 5 + [300.0]
    assert hops["lag_seconds"].round(-1).tolist() == pytest.approx([65.0] * 6, abs=6)
    assert hops["rows_per_minute"].tolist() == [1.2, 120.0, 0.4, 1.7, 12.0, 0.3]


def test_the_detector_shows_how_far_it_is_ahead_and_how_old_that_is(postgres: Postgres, warehouse: Warehouse) -> None:
    warehouse.rows.position(0, 200)
    received = (datetime.now(UTC) - timedelta(seconds=30)).timestamp() * 1000
    detector = postgres.settings("volwatch_detector", warehouse.settings.database)
    with closing(connect(detector, application_name="test")) as connection, connection.cursor() as cursor:
        for partition, offset in ((0, 250), (1, 70)):
            cursor.execute(
                """INSERT INTO detector_state (kafka_partition, next_offset, since_offset, revision, watermarks,
                       engine_version, config_hash, checksum, state)
                   VALUES (%s, %s, 0, 0, jsonb_build_object('simulator', %s, 'old', 0), '1', '0', '0', '')""",
                (partition, offset, received),
            )
        connection.commit()
    with closing(open_reader(warehouse.settings, connections=1, application_name="test")) as reader:
        found = reader.detector()
    assert found[["kafka_partition", "next_offset"]].to_numpy().tolist() == [[0, 250], [1, 70]]
    assert found["ahead"].fillna(-1).tolist() == [50, -1]
    assert found["lag_seconds"].tolist() == pytest.approx([30, 30], abs=10)
    assert found["age_seconds"].max() < 10


def test_what_is_wrong_with_the_record_is_counted(warehouse: Warehouse, reader: Reader) -> None:
    assert reader.troubles() == Troubles(0, 0, 0)
    warehouse.rows.raw_object("a", 0, 0, 99, fault="not gzip")
    warehouse.rows.alert(AAPL, kind="BLIND")
    assert reader.troubles() == Troubles(alert_differences=0, unreadable_objects=1, blind=1)


def test_bars_come_with_what_the_detector_said_of_each(warehouse: Warehouse, reader: Reader) -> None:
    rows = warehouse.rows
    for minutes_ago in range(4):
        rows.bar(AAPL, minutes_ago, close=100.0 + minutes_ago)
    rows.signal(AAPL, 1, statistic=5.0)
    rows.signal(NVDA, 2, statistic=9.0)
    found = reader.judged_bars(AAPL, rows.minute - timedelta(minutes=2), rows.minute)
    assert listed(found, "bar_start", "close") == [
        [pd.Timestamp(rows.minute - timedelta(minutes=back)), 100.0 + back] for back in (2, 1)
    ]
    assert found["statistic"].fillna(-1).tolist() == [-1, 5.0]
    assert found["log_range"].fillna(-1).tolist() == [-1, 0.01]


def test_alerts_come_in_the_order_asked_for(warehouse: Warehouse, reader: Reader) -> None:
    rows = warehouse.rows
    day = timedelta(days=1)
    old = rows.alert(NVDA, 9, severity="LOW", statistic=9.0, state="CLOSED", closed_at=rows.minute)
    new = rows.alert(AAPL, 1, severity="MEDIUM", statistic=4.0, state="CLOSED", closed_at=rows.minute)
    high = rows.alert(REPLAYED, 5, severity="HIGH", statistic=5.0, state="CLOSED", closed_at=rows.minute + day)
    found = {order: reader.alerts(AlertFilter(), 10, order)["alert_id"].tolist() for order in get_args(AlertOrder)}
    assert found == {
        "newest": [new, high, old],
        "severity": [high, new, old],
        "strongest": [old, high, new],
        "longest": [high, old, new],
        "symbol": [new, high, old],
    }


def test_a_position_shows_its_newest_object(warehouse: Warehouse, reader: Reader) -> None:
    warehouse.rows.position(0, 200, gaps=4)
    warehouse.rows.position(1, 0)
    warehouse.rows.raw_object("a", 0, 0, 99)
    warehouse.rows.raw_object("b", 0, 100, 199)
    assert listed(reader.positions(), "kafka_partition", "next_offset", "gaps", "object_key") == [
        [0, 200, 4, "b"],
        [1, 0, 0, None],
    ]


def test_quarantine_is_counted_by_reason_with_the_newest_example(warehouse: Warehouse, reader: Reader) -> None:
    for offset, (reason, record) in enumerate([("MALFORMED", "x"), ("BAD_PRICE", "0"), ("BAD_PRICE", "-1")]):
        warehouse.rows.rejected(offset, reason, record)
    assert listed(reader.quarantine(), "reason", "rows_1d", "record") == [["BAD_PRICE", 2, "-1"], ["MALFORMED", 1, "x"]]


def test_the_totals_are_of_the_newest_reconciliation_and_of_all_runs(warehouse: Warehouse, reader: Reader) -> None:
    rows = warehouse.rows
    rows.run(timedelta(days=2))
    rows.run()
    rows.position(0, 10, gaps=3)
    rows.reconciliation(rows.minute - timedelta(days=1), 0, missing_raw=99, unloaded=0)
    rows.reconciliation(rows.minute, 0, missing_raw=5, unloaded=0)
    rows.reconciliation(rows.minute, 1, missing_raw=0, unloaded=2)
    rows.alert(AAPL)
    rows.alert(NVDA, state="ESCALATED", severity="LOW")
    rows.alert(NVDA, minutes_ago=9, state="CLOSED")
    totals = reader.totals()
    assert totals.rows == {"loaded": 1200, "rejected": 4}
    assert totals.open_alerts == {"LOW": 1, "MEDIUM": 0, "HIGH": 1}
    assert (totals.load_gaps, totals.reconcile_difference_rows) == (3, 7)


def test_the_totals_tell_what_people_said_of_alerts_and_how_many_are_silenced(
    warehouse: Warehouse, reader: Reader
) -> None:
    first, second = warehouse.rows.alert(AAPL), warehouse.rows.alert(AAPL, kind="REOPEN", state="CLOSED")
    warehouse.rows.alert(NVDA)
    with pytest.raises(BadInput, match="a reason is needed"):
        reader.silence("Ada", "", Scope(symbol="AAPL"), timedelta(hours=1))
    reader.silence("Ada", "a test", Scope(symbol="AAPL"), timedelta(hours=1))
    reader.acknowledge(first, "Ada", None)
    reader.mark_false_positive(second, "Ada", None, is_false=True)
    totals = reader.totals()
    assert totals.silenced_alerts == 1
    reopened, moved = totals.alert_quality
    assert (reopened.kind, reopened.false_positive_rate, reopened.p90_acknowledge_seconds) == ("REOPEN", 1.0, None)
    assert (moved.kind, moved.false_positive_rate) == ("VOLATILITY", 0.0)
    assert moved.median_acknowledge_seconds == pytest.approx(0, abs=60)
    assert reader.alert_quality(None, "NVDA")["judged"].tolist() == [0]


def test_the_totals_count_unreadable_objects_and_the_last_days_rejects_by_reason(
    warehouse: Warehouse, reader: Reader
) -> None:
    rows = warehouse.rows
    for number, fault in enumerate([None, "BAD_GZIP", "BAD_HEADER", "BAD_GZIP"]):
        rows.raw_object(f"object-{number}", 0, number * 10, number * 10 + 9, fault)
    for offset, reason in enumerate(["LATE", "BAD_PRICE", "LATE"]):
        rows.rejected(offset, reason, "x")
    rows.rejected(9, "FUTURE", "x", age=timedelta(hours=25))
    totals = reader.totals()
    assert totals.unreadable_objects == {"BAD_GZIP": 2, "BAD_HEADER": 1}
    assert totals.quarantined_1d == {"BAD_PRICE": 1, "LATE": 2}


def test_the_totals_have_the_series_of_the_last_week_with_the_watch_lists_calendar(
    warehouse: Warehouse, reader: Reader, postgres: Postgres
) -> None:
    rows = warehouse.rows
    rows.standing(AAPL, timedelta(days=6))
    rows.standing(NVDA)
    rows.standing(REPLAYED, timedelta(days=8))
    with (
        closing(connect(postgres.settings(OWNER, warehouse.settings.database), application_name="test")) as owner,
        owner,
        owner.cursor() as cursor,
    ):
        cursor.execute("INSERT INTO watchlist VALUES ('NVDA', 'XLON')")
    assert reader.totals().live == (
        LiveSeries(AAPL, None, rows.minute - timedelta(days=6)),
        LiveSeries(NVDA, "XLON", rows.minute),
    )


def test_a_count_of_the_newest_hours_adds_a_difference_and_takes_none_away(
    warehouse: Warehouse, reader: Reader
) -> None:
    rows = warehouse.rows
    midnight, hour = rows.minute - timedelta(hours=5), rows.minute - timedelta(hours=1)
    rows.reconciliation(midnight - timedelta(days=1), 0, missing_raw=99, unloaded=0)
    rows.reconciliation(midnight, 0, missing_raw=5, unloaded=1)
    rows.reconciliation(hour, 0, missing_raw=0, unloaded=0, since=hour)
    whole = (Reconciliation(midnight, 0, 0, 600, 600, 598, 2, missing_raw=5, unloaded=1),)
    assert (reader.totals().reconcile_difference_rows, reader.totals().reconciled) == (6, whole)
    rows.reconciliation(rows.minute, 0, missing_raw=0, unloaded=8, since=hour)
    assert (reader.totals().reconcile_difference_rows, reader.totals().reconciled) == (8, whole)
    assert reader.reconciliation()["missing_raw"].tolist() == [5]
    rows.reconciliation(rows.minute + timedelta(seconds=1), 0, missing_raw=0, unloaded=0)
    assert reader.totals().reconcile_difference_rows == 0


def test_a_warehouse_that_was_only_counted_in_part_tells_of_that(warehouse: Warehouse, reader: Reader) -> None:
    rows = warehouse.rows
    rows.reconciliation(rows.minute, 0, missing_raw=0, unloaded=8, since=rows.minute)
    totals = reader.totals()
    assert (totals.reconcile_difference_rows, totals.reconciled) == (8, ())


def test_the_session_cannot_write(warehouse: Warehouse) -> None:
    connection = connect(warehouse.settings, application_name="test")
    with connection, connection.cursor() as cursor, pytest.raises(InsufficientPrivilege):
        cursor.execute("DELETE FROM stock_alerts")
    connection.set_session(readonly=True)
    with connection.cursor() as cursor, pytest.raises(ReadOnlySqlTransaction):
        cursor.execute("SELECT acknowledge_alert(gen_random_uuid(), 'x')")
    connection.close()


def test_a_lost_connection_is_replaced_at_the_next_question(
    warehouse: Warehouse, reader: Reader, postgres: Postgres
) -> None:
    warehouse.rows.run()
    reader.freshness()
    with postgres.admin() as admin, admin.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE usename = 'volwatch_dashboard' AND datname = %s",
            (warehouse.settings.database,),
        )
    assert reader.freshness().last_run is not None


def test_a_schema_that_is_not_there_yet_is_worth_waiting_for(postgres: Postgres) -> None:
    settings = postgres.settings("postgres", "postgres")
    reader = open_reader(settings, connections=1, application_name="test")
    with pytest.raises(Transient, match="pipeline_runs"):
        reader.freshness()
    reader.close()


def test_a_server_that_is_away_is_transient(warehouse: Warehouse) -> None:
    nowhere = warehouse.settings.model_copy(update={"port": 1})
    with pytest.raises(Transient):
        open_reader(nowhere, connections=1, application_name="test").freshness()
