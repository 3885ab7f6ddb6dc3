from collections.abc import Callable
from datetime import timedelta

import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import figures, figures_risk
from tests.dashboard.fakes import (
    EMPTY_ALERTS,
    EMPTY_BARS,
    EMPTY_ESTIMATES,
    EMPTY_SIGNALS,
    NEWEST_BAR,
    NOW,
    FakeReader,
    some_alert,
    some_bars,
    some_estimates,
    some_signals,
    some_usual,
)
from volwatch.warehouse.readings import AlertFilter

SHOWN = (NOW - timedelta(hours=1), NOW)


def alerts_of(symbol: str) -> pd.DataFrame:
    alert = some_alert(symbol)
    return FakeReader(alert_rows={alert.alert_id: alert}).alerts(AlertFilter(), 10)


def values(trace: go.Scatter) -> list[float | None]:
    return [None if pd.isna(value) else round(float(value), 9) for value in trace.y]


def test_volatility_is_drawn_in_per_cent_with_the_estimator_and_its_window_named() -> None:
    estimates = pd.concat([some_estimates("ewma", [0.5, 0.6]), some_estimates("cc", [0.25, 0.3])])
    traces = figures.volatility_figure(estimates, SHOWN, "r").data
    drawn = {trace.name: values(trace) for trace in traces[:2]}
    assert drawn == {"Close-to-close (60 bars)": [25.0, 30.0], "EWMA (60 bars)": [50.0, 60.0]}


def test_a_missing_value_is_a_gap_and_tells_its_reason() -> None:
    line, missing = figures.volatility_figure(some_estimates("cc", [0.2, None, 0.3]), SHOWN, "r").data
    assert values(line) == [20.0, None, 30.0]
    assert list(pd.to_datetime(missing.x, utc=True)) == [pd.Timestamp(NEWEST_BAR - timedelta(minutes=1))]
    assert list(missing.text) == ["INSUFFICIENT_DATA: too few bars yet: the window is still filling"]


@pytest.mark.parametrize("figure", [figures.volatility_figure, figures_risk.sharpe_figure])
def test_annualisations_in_one_chart_are_refused(figure: Callable[..., go.Figure]) -> None:
    mixed = pd.concat([some_estimates(annualisation="US_DAILY"), some_estimates(annualisation="CRYPTO_1M")])
    with pytest.raises(ValueError, match=r"CRYPTO_1M.*US_DAILY.*do not belong in one chart"):
        figure(mixed, SHOWN, "r")


def test_a_line_does_not_bridge_a_hole_in_time() -> None:
    estimates = some_estimates("cc", [0.1] * 30).drop(index=range(5, 20))
    line = figures.volatility_figure(estimates, SHOWN, "r").data[0]
    assert values(line) == [10.0] * 5 + [None] + [10.0] * 10


@settings(max_examples=15)  # a figure takes a hundredth of a second to make
@given(st.lists(st.booleans(), min_size=3, max_size=40).filter(any))
def test_every_value_is_drawn_once_and_in_order(kept: list[bool]) -> None:
    rows = some_estimates("cc", [place / 100 for place in range(len(kept))])[kept]
    line = figures.volatility_figure(rows, SHOWN, "r").data[0]
    assert [value for value in values(line) if value is not None] == [round(v * 100, 9) for v in rows["value"]]


def test_an_alert_is_marked_above_its_onset_bar_and_its_sentence_is_text() -> None:
    markers = figures.price_figure(some_bars(), alerts_of("<b>x</b>"), SHOWN, "r").data[-1]
    assert list(pd.to_datetime(markers.x, utc=True)) == [pd.Timestamp(some_alert().onset_bar)]
    assert markers.text[0].startswith("HIGH OPEN: &lt;b&gt;x&lt;/b&gt; 14:56Z")


def test_an_alert_whose_bar_is_not_shown_is_not_marked() -> None:
    markers = figures.price_figure(some_bars(2), alerts_of("AAPL"), SHOWN, "r").data[-1]
    assert (len(markers.x), markers.showlegend) == (0, False)


def test_the_statistic_is_drawn_with_its_threshold_and_what_reaches_it() -> None:
    statistic, threshold, above, _ = figures.signal_figure(some_signals([1.0, 3.7, 5.0]), SHOWN, "r").data
    assert (values(statistic), values(threshold), values(above)) == ([1.0, 3.7, 5.0], [3.7] * 3, [3.7, 5.0])


def test_the_sharpe_ratio_has_a_band_of_one_standard_error() -> None:
    estimates = some_estimates("sharpe", [0.5, 1.0], standard_error=2.0)
    upper, lower, ratio, _ = figures_risk.sharpe_figure(estimates, SHOWN, "r").data
    assert (values(upper), values(lower), values(ratio)) == ([2.5, 3.0], [-1.5, -1.0], [0.5, 1.0])


