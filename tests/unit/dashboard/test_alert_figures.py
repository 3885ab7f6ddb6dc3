"""The picture of an alert, as traces."""

import math
from datetime import timedelta

import pandas as pd
import pytest

from dashboard.alert_figures import percent_of, why_figure, why_range
from dashboard.palette import ALARM, MUTED
from tests.dashboard.fakes import NEWEST_BAR, some_bars, some_signals

SHOWN = why_range(NEWEST_BAR, None)


def judged_bars(statistics: list[float]) -> pd.DataFrame:
    return some_bars(len(statistics)).merge(some_signals(statistics).drop(columns=["final"]), on="bar_start")


def test_it_shows_the_time_before_the_onset_and_the_episode_but_never_more_than_two_hours_of_it() -> None:
    assert why_range(NEWEST_BAR, NEWEST_BAR + timedelta(minutes=8))[1] == NEWEST_BAR + timedelta(minutes=20)
    assert why_range(NEWEST_BAR, NEWEST_BAR + timedelta(days=1))[1] == NEWEST_BAR + timedelta(hours=2)
    assert why_range(NEWEST_BAR, None)[0] == NEWEST_BAR - timedelta(minutes=40)


def test_ranges_are_those_of_the_sentence() -> None:
    assert percent_of(pd.Series([math.log(math.log(1.0092))])).tolist() == [pytest.approx(0.92)]


def test_the_bar_of_the_onset_is_marked_and_the_usual_range_stands_beside_it() -> None:
    figure = why_figure(judged_bars([1.0, 2.0, 5.0]), NEWEST_BAR, SHOWN, judged=True)
    _, ranges, usual, *_ = figure.data
    assert list(ranges.marker.color) == [MUTED, MUTED, ALARM]
    assert list(usual.y) == percent_of(some_signals([1.0, 2.0, 5.0])["expected_log_range"]).tolist()
    [stripe] = figure.layout.shapes[:1]
    assert pd.Timestamp(stripe.x0) < pd.Timestamp(NEWEST_BAR) < pd.Timestamp(stripe.x1)


def test_the_statistic_stands_against_its_threshold() -> None:
    *_, statistic, threshold, above = why_figure(judged_bars([1.0, 3.7, 5.0]), NEWEST_BAR, SHOWN, judged=True).data
    assert (list(statistic.y), list(threshold.y), list(above.y)) == ([1.0, 3.7, 5.0], [3.7] * 3, [3.7, 5.0])


def test_a_bar_that_was_not_judged_has_its_prices_alone() -> None:
    bars = judged_bars([1.0, 2.0, 5.0])
    bars.loc[0, ["log_range", "expected_log_range", "statistic"]] = float("nan")
    price, ranges, *_ = why_figure(bars, NEWEST_BAR, SHOWN, judged=True).data
    assert (len(price.x), len(ranges.x)) == (3, 2)


def test_an_alert_of_another_rule_shows_no_statistic() -> None:
    figure = why_figure(judged_bars([1.0, 5.0]), NEWEST_BAR, SHOWN, judged=False)
    assert [trace.name for trace in figure.data] == ["Price", "Range of the bar", "Usual at this time of day"]


def test_no_row_makes_an_empty_picture() -> None:
    figure = why_figure(judged_bars([]), NEWEST_BAR, SHOWN, judged=True)
    assert all(len(trace.x) == 0 for trace in figure.data)
