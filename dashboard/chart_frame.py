"""What the charts of one series share: the range in UTC, the zoom that survives, gaps and what they mean."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboard.palette import LINES, MUTED
from dashboard.wording import reason_text

Range = tuple[datetime, datetime]


def finish(figure: go.Figure, shown: Sequence[datetime], revision: str, *, height: int) -> go.Figure:
    """Give a chart the frame that all share, so that charts of one range stand exactly below one another."""
    figure.update_layout(
        height=height,
        margin={"l": 70, "r": 12, "t": 24, "b": 36},
        hovermode="x unified",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        uirevision=revision,
        dragmode="zoom",
        bargap=0.15,
    )
    figure.update_yaxes(automargin=False, zeroline=False)
    figure.update_xaxes(autorangeoptions=exactly(shown), hoverformat="%Y-%m-%d %H:%M UTC")
    bottom = list(figure.select_xaxes())[-1]
    bottom.title = {"text": "UTC", "standoff": 4}
    return figure


def plain(figure: go.Figure, revision: str) -> go.Figure:
    """Give a chart without an axis of time the frame of the others."""
    figure.update_layout(
        height=300,
        margin={"l": 60, "r": 12, "t": 24, "b": 44},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        uirevision=revision,
        bargap=0.05,
    )
    return figure


def exactly(shown: Sequence[datetime | None]) -> dict[str, Any]:
    """Return what makes an axis show this range while nobody has zoomed: a double click leads back to it."""
    start, end = shown
    return {"include": [start, end], "clipmin": start, "clipmax": end}


def broken_at_holes(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the rows with an empty one inside each hole, so that a line does not bridge time in which nothing was."""
    if len(rows) < 3:
        return rows
    step = rows["bar_start"].diff()
    # A weekend between daily bars is no hole, an hour between minute bars is.
    holes = rows[step > step.median() * 5]
    fillers = pd.DataFrame({"bar_start": holes["bar_start"] - step.median(), column: float("nan")})
    if fillers.empty:
        return rows
    return pd.concat([rows, fillers], ignore_index=True).sort_values("bar_start", kind="stable", ignore_index=True)


def band(rows: pd.DataFrame, low: str, high: str, colour: str, name: str) -> go.Scatter:
    """Return the ground between two columns, closed at each hole: plotly's own filling would bridge the holes."""
    place = (rows[low].isna() | rows[high].isna()).cumsum()
    known = rows.dropna(subset=[low, high])
    times: list[datetime | None] = []
    values: list[float | None] = []
    for _, piece in known.groupby(place[known.index]):
        there, back = piece["bar_start"].tolist(), piece["bar_start"].tolist()[::-1]
        times += [*there, *back, None]
        values += [*piece[high].tolist(), *piece[low].tolist()[::-1], None]
    return go.Scatter(
        x=times, y=values, mode="lines", line={"width": 0}, fill="toself", fillcolor=colour, name=name, hoverinfo="skip"
    )


def missing_markers(rows: pd.DataFrame) -> list[go.Scatter]:
    """Return, for each reason why values are missing, a mark at the foot of the chart for each bar without one; the
    reason stands in the legend and on hover."""
    missing = rows[rows["null_reason"].notna()].drop_duplicates(["bar_start", "null_reason"])
    if missing.empty:
        return [_missing_of(missing, "No value", MUTED)]
    by_reason = missing.groupby("null_reason", sort=True)
    return [
        _missing_of(of_reason, reason_text(str(reason)), LINES[-1 - place % len(LINES)] if place else MUTED)
        for place, (reason, of_reason) in enumerate(by_reason)
    ]


def _missing_of(rows: pd.DataFrame, name: str, colour: str) -> go.Scatter:
    return go.Scatter(
        x=rows["bar_start"],
        y=[0] * len(rows),
        # Plotly reads tags in texts; a reason is text.
        text=[escape(reason_text(reason)) for reason in rows["null_reason"]],
        hovertemplate="%{text}<extra></extra>",
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 6, "color": colour},
        name=escape(name),
        showlegend=not rows.empty,
    )


def refuse_mixed_annualisations(estimates: pd.DataFrame) -> None:
    """Raise ``ValueError`` where estimates are of more than one annualisation: they cannot be compared in one chart."""
    codes = estimates["annualisation"].unique()
    if len(codes) > 1:
        raise ValueError(f"annualisations {sorted(codes)} do not belong in one chart")
