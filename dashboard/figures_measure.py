"""The chart of what levels of S are worth, as a pure function of a frame."""

import pandas as pd
import plotly.graph_objects as go

from dashboard.chart_frame import plain
from dashboard.palette import ACCENT


def trade_off_figure(levels: pd.DataFrame, revision: str) -> go.Figure:
    """Return recall against false alarms a symbol-day: a point with its name for each level that has both.

    Parameters
    ----------
    levels : DataFrame
        As of ``measuring.Measured``.
    """
    known = levels.dropna(subset=["recall", "false_per_symbol_day"])
    figure = go.Figure(
        go.Scatter(
            x=known["false_per_symbol_day"],
            y=known["recall"] * 100,
            text=[f"S {level:.1f}" for level in known["level"]],
            textposition="bottom right",
            mode="lines+markers+text",
            marker={"size": 10, "color": ACCENT},
            line={"width": 1, "dash": "dot", "color": ACCENT},
            hovertemplate="%{text}: %{y:.1f} % of the events, %{x:.3f} false alarms a symbol-day<extra></extra>",
            cliponaxis=False,
        )
    )
    figure.update_xaxes(title_text="false alarms a symbol-day", rangemode="tozero")
    figure.update_yaxes(title_text="recall, %", range=[0, 105])
    return plain(figure, revision)
