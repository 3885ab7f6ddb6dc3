"""One series in full: price, drawdown, volatility, the detector's statistic, returns and their spread; by day its
volatility and Sharpe ratio."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard import ranges, risk, wording
from dashboard.chart_frame import Range
from dashboard.display import Display, answer, chart, header, live
from dashboard.figures import price_figure, returns_figure, signal_figure, volatility_figure
from dashboard.figures_risk import cone_figure, distribution_figure, drawdown_figure, sharpe_figure
from dashboard.ranges import DAY_SECONDS, MINUTE_SECONDS
from dashboard.reading import DashboardReader
from volwatch.analytics.calendars import calendar_named
from volwatch.analytics.volatility import DAILY_ESTIMATORS, MINUTE_ESTIMATORS
from volwatch.warehouse.readings import AlertFilter, Series, Span

DEFAULT_ESTIMATORS = ("cc", "ewma")
DAILY_RANGE = timedelta(days=400)
RISK_RANGE, RISK_REFRESH_SECONDS = timedelta(days=5), 30.0
BARS_REFRESH_SECONDS = 5.0  # bars come once a minute
MOST_ALERTS = 500
_TOOLS = ("toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d")


def render(reader: DashboardReader, display: Display) -> None:
    """Draw the page of the series in the address (``?symbol=&source=``)."""
    header(reader, display, "Symbol")
    known = answer(display, reader.series)
    if not known:
        st.info("There is no series yet. It appears when its first bar is loaded.", icon=":material/candlestick_chart:")
        return
    series, choice, estimators = _controls(known)
    live(display, lambda: _range(reader, series, choice, estimators), BARS_REFRESH_SECONDS)
    st.subheader("Risk, by the minute bars of the last five days")
    live(display, lambda: _risk(reader, series), RISK_REFRESH_SECONDS)
    st.subheader("By day")
    live(display, lambda: _days(reader, series), RISK_REFRESH_SECONDS)


def asked_series(known: list[Series], symbol: str | None, source: str | None) -> Series | None:
    """Return the first series that fits what an address asks for."""
    fitting = [series for series in known if series.symbol == symbol and source in (None, series.source)]
    return fitting[0] if fitting else None


def _controls(known: list[Series]) -> tuple[Series, str, tuple[str, ...]]:
    which, how_long, how = st.columns([2, 2, 3], vertical_alignment="bottom")
    with which:
        series = _series_box(known)
    chosen = how_long.segmented_control("Range", ranges.CHOICES, default=ranges.DEFAULT, key="range", required=True)
    estimators = how.multiselect(
        "Volatility estimators",
        MINUTE_ESTIMATORS,
        default=DEFAULT_ESTIMATORS,
        format_func=lambda name: wording.ESTIMATOR_NAMES.get(name, name),
        key="estimators",
        help="The first one is shown with what was usual for it at that time of day",
    )
    return series, chosen or ranges.DEFAULT, tuple(estimators)


def _series_box(known: list[Series]) -> Series:
    """Draw the choice of a series, bound to the address in both directions."""
    symbol, source = st.query_params.get("symbol"), st.query_params.get("source")
    asked = asked_series(known, symbol, source)
    if symbol is not None and asked is None:
        st.warning("The series in the address has no bars. Choose one of these.", icon=":material/search_off:")
    wanted = asked or known[0]
    if st.session_state.get("series") != wanted:
        st.session_state["series"] = wanted
    chosen = st.selectbox("Series", known, key="series", format_func=_series_label, on_change=_write_address)
    return chosen or wanted


def _series_label(series: Series) -> str:
    return f"{series.symbol} · {series.source}"


def _write_address() -> None:
    series: Series = st.session_state["series"]
    st.query_params.update({"symbol": series.symbol, "source": series.source})


def _range(reader: DashboardReader, series: Series, choice: str, estimators: tuple[str, ...]) -> None:
    span = _span(reader, series, choice)
    if span is None:
        st.info("This series has no one-minute bars yet.", icon=":material/candlestick_chart:")
        return
    revision = f"{series.source}/{series.symbol}/{choice}"
    candles = reader.candles(series, span)
    asked = AlertFilter(source=series.source, symbol=series.symbol, start=span.start, end=span.end)
    # A series younger than the range fills the chart all the same.
    shown = (max(span.start, candles["bar_start"].min().to_pydatetime()), span.end)
    st.markdown(f"**Price** · one candle for every {wording.step_text(span.step_seconds)}")
    _chart(price_figure(candles, reader.alerts(asked, MOST_ALERTS), shown, revision), "price")
    st.markdown("**Drawdown** · below the highest close of the range so far")
    _chart(drawdown_figure(candles, shown, revision), "drawdown")
    by_minute = span.bar_seconds == MINUTE_SECONDS
    usual = _usual(reader, series, span, estimators) if by_minute else None
    _volatility(reader.volatility(series, span, estimators), shown, revision, "minute", usual)
    _statistic(reader.signals(series, span) if by_minute else None, shown, revision)
    st.markdown(f"**Returns** · log return over every {wording.step_text(span.step_seconds)}, without nights")
    _chart(returns_figure(candles, shown, revision), "returns")


def _span(reader: DashboardReader, series: Series, choice: str) -> Span | None:
    newest = reader.newest_bar(series, MINUTE_SECONDS)
    if newest is None:
        return None
    if choice != ranges.ALL:
        return ranges.span_of(choice, newest)
    newest_day = reader.newest_bar(series, DAY_SECONDS)
    oldest = [reader.oldest_bar(series, seconds) for seconds in (MINUTE_SECONDS, DAY_SECONDS)]
    return ranges.span_of_all(min(time for time in oldest if time is not None), newest, newest_day)


def _usual(reader: DashboardReader, series: Series, span: Span, estimators: tuple[str, ...]) -> pd.DataFrame | None:
    """Return what was usual for the first of the estimators; None where none is chosen."""
    if not estimators:
        return None
    zone = ranges.zone_of(reader.calendar(series))
    usual = reader.usual(series, estimators[0], ranges.usual_moments(span), zone, ranges.USUAL_DAYS)
    return usual.assign(estimator=estimators[0])


def _volatility(
    estimates: pd.DataFrame, shown: Range, revision: str, key: str, usual: pd.DataFrame | None = None
) -> None:
    """Draw one chart per annualisation: values annualised in different ways are never compared."""
    if estimates.empty:
        st.markdown("**Volatility**")
        st.text("No estimate in this range. Choose an estimator or a longer range.")
    for code, rows in estimates.groupby("annualisation", sort=True):
        st.markdown(f"**Volatility** · annualised by {code}")
        band = usual if usual is not None and usual["estimator"].isin(rows["estimator"]).any() else None
        _chart(volatility_figure(rows, shown, revision, band), f"volatility-{key}-{code}")
        if usual is not None and usual.empty:
            st.caption("What is usual at this time of day is drawn once a day before this one has been seen.")
        _explain_missing(rows)


def _statistic(signals: pd.DataFrame | None, shown: Range, revision: str) -> None:
    st.markdown("**Detector** · statistic S and the threshold at which an alert opens")
    if signals is None:
        st.text("By day there is no statistic. Choose a shorter range.")
        return
    if signals.empty:
        st.text("The detector has not judged a bar of this range.")
        return
    _chart(signal_figure(signals, shown, revision), "signal")
    _explain_missing(signals)


def _risk(reader: DashboardReader, series: Series) -> None:
    newest = reader.newest_bar(series, MINUTE_SECONDS)
    if newest is None:
        return
    end = newest + timedelta(seconds=MINUTE_SECONDS)
    returns = reader.bars(series, end - RISK_RANGE, end, MINUTE_SECONDS)["log_return"]
    spread = risk.spread(returns)
    if spread is None:
        st.text("Too few returns so far, or none that moved. Twenty are needed.")
        return
    revision = f"{series.source}/{series.symbol}/risk"
    left, right = st.columns(2)
    with left:
        st.markdown("**Returns** · how one-minute log returns are spread")
        _chart(distribution_figure(risk.distribution(returns), revision), "distribution")
        st.caption(wording.spread_text(spread, risk.normal_far_share()))
    with right:
        calendar = calendar_named(reader.calendar(series))
        st.markdown(f"**Volatility cone** · realised, annualised by {calendar.minute.code}")
        cone = risk.volatility_cone(returns, calendar.minute.per_year)
        if len(cone) < 2:  # of one horizon there is no cone
            st.text("Too few returns so far: a cone needs two horizons.")
            return
        _chart(cone_figure(cone, revision), "cone")
        st.caption("Now against all windows of the last five days; windows overlap, so the edges rest on few of them.")


def _days(reader: DashboardReader, series: Series) -> None:
    now = reader.freshness().now
    newest = _newest_day(reader, series, now)
    span = Span(newest - DAILY_RANGE, newest + timedelta(days=1), DAY_SECONDS, DAY_SECONDS)
    revision = f"{series.source}/{series.symbol}/days"
    estimates = reader.volatility(series, span, (*DAILY_ESTIMATORS, "sharpe"))
    if estimates.empty:
        st.text("INSUFFICIENT_DATA: no daily bar is complete yet. The first one is written when its session ends.")
        return
    is_sharpe = estimates["estimator"] == "sharpe"
    shown = (estimates["bar_start"].min().to_pydatetime(), span.end)
    _volatility(estimates[~is_sharpe], shown, revision, "day")
    _sharpe(estimates[is_sharpe], lambda rows: sharpe_figure(rows, shown, revision))


def _newest_day(reader: DashboardReader, series: Series, now: datetime) -> datetime:
    return reader.newest_bar(series, DAY_SECONDS) or now


def _sharpe(estimates: pd.DataFrame, draw: Callable[[pd.DataFrame], go.Figure]) -> None:
    for code, rows in estimates.groupby("annualisation", sort=True):
        st.markdown(f"**Rolling Sharpe ratio** · daily returns, annualised by {code}, ± one standard error")
        if rows["value"].notna().any():
            _chart(draw(rows), f"sharpe-{code}")
        _explain_missing(rows)


def _explain_missing(rows: pd.DataFrame) -> None:
    """Say in words why values are missing, and since when every one of the newest bar's is."""
    counts = rows["null_reason"].value_counts()
    for reason, count in counts.items():
        st.caption(f"No value {count} ×: {wording.reason_text(str(reason))}.")


def _chart(figure: go.Figure, key: str) -> None:
    chart(figure, key, _TOOLS)
