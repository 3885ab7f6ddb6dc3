"""The picture of why an alert was raised: the bars around its onset, what was usual, and S against its threshold."""

import math
from datetime import datetime, timedelta

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.chart_frame import Range, exactly
from dashboard.figures import candles
from dashboard.palette import ACCENT, ALARM, MUTED

BEFORE, AFTER, LONGEST = timedelta(minutes=40), timedelta(minutes=12), timedelta(hours=2)
_MINUTE = timedelta(minutes=1)
_HEIGHTS = {2: [0.55, 0.45], 3: [0.42, 0.28, 0.30]}


def why_range(onset: datetime, closed: datetime | None) -> Range:
    """Return what the picture shows: some time before the onset, and the episode as far as it has a place."""
    end = max(closed or onset, onset + _MINUTE) + AFTER
    return onset - BEFORE, min(end, onset + LONGEST)


def why_figure(bars: pd.DataFrame, onset: datetime, shown: Range, *, judged: bool) -> go.Figure:
    """Return prices, the range of each bar beside the usual one and, where the detector judged, S with its threshold.

    Parameters
    ----------
    bars : pandas.DataFrame
        As ``judged_bars`` of the reader.
    judged : bool
        Whether the alert is one of S; those of other rules have a threshold of another kind.
    """
    rows = 3 if judged else 2
    signals = bars[bars["log_range"].notna()]
    figure = make_subplots(rows=rows, cols=1, shared_xaxes=True, row_heights=_HEIGHTS[rows], vertical_spacing=0.05)
    figure.add_trace(candles(bars), row=1, col=1)
    figure.add_traces([_ranges(signals, onset), _usual_range(signals)], rows=2, cols=1)
    figure.update_yaxes(title_text="Price", nticks=5, row=1, col=1)
    figure.update_yaxes(title_text="Range, %", rangemode="tozero", nticks=4, row=2, col=1)
    if judged:
        figure.add_traces([*_statistic(signals), *_above(signals)], rows=3, cols=1)
        figure.update_yaxes(title_text="S", nticks=4, row=3, col=1)
    # The onset bar stands in a stripe through all of it.
    figure.add_vrect(
        x0=onset - _MINUTE / 2, x1=onset + _MINUTE / 2, fillcolor=ALARM, opacity=0.18, line_width=0, layer="below"
    )
    figure.update_layout(
        height=420 if judged else 320,
        margin={"l": 64, "r": 12, "t": 28, "b": 36},
        hovermode="x unified",
        legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"},
        bargap=0.25,
        uirevision=onset.isoformat(),
    )
    figure.update_yaxes(automargin=False, zeroline=False)
    figure.update_xaxes(autorangeoptions=exactly(shown), rangeslider_visible=False, hoverformat="%Y-%m-%d %H:%M UTC")
    figure.update_xaxes(title={"text": "UTC", "standoff": 4}, row=rows, col=1)
    return figure


def percent_of(log_ranges: "pd.Series[float]") -> "pd.Series[float]":
    """Return ranges as per cent of the price, as the sentence of an alert has them, from ln(ln(high/low))."""
    return log_ranges.map(lambda value: math.expm1(math.exp(value)) * 100)


def _ranges(signals: pd.DataFrame, onset: datetime) -> go.Bar:
    return go.Bar(
        x=signals["bar_start"],
        y=percent_of(signals["log_range"]),
        marker_color=[ALARM if start == onset else MUTED for start in signals["bar_start"]],
        name="Range of the bar",
        hovertemplate="%{y:.3f} %",
    )


def _usual_range(signals: pd.DataFrame) -> go.Scatter:
    return go.Scatter(
        x=signals["bar_start"],
        y=percent_of(signals["expected_log_range"]),
        name="Usual at this time of day",
        mode="lines",
        line={"color": ACCENT, "width": 2},
        hovertemplate="%{y:.3f} %",
    )


def _statistic(signals: pd.DataFrame) -> tuple[go.Scatter, go.Scatter]:
    statistic = go.Scatter(
        x=signals["bar_start"],
        y=signals["statistic"],
        name="S",
        mode="lines",
        line={"color": ACCENT, "width": 1.8},
        hovertemplate="%{y:.2f}",
        showlegend=False,
    )
    threshold = go.Scatter(
        x=signals["bar_start"],
        y=signals["threshold"],
        name="Opens at",
        mode="lines",
        line={"color": ALARM, "width": 1.5, "dash": "dash"},
        hovertemplate="%{y:.2f}",
    )
    return statistic, threshold


def _above(signals: pd.DataFrame) -> tuple[go.Scatter]:
    reached = signals[signals["statistic"] >= signals["threshold"]]
    marks = go.Scatter(
        x=reached["bar_start"],
        y=reached["statistic"],
        name="At or above it",
        mode="markers",
        marker={"color": ALARM, "size": 6},
        hoverinfo="skip",
        showlegend=False,
    )
    return (marks,)
