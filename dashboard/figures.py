"""The charts, as pure functions of frames. Times are UTC; volatility is in per cent a year.

Colours are told apart by the colour-blind and stand on light and dark ground alike.
"""

from collections.abc import Sequence
from datetime import datetime
from html import escape

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.wording import estimator_text, reason_text

UP, DOWN, ACCENT, MUTED, ALARM = "#2a9d8f", "#e07a3f", "#3b82c4", "#8d99a6", "#d1495b"
LINES = (ACCENT, "#e0a030", "#2a9d8f", "#a06cd5", "#d1495b", "#7f8c5a", "#5aa9c4", "#b07d62")

Range = tuple[datetime, datetime]


def price_figure(bars: pd.DataFrame, alerts: pd.DataFrame, shown: Range, revision: str) -> go.Figure:
    """Return candles over volume, with a marker above the bar at which each alert began."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.78, 0.22], vertical_spacing=0.03)
    figure.add_trace(candles(bars), row=1, col=1)
    colours = [UP if close >= open_ else DOWN for open_, close in zip(bars["open"], bars["close"], strict=True)]
    volume = go.Bar(x=bars["bar_start"], y=bars["volume"], marker_color=colours, name="Volume", showlegend=False)
    figure.add_trace(volume, row=2, col=1)
    figure.add_trace(_alert_markers(bars, alerts), row=1, col=1)
    figure.update_xaxes(rangeslider_visible=False)
    figure.update_yaxes(title_text="Price", row=1, col=1)
    figure.update_yaxes(title_text="Volume", rangemode="tozero", nticks=3, row=2, col=1)
    return _finish(figure, shown, revision, height=440)


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


def volatility_figure(estimates: pd.DataFrame, shown: Range, revision: str) -> go.Figure:
    """Return one line per estimator and window; a missing value is a gap, its reason is told at the foot of it.

    Raises
    ------
    ValueError
        The estimates are of more than one annualisation: their values cannot be compared in one chart.
    """
    _refuse_mixed_annualisations(estimates)
    figure = go.Figure()
    estimates = estimates.sort_values(["estimator", "window_bars", "bar_start"])
    names = [
        estimator_text(name, bars) for name, bars in zip(estimates["estimator"], estimates["window_bars"], strict=True)
    ]
    for place, (name, rows) in enumerate(estimates.groupby(names, sort=False)):
        line = _broken_at_holes(rows, "value")
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
    figure.add_trace(_missing_markers(estimates))
    figure.update_yaxes(title_text="% a year", rangemode="tozero")
    return _finish(figure, shown, revision, height=320)


def _refuse_mixed_annualisations(estimates: pd.DataFrame) -> None:
    codes = estimates["annualisation"].unique()
    if len(codes) > 1:
        raise ValueError(f"annualisations {sorted(codes)} do not belong in one chart")


def signal_figure(signals: pd.DataFrame, shown: Range, revision: str) -> go.Figure:
    """Return the detector's statistic S with the threshold at which an alert opens."""
    line = _broken_at_holes(signals, "statistic")
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
    figure.add_trace(_missing_markers(signals))
    figure.update_traces(hovertemplate="%{y:.2f}", selector={"mode": "lines"})
    figure.update_yaxes(title_text="S")
    return _finish(figure, shown, revision, height=260)


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
    return _finish(figure, shown, revision, height=220)


def sharpe_figure(estimates: pd.DataFrame, shown: Range, revision: str) -> go.Figure:
    """Return the rolling Sharpe ratio in a band of one standard error to each side; raises as ``volatility_figure``."""
    _refuse_mixed_annualisations(estimates)
    line = _broken_at_holes(estimates, "value")
    upper, lower = line["value"] + line["standard_error"], line["value"] - line["standard_error"]
    edge = {"width": 0, "color": ACCENT}
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(x=line["bar_start"], y=upper, mode="lines", line=edge, showlegend=False, hoverinfo="skip")
    )
    figure.add_trace(
        go.Scatter(
            x=line["bar_start"],
            y=lower,
            mode="lines",
            line=edge,
            fill="tonexty",
            fillcolor="rgba(59,130,196,0.18)",
            name="± one standard error",
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=line["bar_start"],
            y=line["value"],
            customdata=line["standard_error"],
            name="Sharpe ratio",
            mode="lines",
            line={"color": ACCENT, "width": 1.8},
            hovertemplate="%{y:.2f} ± %{customdata:.2f}",
        )
    )
    figure.add_trace(_missing_markers(estimates))
    figure.update_yaxes(title_text="Sharpe, a year")
    return _finish(figure, shown, revision, height=260)


def _alert_markers(bars: pd.DataFrame, alerts: pd.DataFrame) -> go.Scatter:
    highs = bars.set_index("bar_start")["high"]
    marked = alerts[alerts["onset_bar"].isin(highs.index)]
    return go.Scatter(
        x=marked["onset_bar"],
        y=highs.reindex(marked["onset_bar"]),
        # Plotly reads tags in a hover text; a symbol is text.
        text=[escape(f"{row.severity} {row.state}: {row.sentence}") for row in marked.itertuples()],
        hovertemplate="%{text}<extra></extra>",
        mode="markers",
        marker={"symbol": "triangle-down", "size": 13, "color": ALARM, "line": {"width": 1, "color": "white"}},
        name="Alert",
        showlegend=not marked.empty,
    )


def _missing_markers(rows: pd.DataFrame) -> go.Scatter:
    """Return a mark at the foot of the chart for each bar that has no value, which says why on hover."""
    missing = rows[rows["null_reason"].notna()].drop_duplicates(["bar_start", "null_reason"])
    return go.Scatter(
        x=missing["bar_start"],
        y=[0] * len(missing),
        text=[escape(reason_text(reason)) for reason in missing["null_reason"]],
        hovertemplate="%{text}<extra></extra>",
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 6, "color": MUTED},
        name="No value",
        showlegend=not missing.empty,
    )


def _broken_at_holes(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the rows with an empty one inside each hole, so that a line does not bridge time in which nothing was."""
    if len(rows) < 3:
        return rows
    step = rows["bar_start"].diff()
    # A weekend between daily bars is no hole, an hour between minute bars is.
    holes = rows[step > step.median() * 5]
    fillers = pd.DataFrame({"bar_start": holes["bar_start"] - step.median(), column: float("nan")})
    return pd.concat([rows, fillers]).sort_values("bar_start", kind="stable") if len(fillers) else rows


def _finish(figure: go.Figure, shown: Sequence[datetime], revision: str, *, height: int) -> go.Figure:
    """Give a chart the frame that all share, so that charts of one range stand exactly below one another."""
    figure.update_layout(
        height=height,
        margin={"l": 70, "r": 12, "t": 24, "b": 36},
        hovermode="x unified",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        # The same revision over refreshes keeps what the user zoomed to.
        uirevision=revision,
        dragmode="zoom",
        bargap=0.15,
    )
    figure.update_yaxes(automargin=False, zeroline=False)
    figure.update_xaxes(range=list(shown), hoverformat="%Y-%m-%d %H:%M UTC")
    bottom = list(figure.select_xaxes())[-1]
    bottom.title = {"text": "UTC", "standoff": 4}
    return figure
