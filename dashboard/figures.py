"""The charts of one series over a range, as pure functions of frames. Times are UTC; volatility is in per cent a
year."""

from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.chart_frame import Range, band, broken_at_holes, finish, missing_markers, refuse_mixed_annualisations
from dashboard.palette import ACCENT, ALARM, DOWN, LINES, MUTED, UP, faint
from dashboard.wording import ESTIMATOR_NAMES, estimator_text

LASTING_STATES = ("OPEN", "ESCALATED", "CLOSED")


def price_figure(bars: pd.DataFrame, alerts: pd.DataFrame, shown: Range, revision: str) -> go.Figure:
    """Return candles with VWAP over volume, a marker above the candle in which each alert began, and a shade over
    the time that it lasted."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.78, 0.22], vertical_spacing=0.03)
    figure.add_trace(candles(bars), row=1, col=1)
    colours = [UP if close >= open_ else DOWN for open_, close in zip(bars["open"], bars["close"], strict=True)]
    volume = go.Bar(x=bars["bar_start"], y=bars["volume"], marker_color=colours, name="Volume", showlegend=False)
    figure.add_trace(volume, row=2, col=1)
    traded = broken_at_holes(bars, "vwap")
    vwap = go.Scatter(
        x=traded["bar_start"],
        y=traded["vwap"],
        name="VWAP",
        mode="lines",
        line={"color": ACCENT, "width": 1.2, "dash": "dot"},
        hovertemplate="%{y:.2f}",
    )
    figure.add_trace(vwap, row=1, col=1)
    figure.add_trace(_alert_markers(bars, alerts), row=1, col=1)
    figure.update_layout(shapes=_episodes(alerts, shown))
    figure.update_xaxes(rangeslider_visible=False)
    figure.update_yaxes(title_text="Price", row=1, col=1)
    figure.update_yaxes(title_text="Volume", rangemode="tozero", nticks=3, row=2, col=1)
    return finish(figure, shown, revision, height=440)


def candles(bars: pd.DataFrame) -> go.Candlestick:
    """Return the candles of bars."""
    return go.Candlestick(
        x=bars["bar_start"],
        open=bars["open"],
        high=bars["high"],
        low=bars["low"],
        close=bars["close"],
        increasing={"line": {"color": UP, "width": 1}, "fillcolor": UP},
        decreasing={"line": {"color": DOWN, "width": 1}, "fillcolor": DOWN},
        name="Price",
        showlegend=False,
    )


def _alert_markers(bars: pd.DataFrame, alerts: pd.DataFrame) -> go.Scatter:
    candle = _candle_of(bars["bar_start"], alerts["onset_bar"])
    marked = alerts[candle >= 0]
    return go.Scatter(
        x=marked["onset_bar"],
        y=bars["high"].to_numpy()[candle[candle >= 0]],
        # Plotly reads tags in a hover text; a symbol is text.
        text=[escape(f"{row.severity} {row.state}: {row.sentence}") for row in marked.itertuples()],
        hovertemplate="%{text}<extra></extra>",
        mode="markers",
        marker={"symbol": "triangle-down", "size": 13, "color": ALARM, "line": {"width": 1, "color": "white"}},
        name="Alert; shaded while it lasts",
        showlegend=not marked.empty,
    )


def _candle_of(starts: "pd.Series[pd.Timestamp]", onsets: "pd.Series[pd.Timestamp]") -> "np.ndarray[Any, Any]":
    """Return the index of the candle that each onset is in, -1 where it is in none."""
    if starts.empty or onsets.empty:
        return np.full(len(onsets), -1)
    opened = _epoch_seconds(starts)
    asked = _epoch_seconds(onsets)
    width = np.diff(opened).min() if len(opened) > 1 else 60
    found = np.searchsorted(opened, asked, side="right") - 1
    return np.where((found >= 0) & (asked - opened[np.maximum(found, 0)] < width), found, -1)


def _epoch_seconds(times: "pd.Series[pd.Timestamp]") -> "np.ndarray[Any, Any]":
    return pd.to_datetime(times, utc=True).dt.tz_localize(None).to_numpy("datetime64[s]").astype(np.int64)


def _episodes(alerts: pd.DataFrame, shown: Range) -> list[dict[str, Any]]:
    """Return a shade for each alert that stands, from its onset to its close, or to the end while it is open."""
    start, end = shown
    standing = alerts[alerts["state"].isin(LASTING_STATES)]
    return [
        {
            "type": "rect",
            "xref": "x",
            "yref": "y domain",
            "x0": max(onset, pd.Timestamp(start)),
            "x1": end if pd.isna(closed) else closed,
            "y0": 0,
            "y1": 1,
            "fillcolor": faint(ALARM, 0.14),
            "line": {"width": 0},
            "layer": "below",
        }
        for onset, closed in zip(standing["onset_bar"].tolist(), standing["closed_at"].tolist(), strict=True)
    ]


def volatility_figure(
    estimates: pd.DataFrame, shown: Range, revision: str, usual: pd.DataFrame | None = None
) -> go.Figure:
    """Return one line per estimator and window; a missing value is a gap, its reason is told at the foot of it.

    Parameters
    ----------
    usual : DataFrame or None
        What one of the estimators was at the same time of day before: columns ``bar_start``, ``estimator``, ``low``,
        ``middle``, ``high``, ``days``. It is drawn as a band.

    Raises
    ------
    ValueError
        The estimates are of more than one annualisation: their values cannot be compared in one chart.
    """
    refuse_mixed_annualisations(estimates)
    figure = go.Figure()
    estimates = estimates.sort_values(["estimator", "window_bars", "bar_start"])
    names = [
        estimator_text(name, bars) for name, bars in zip(estimates["estimator"], estimates["window_bars"], strict=True)
    ]
    for place, (name, rows) in enumerate(estimates.groupby(names, sort=False)):
        line = broken_at_holes(rows, "value")
        figure.add_trace(
            go.Scatter(
                x=line["bar_start"],
                y=line["value"] * 100,
                name=str(name),
                mode="lines",
                line={"color": LINES[place % len(LINES)], "width": 1.8},
                hovertemplate="%{y:.2f} %",
            )
        )
    figure.add_traces(missing_markers(estimates))
    if usual is not None and not usual.empty:
        figure.add_traces(_usual_band(usual))
    figure.update_yaxes(title_text="% a year", rangemode="tozero")
    return finish(figure, shown, revision, height=320)


def _usual_band(usual: pd.DataFrame) -> list[go.Scatter]:
    """Return a band from the tenth to the ninetieth percentile, and its middle."""
    name = ESTIMATOR_NAMES.get(usual["estimator"].iloc[0], usual["estimator"].iloc[0])
    columns = ["low", "middle", "high"]
    line = broken_at_holes(usual.assign(**{column: usual[column] * 100 for column in columns}), "middle")
    legend = f"Usual at that time of day, {name} (80 % of up to {usual['days'].max():.0f} days)"
    return [
        band(line, "low", "high", faint(MUTED, 0.3), legend),
        go.Scatter(
            x=line["bar_start"],
            y=line["middle"],
            mode="lines",
            line={"color": MUTED, "width": 1.2, "dash": "dot"},
            name="Usual",
            showlegend=False,
            customdata=line[["low", "high"]],
            hovertemplate="%{y:.2f} % (%{customdata[0]:.2f} to %{customdata[1]:.2f})",
        ),
    ]


def signal_figure(signals: pd.DataFrame, shown: Range, revision: str) -> go.Figure:
    """Return the detector's statistic S with the threshold at which an alert opens."""
    line = broken_at_holes(signals, "statistic")
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=line["bar_start"], y=line["statistic"], name="S", mode="lines", line={"color": ACCENT, "width": 1.5}
        )
    )
    figure.add_trace(
        go.Scatter(
            x=signals["bar_start"],
            y=signals["threshold"],
            name="Threshold",
            mode="lines",
            line={"color": ALARM, "width": 1.2, "dash": "dash", "shape": "hv"},
        )
    )
    above = signals[signals["statistic"] >= signals["threshold"]]
    figure.add_trace(
        go.Scatter(
            x=above["bar_start"],
            y=above["statistic"],
            name="At or above",
            mode="markers",
            marker={"color": ALARM, "size": 6, "symbol": "diamond"},
        )
    )
    figure.add_traces(missing_markers(signals))
    figure.update_traces(hovertemplate="%{y:.2f}", selector={"mode": "lines"})
    figure.update_yaxes(title_text="S")
    return finish(figure, shown, revision, height=260)


def returns_figure(bars: pd.DataFrame, shown: Range, revision: str) -> go.Figure:
    """Return the log return of each bar, in per cent."""
    returns = bars["log_return"] * 100
    colours = [UP if value >= 0 else DOWN for value in returns]
    figure = go.Figure(
        go.Bar(
            x=bars["bar_start"],
            y=returns,
            marker_color=colours,
            name="Log return",
            hovertemplate="%{y:.3f} %",
            showlegend=False,
        )
    )
    figure.update_yaxes(title_text="% a bar")
    return finish(figure, shown, revision, height=220)
