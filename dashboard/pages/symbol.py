"""One series in full: price, volatility, the detector's statistic, returns; by day its volatility and Sharpe ratio."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard import wording
from dashboard.display import Display, answer, header, live
from dashboard.figures import (
    Range,
    price_figure,
    returns_figure,
    sharpe_figure,
    signal_figure,
    volatility_figure,
)
from dashboard.reading import DashboardReader
from volwatch.analytics.volatility import DAILY_ESTIMATORS, MINUTE_ESTIMATORS
from volwatch.warehouse.readings import AlertFilter, Series

MINUTE_SECONDS, DAY_SECONDS = 60, 86_400
RANGES = {"1 h": timedelta(hours=1), "6 h": timedelta(hours=6), "1 d": timedelta(days=1), "3 d": timedelta(days=3)}
DEFAULT_RANGE = "6 h"
DEFAULT_ESTIMATORS = ("cc", "ewma")
DAILY_RANGE = timedelta(days=400)
MOST_ALERTS = 500


def render(reader: DashboardReader, display: Display) -> None:
    """Draw the page of the series in the address (``?symbol=&source=``)."""
    header(reader, display, "Symbol")
    known = answer(display, reader.series)
    if not known:
        st.info("There is no series yet. It appears when its first bar is loaded.", icon=":material/candlestick_chart:")
        return
    series, length, estimators = _controls(known)
    live(display, lambda: _minutes(reader, series, length, estimators))
    st.subheader("By day")
    live(display, lambda: _days(reader, series))


def asked_series(known: list[Series], symbol: str | None, source: str | None) -> Series | None:
    """Return the first series that fits what an address asks for."""
    fitting = [series for series in known if series.symbol == symbol and source in (None, series.source)]
    return fitting[0] if fitting else None


def _controls(known: list[Series]) -> tuple[Series, timedelta, tuple[str, ...]]:
    which, how_long, how = st.columns([2, 2, 3], vertical_alignment="bottom")
    with which:
        series = _series_box(known)
    chosen = how_long.segmented_control("Range", list(RANGES), default=DEFAULT_RANGE, key="range", required=True)
    estimators = how.multiselect(
        "Volatility estimators",
        MINUTE_ESTIMATORS,
        default=DEFAULT_ESTIMATORS,
        format_func=lambda name: wording.ESTIMATOR_NAMES.get(name, name),
        key="estimators",
    )
    return series, RANGES[chosen or DEFAULT_RANGE], tuple(estimators)


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


def _minutes(reader: DashboardReader, series: Series, length: timedelta, estimators: tuple[str, ...]) -> None:
    newest = reader.newest_bar(series, MINUTE_SECONDS)
    if newest is None:
        st.info("This series has no one-minute bars yet.", icon=":material/candlestick_chart:")
        return
    end = newest + timedelta(seconds=MINUTE_SECONDS)
    start = end - length
    revision = f"{series.source}/{series.symbol}/{length}"
    bars = reader.bars(series, start, end, MINUTE_SECONDS)
    asked = AlertFilter(source=series.source, symbol=series.symbol, start=start, end=end)
    # A series younger than the range fills the chart all the same.
    shown = (max(start, bars["bar_start"].min().to_pydatetime()), end)
    _chart(price_figure(bars, reader.alerts(asked, MOST_ALERTS), shown, revision), "price")
    estimates = reader.volatility(series, start, end, MINUTE_SECONDS, estimators)
    _volatility(estimates, shown, revision, "minute")
    _statistic(reader.signals(series, start, end), shown, revision)
    st.markdown("**Returns** · log return of each one-minute bar")
    _chart(returns_figure(bars, shown, revision), "returns")


def _volatility(estimates: pd.DataFrame, shown: Range, revision: str, key: str) -> None:
    """Draw one chart per annualisation: values annualised in different ways are never compared."""
    if estimates.empty:
        st.markdown("**Volatility**")
        st.text("No estimate in this range. Choose an estimator or a longer range.")
    for code, rows in estimates.groupby("annualisation", sort=True):
        st.markdown(f"**Volatility** · annualised by {code}")
        _chart(volatility_figure(rows, shown, revision), f"volatility-{key}-{code}")
        _explain_missing(rows)


def _statistic(signals: pd.DataFrame, shown: Range, revision: str) -> None:
    st.markdown("**Detector** · statistic S and the threshold at which an alert opens")
    if signals.empty:
        st.text("The detector has not judged a bar of this range.")
        return
    _chart(signal_figure(signals, shown, revision), "signal")
    _explain_missing(signals)


def _days(reader: DashboardReader, series: Series) -> None:
    now = reader.freshness().now
    newest = _newest_day(reader, series, now)
    start, end = newest - DAILY_RANGE, newest + timedelta(days=1)
    revision = f"{series.source}/{series.symbol}/days"
    estimates = reader.volatility(series, start, end, DAY_SECONDS, (*DAILY_ESTIMATORS, "sharpe"))
    if estimates.empty:
        st.text("INSUFFICIENT_DATA: no daily bar is complete yet. The first one is written when its session ends.")
        return
    is_sharpe = estimates["estimator"] == "sharpe"
    shown = (estimates["bar_start"].min().to_pydatetime(), end)
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
    st.plotly_chart(figure, key=key, config={"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]})
