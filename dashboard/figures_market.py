"""The charts of the market as a whole, as pure functions of frames. A ratio of 1 is usual for the time of day."""

from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.palette import ACCENT, CALM_TO_AGITATED, MUTED, faint

MOST_EXTREME = 2.0
"""Doublings at which the colour of the heat map is at its end: a quarter of the usual, four times the usual."""


def pulse_figure(pulse: pd.DataFrame, revision: str) -> go.Figure:
    """Return the median ratio of all series over time, in a band of the middle 80 %, on an axis of doublings."""
    edge = {"width": 0, "color": ACCENT}
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(x=pulse["bin_start"], y=pulse["high"], mode="lines", line=edge, showlegend=False, hoverinfo="skip")
    )
    figure.add_trace(
        go.Scatter(
            x=pulse["bin_start"],
            y=pulse["low"],
            mode="lines",
            line=edge,
            fill="tonexty",
            fillcolor=faint(ACCENT, 0.18),
            name="80 % of the series",
            customdata=pulse[["high"]],
            hovertemplate="%{y:.2f}× to %{customdata[0]:.2f}×",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=pulse["bin_start"],
            y=pulse["median"],
            mode="lines",
            line={"color": ACCENT, "width": 2},
            name="Median",
            customdata=pulse[["series"]],
            hovertemplate="%{y:.2f}× of %{customdata[0]} series",
        )
    )
    figure.add_hline(y=1, line={"color": MUTED, "width": 1, "dash": "dot"})
    figure.update_yaxes(
        type="log", tickvals=[0.25, 0.5, 1, 2, 4, 8], ticktext=["¼×", "½×", "usual", "2×", "4×", "8×"], zeroline=False
    )
    _frame(figure, revision, height=220)
    figure.update_layout(hovermode="x unified")
    return figure


def heat_figure(table: pd.DataFrame, revision: str) -> go.Figure:
    """Return a map of ratios by series (the hottest on top) and time; what is missing is left empty.

    Parameters
    ----------
    table : DataFrame
        As of ``pulse.heat_table``.
    """
    doublings = np.log2(table.to_numpy("float64", na_value=np.nan))
    figure = go.Figure(
        go.Heatmap(
            # Plotly reads tags in labels; a symbol is text. What looks like a number must not become one.
            x=table.columns,
            y=[escape(str(label)) for label in table.index],
            z=doublings,
            customdata=np.exp2(doublings),
            zmin=-MOST_EXTREME,
            zmax=MOST_EXTREME,
            colorscale=[list(stop) for stop in CALM_TO_AGITATED],
            colorbar={
                "tickvals": [-2, -1, 0, 1, 2],
                "ticktext": ["¼×", "½×", "usual", "2×", "4×"],
                "thickness": 10,
                "outlinewidth": 0,
            },
            xgap=1,
            ygap=1,
            hoverongaps=False,
            hovertemplate="%{y}, %{x|%H:%M} UTC: %{customdata:.2f}× usual<extra></extra>",
        )
    )
    _frame(figure, revision, height=90 + 20 * max(len(table), 3))
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, automargin=True, dtick=1)
    figure.update_xaxes(showgrid=False)
    return figure


def _frame(figure: go.Figure, revision: str, *, height: int) -> None:
    figure.update_layout(
        height=height,
        margin={"l": 60, "r": 12, "t": 24, "b": 36},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        uirevision=revision,
    )
    figure.update_xaxes(hoverformat="%Y-%m-%d %H:%M UTC", title_text="UTC", type="date")
