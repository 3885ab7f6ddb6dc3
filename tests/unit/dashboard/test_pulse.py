"""The market's pulse: what is counted, how it is asked for, and what the first page tells of feeds."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import figures_market, pulse, wording
from tests.dashboard.fakes import some_ratios


def table(*rows: tuple[str, str, float | None, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["source", "state", "ratio", "age_seconds"])


def test_the_pulse_is_the_median_of_what_is_of_now() -> None:
    rows = table(
        ("simulator", wording.CALM, 1.0, 10),
        ("simulator", wording.ALERT, 4.0, 10),
        ("simulator", wording.WARM_UP, None, 10),
        ("simulator", wording.STALE, 9.0, 999),
        ("simulator", wording.CLOSED, 9.0, 999),
        ("simulator", wording.HALTED, 9.0, 999),
    )
    assert pulse.pulse_now(rows) == 2.5
    assert pulse.pulse_now(rows.iloc[2:]) is None


def test_each_time_has_the_median_of_its_series() -> None:
    by_time = pulse.pulse_by_time(some_ratios([[1.0, 1.0], [2.0, 1.0], [6.0, 4.0]]))
    assert by_time["median"].tolist() == [2.0, 1.0]
    assert by_time["series"].tolist() == [3, 3]
    assert by_time["high"].tolist() == pytest.approx([5.2, 3.4])


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=30))
def test_the_band_holds_the_median(ratios: list[float]) -> None:
    [reached] = pulse.pulse_by_time(some_ratios([[ratio] for ratio in ratios]))[["low", "median", "high"]].to_numpy()
    assert sorted([min(ratios), *reached, max(ratios)]) == pytest.approx([min(ratios), *reached, max(ratios)])


def test_the_heat_map_has_the_hottest_of_late_on_top_and_no_more_than_asked() -> None:
    ratios = some_ratios([[9.0, *[1.0] * 6], [1.0, *[2.0] * 6], [1.0, *[0.5] * 6]])
    heat = pulse.heat_table(ratios, most=2)
    assert heat.index.tolist() == ["S1", "S0"]
    assert heat.to_numpy().tolist() == [[1.0, *[2.0] * 6], [9.0, *[1.0] * 6]]


def test_a_time_without_a_bar_is_empty_in_the_heat_map() -> None:
    heat = pulse.heat_table(some_ratios([[1.0, 2.0], [1.0]]), most=5)
    assert heat.isna().sum(axis=1).to_dict() == {"S0": 0, "S1": 1}


def test_of_two_sources_a_symbol_is_told_with_its_source() -> None:
    rows = pd.concat([some_ratios([[1.0]]), some_ratios([[1.0]], source="replay-x")])
    assert pulse.series_labels(rows).tolist() == ["S0 · simulator", "S0 · replay-x"]


def test_a_feed_of_which_nothing_comes_is_told_and_a_closed_market_is_no_fault() -> None:
    rows = table(
        ("a", wording.STALE, 1.0, 500),
        ("a", wording.HALTED, 1.0, 400),
        ("a", wording.CLOSED, 1.0, 9_000),
        ("b", wording.CLOSED, 1.0, 9_000),
        ("c", wording.CALM, 1.0, 5),
        ("c", wording.STALE, 1.0, 500),
    )
    feeds = pulse.feed_table(rows)
    assert feeds[["source", "health", "newest", "live", "stale", "halted", "closed"]].to_numpy().tolist() == [
        ["a", "SILENT: check the producer and its connection", "6 min ago", 0, 1, 1, 1],
        ["b", "market closed", "2 h ago", 0, 0, 0, 1],
        ["c", "1 of 2 series silent", "5 s ago", 1, 1, 0, 0],
    ]


def test_the_heat_map_counts_doublings_and_a_symbol_is_text() -> None:
    ratios = some_ratios([[1.0, 4.0]]).assign(symbol="<b>x</b>")
    [heat] = figures_market.heat_figure(pulse.heat_table(ratios, 5), "r").data
    assert heat.z.tolist() == [[0.0, 2.0]]
    assert list(heat.y) == ["&lt;b&gt;x&lt;/b&gt;"]


def test_the_pulse_is_drawn_in_its_band_and_keeps_the_zoom() -> None:
    figure = figures_market.pulse_figure(pulse.pulse_by_time(some_ratios([[1.0, 2.0]])), "r")
    assert [list(trace.y) for trace in figure.data] == [[1.0, 2.0]] * 3
    assert figure.layout.uirevision == "r"


def test_a_day_is_asked_for_by_the_hours_of_the_clock() -> None:
    end = datetime(2026, 1, 5, 2, 30, 15, tzinfo=UTC)
    hours = pulse.hours_until(end, timedelta(hours=3))
    assert [(start.strftime("%H:%M"), stop.strftime("%H:%M")) for start, stop in hours] == [
        ("23:00", "00:00"),
        ("00:00", "01:00"),
        ("01:00", "02:00"),
        ("02:00", "02:30"),
    ]


@given(minutes=st.integers(0, 3_000), length=st.integers(1, 2_000))
def test_hours_cover_the_time_once_and_stay_the_same_while_it_goes_on(minutes: int, length: int) -> None:
    end = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(minutes=minutes)
    hours = pulse.hours_until(end, timedelta(minutes=length))
    assert hours[0][0] <= end - timedelta(minutes=length) < hours[0][0] + timedelta(hours=1)
    assert hours[-1][1] == end
    assert all(before[1] == after[0] for before, after in pairwise(hours))
    later = pulse.hours_until(end + timedelta(minutes=1), timedelta(minutes=length))
    assert set(hours[1:-1]) <= set(later)
