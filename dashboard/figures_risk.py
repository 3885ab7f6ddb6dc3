"""The charts of how risky a series is, as pure functions of frames."""

import pandas as pd
import plotly.graph_objects as go

from dashboard.chart_frame import (
    Range,
    band,
    broken_at_holes,
    finish,
    missing_markers,
    plain,
    refuse_mixed_annualisations,
)
from dashboard.palette import ACCENT, ALARM, DOWN, MUTED, UP, faint
from dashboard.wording import bars_text


def drawdown_figure(bars: pd.DataFrame, shown: Range, revision: str) -> go.Figure:
    """Return how far the close is below the highest close before it in the range, in per cent."""
    fall = bars.assign(fall=(bars["close"] / bars["close"].cummax() - 1) * 100, peak=0.0)
    line = broken_at_holes(fall, "fall")
    figure = go.Figure(band(line, "fall", "peak", faint(DOWN, 0.22), "Ground"))
    figure.add_trace(
        go.Scatter(
            x=line["bar_start"],
            y=line["fall"],
            mode="lines",
            line={"color": DOWN, "width": 1.3},
            name="Drawdown",
            hovertemplate="%{y:.2f} %",
        )
    )
    figure.update_traces(showlegend=False)
    figure.update_yaxes(title_text="% below peak")
    return finish(figure, shown, revision, height=200)


def distribution_figure(counted: pd.DataFrame, revision: str) -> go.Figure:
    """Return how often returns were of each size, with how often they would be if they were normal.

    Parameters
    ----------
    counted : DataFrame
        As of ``risk.distribution``.
    """
    colours = [UP if middle >= 0 else DOWN for middle in counted["middle"]]
    figure = go.Figure(
        go.Bar(
            x=counted["middle"] * 100,
            y=counted["share"] * 100,
            marker={"color": colours, "opacity": 0.8},
            name="Returns",
            hovertemplate="%{y:.2f} % of the bars<extra></extra>",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=counted["middle"] * 100,
            y=counted["normal"] * 100,
            mode="lines",
            line={"color": MUTED, "width": 1.8},
            name="Normal of the same spread",
            hovertemplate="%{y:.2f} % if normal<extra></extra>",
        )
    )
    figure.update_xaxes(title_text="log return, % a bar")
    figure.update_yaxes(title_text="% of the bars", rangemode="tozero")
    return plain(figure, revision)


def cone_figure(cone: pd.DataFrame, revision: str) -> go.Figure:
    """Return volatility by horizon: now, in the bands that it kept to over the time looked at.

    Parameters
    ----------
    cone : DataFrame
        As of ``risk.volatility_cone``.
    """
    names = [bars_text(int(bars)) for bars in cone["horizon_bars"]]
    figure = go.Figure()
    for upper, lower, share, name in (("most", "least", 0.12, "All"), ("high", "low", 0.22, "80 %")):
        edge = {"width": 0, "color": ACCENT}
        figure.add_trace(
            go.Scatter(x=names, y=cone[upper] * 100, mode="lines", line=edge, showlegend=False, hoverinfo="skip")
        )
        figure.add_trace(
            go.Scatter(
                x=names,
                y=cone[lower] * 100,
                mode="lines",
                line=edge,
                fill="tonexty",
                fillcolor=faint(ACCENT, share),
                name=name,
                customdata=cone[[upper]] * 100,
                hovertemplate="%{y:.1f} to %{customdata[0]:.1f} %",
            )
        )
    figure.add_trace(
        go.Scatter(
            x=names,
            y=cone["middle"] * 100,
            mode="lines",
            line={"color": ACCENT, "width": 1.5, "dash": "dot"},
            name="Median",
            hovertemplate="%{y:.1f} %",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=names,
            y=cone["now"] * 100,
            mode="lines+markers",
            line={"color": ALARM, "width": 1.8},
            marker={"size": 8, "symbol": "diamond"},
            name="Now",
            hovertemplate="%{y:.1f} %",
        )
    )
    figure.update_xaxes(type="category", title_text="horizon")
    figure.update_yaxes(title_text="% a year", rangemode="tozero")
    figure.update_layout(hovermode="x unified")
    return plain(figure, revision)


def sharpe_figure(estimates: pd.DataFrame, shown: Range, revision: str) -> go.Figure:
    """Return the rolling Sharpe ratio in a band of one standard error to each side; raises as ``volatility_figure``."""
    refuse_mixed_annualisations(estimates)
    line = broken_at_holes(estimates, "value")
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
            fillcolor=faint(ACCENT, 0.18),
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
    figure.add_traces(missing_markers(estimates))
    figure.update_yaxes(title_text="Sharpe, a year")
    return finish(figure, shown, revision, height=260)
