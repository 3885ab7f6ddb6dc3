"""How a detector's level trades false alarms for events found: a table, and the same as curves in a page."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from volwatch.analytics.trades import Int64
from volwatch.errors import BadInput
from volwatch.market.labels import Labels
from volwatch.market.scoring import Tally, count, nulls, total
from volwatch.research.intervals import Estimate, delay, f1, proportion, rate

LEVELS = tuple(round(3 + step / 10, 1) for step in range(21))
_HEADER = (
    "enter", "onsets", "per day", "false", "95 % interval", "null", "95 % interval", "ARL0", "recall", "precision",
    "F1", "delay",
)  # fmt: skip
_WIDTHS = (6, 8, 8, 7, 15, 7, 15, 9, 7, 10, 7, 6)


@dataclass(frozen=True, slots=True)
class Point:
    """What one level gives; ``labelled`` and ``calm`` (of null symbols) are empty where there are no labels.

    Attributes
    ----------
    onsets : int
        In all bars, those of the days of history too.
    onsets_per_symbol_day : float
    minutes_per_day : int
        Of a session.
    """

    enter: float
    onsets: int
    onsets_per_symbol_day: float
    minutes_per_day: int
    labelled: Tally
    calm: Tally

    @property
    def arl0(self) -> float | None:
        """Average run length of null symbols to a false alarm, in one-minute bars; None where there was none."""
        return self.calm.symbol_days * self.minutes_per_day / self.calm.false if self.calm.false else None


def point(
    enter: float, onsets: Mapping[str, Int64], symbol_days: int, minutes_per_day: int, labels: Labels | None
) -> Point:
    """Return what the onsets at a level are worth.

    Parameters
    ----------
    onsets : mapping
        Symbol to the starts of its onset bars, epoch ms, shape (n,).
    symbol_days : int
        Symbols times sessions of all bars.
    """
    tallies = {} if labels is None else count(labels, onsets)
    found = sum(map(len, onsets.values()))
    return Point(enter, found, found / max(symbol_days, 1), minutes_per_day, total(tallies), nulls(tallies))


def table_of(points: Sequence[Point], *, labelled: bool) -> str:
    """Return the points as a table for people."""
    columns = len(_HEADER) if labelled else 3
    lines = [_HEADER[:columns], *(_cells(one)[:columns] for one in points)]
    return "\n".join("".join(f"{cell:>{width}}" for cell, width in zip(line, _WIDTHS, strict=False)) for line in lines)


def _cells(one: Point) -> tuple[str, ...]:
    false, calm = (rate(tally.false_per_symbol_day) for tally in (one.labelled, one.calm))
    arl0 = "none" if one.arl0 is None else f"{one.arl0:,.0f}"
    shares = (proportion(one.labelled.recall), proportion(one.labelled.precision), f1(one.labelled))
    return (
        f"{one.enter:g}", f"{one.onsets:,}", f"{one.onsets_per_symbol_day:.3f}", _value(false), _interval(false),
        _value(calm), _interval(calm), arl0, *map(_value, shares), _value(delay(one.labelled, 0.5), ".0f"),
    )  # fmt: skip


def _value(estimate: Estimate, form: str = ".3f") -> str:
    return "none" if estimate.value is None else format(estimate.value, form)


def _interval(estimate: Estimate) -> str:
    return "" if estimate.value is None else f"[{estimate.low:.3f}, {estimate.high:.3f}]"


def write_curve(points: Sequence[Point], path: Path, *, labelled: bool) -> None:
    """Draw the points into a page that needs nothing but itself; the file appears whole or not at all.

    Raises
    ------
    BadInput
        The file cannot be written.
    """
    figure = _labelled_figure(points) if labelled else _bare_figure(points)
    page: str = figure.to_html(include_plotlyjs=True, full_html=True, div_id="sweep")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(page, "utf-8")
        part.replace(path)
    except OSError as error:
        raise BadInput([f"{path} cannot be written: {error}"]) from error
    finally:
        part.unlink(missing_ok=True)


def curve_faults(path: Path) -> list[str]:
    """Return why no page can be written there."""
    folder = path.resolve().parent
    if path.suffix.lower() != ".html":
        return [f"--curve: {path}: the suffix must be .html"]
    if path.is_dir() or not os.access(folder, os.W_OK):
        return [f"--curve: {path} cannot be written"]
    return []


def _labelled_figure(points: Sequence[Point]) -> go.Figure:
    figure = make_subplots(
        rows=1, cols=2, subplot_titles=("recall against false alarms", "precision, recall and F1 by level")
    )
    texts = [f"enter {one.enter:g}" for one in points]
    recall, precision = ([getattr(one.labelled, name).value for one in points] for name in ("recall", "precision"))
    harmonic = [f1(one.labelled).value for one in points]
    for name, rates in (
        ("all symbols", [one.labelled.false_per_symbol_day.value for one in points]),
        ("null symbols", [one.calm.false_per_symbol_day.value for one in points]),
    ):
        # A logarithmic axis has no 0: a level without a false alarm is beyond it.
        shown = [value or None for value in rates]
        figure.add_trace(go.Scatter(x=shown, y=recall, text=texts, name=name, mode="lines+markers"), row=1, col=1)
    levels = [one.enter for one in points]
    for name, values in (("precision", precision), ("recall", recall), ("F1", harmonic)):
        figure.add_trace(go.Scatter(x=levels, y=values, name=name, mode="lines+markers"), row=1, col=2)
    figure.update_xaxes(type="log", title="false alarms per symbol-day", row=1, col=1)
    figure.update_yaxes(title="recall", range=[0, 1], row=1, col=1)
    figure.update_xaxes(title="enter level", row=1, col=2)
    figure.update_yaxes(range=[0, 1], row=1, col=2)
    return figure


def _bare_figure(points: Sequence[Point]) -> go.Figure:
    levels, rates = np.array([(one.enter, one.onsets_per_symbol_day) for one in points]).T.tolist()
    figure = go.Figure(go.Scatter(x=levels, y=rates, mode="lines+markers"))
    figure.update_xaxes(title="enter level")
    figure.update_yaxes(title="onsets per symbol-day", rangemode="tozero")
    return figure