def test_returns_are_in_per_cent() -> None:
    bars = some_bars(2)
    assert values(figures.returns_figure(bars, SHOWN, "r").data[0]) == [0.1, -0.1]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.price_figure(some_bars(), EMPTY_ALERTS, SHOWN, "r"),
        lambda: figures.volatility_figure(some_estimates(), SHOWN, "r"),
        lambda: figures.signal_figure(some_signals(), SHOWN, "r"),
        lambda: figures.returns_figure(some_bars(), SHOWN, "r"),
        lambda: figures_risk.sharpe_figure(some_estimates("sharpe", standard_error=1.0), SHOWN, "r"),
    ],
)
def test_every_chart_shows_the_same_range_in_utc_and_keeps_the_zoom(draw: Callable[[], go.Figure]) -> None:
    figure = draw()
    axes = list(figure.select_xaxes())
    start, end = SHOWN
    # All of it, and no more of it: see the proof in a browser that a double click leads back to it.
    exactly = ((start, end), start, end)
    options = [axis.autorangeoptions for axis in axes]
    assert {(tuple(option.include), option.clipmin, option.clipmax) for option in options} == {exactly}
    assert {axis.range for axis in axes} == {None}
    assert axes[-1].title.text == "UTC"
    assert figure.layout.uirevision == "r"


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.price_figure(EMPTY_BARS, EMPTY_ALERTS, SHOWN, "r"),
        lambda: figures.volatility_figure(EMPTY_ESTIMATES, SHOWN, "r"),
        lambda: figures.signal_figure(EMPTY_SIGNALS, SHOWN, "r"),
        lambda: figures.returns_figure(EMPTY_BARS, SHOWN, "r"),
        lambda: figures_risk.sharpe_figure(EMPTY_ESTIMATES, SHOWN, "r"),
    ],
)
def test_no_row_makes_an_empty_chart(draw: Callable[[], go.Figure]) -> None:
    assert all(len(trace.x) == 0 for trace in draw().data)


def test_an_episode_is_shaded_from_its_onset_to_its_close_or_to_the_end_and_a_retracted_one_is_not() -> None:
    [start, end] = [NOW - timedelta(minutes=2), NOW]
    closed = NOW - timedelta(minutes=1)
    alerts = pd.concat([alerts_of("A"), alerts_of("B"), alerts_of("C")], ignore_index=True)
    alerts["state"] = ["OPEN", "CLOSED", "RETRACTED"]
    alerts["closed_at"] = pd.Series([pd.NaT, closed, closed], dtype="datetime64[ns, UTC]")
    alerts["onset_bar"] = [NEWEST_BAR - timedelta(minutes=3), NEWEST_BAR, NEWEST_BAR]
    shades = figures.price_figure(some_bars(), alerts, (start, end), "r").layout.shapes
    assert [(pd.Timestamp(each.x0), pd.Timestamp(each.x1)) for each in shades] == [
        (pd.Timestamp(start), pd.Timestamp(end)),
        (pd.Timestamp(NEWEST_BAR), pd.Timestamp(closed)),
    ]


def test_an_alert_within_a_long_candle_is_marked_at_the_high_of_it() -> None:
    bars = some_bars(3).assign(bar_start=[NEWEST_BAR - timedelta(minutes=back) for back in (10, 5, 0)])
    alerts = alerts_of("AAPL")
    markers = figures.price_figure(bars, alerts, SHOWN, "r").data[-1]
    assert list(markers.y) == [bars["high"][1]]


def test_the_usual_value_is_a_band_in_per_cent_that_names_its_estimator() -> None:
    usual = some_usual([0.2, 0.3]).assign(estimator="cc")
    ground, middle = figures.volatility_figure(some_estimates("cc"), SHOWN, "r", usual).data[-2:]
    assert (values(ground), values(middle)) == ([30.0, 40.0, 20.0, 10.0, None], [20.0, 30.0])
    assert ground.name == "Usual at that time of day, Close-to-close (80 % of up to 5 days)"


def test_each_reason_of_a_missing_value_has_its_own_name() -> None:
    rows = pd.concat([some_estimates("cc", [None, 0.2]), some_estimates("cc", [0.2, None], reason="HALTED")])
    names = [trace.name for trace in figures.volatility_figure(rows, SHOWN, "r").data[1:]]
    assert names == [
        "HALTED: trading was halted",
        "INSUFFICIENT_DATA: too few bars yet: the window is still filling",
    ]


def test_a_band_does_not_bridge_a_hole_in_time() -> None:
    usual = some_usual([0.2] * 30).assign(estimator="cc").drop(index=range(5, 20))
    ground, middle = figures.volatility_figure(some_estimates("cc"), SHOWN, "r", usual).data[-2:]
    pieces = [[30.0] * count + [10.0] * count + [None] for count in (5, 10)]
    assert values(ground) == [value for piece in pieces for value in piece]
    assert values(middle) == [20.0] * 5 + [None] + [20.0] * 10


def test_the_vwap_does_not_bridge_a_night() -> None:
    bars = some_bars(30).drop(index=range(5, 20))
    [vwap] = [trace for trace in figures.price_figure(bars, EMPTY_ALERTS, SHOWN, "r").data if trace.name == "VWAP"]
    assert values(vwap) == [100.0] * 5 + [None] + [100.0] * 10
