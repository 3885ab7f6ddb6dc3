"""The time zone in which a person wants times told. Everything is kept, asked for and drawn in UTC; this comes last."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.chart_frame import exactly
from dashboard.ranges import zone_of

UTC = "UTC"

_Columns = TypeVar("_Columns", bound=Mapping[str, Any])


def offered(default: str, browser: str | None, calendars: Iterable[str]) -> tuple[str, ...]:
    """Return the zones to choose from by name: the default, UTC, that of the browser, and those of exchanges."""
    own = [browser] if browser is not None and is_zone(browser) else []
    return tuple(dict.fromkeys([default, UTC, *own, *sorted({zone_of(name) for name in calendars})]))


def is_zone(name: str) -> bool:
    """Return whether there is a time zone of this name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def short(zone: str) -> str:
    """Return what stands beside a time: UTC, or the city that a zone is named after."""
    return zone.rpartition("/")[2].replace("_", " ")


def told(time: datetime, zone: str) -> str:
    """Return a time to the second, with the zone."""
    return f"{time.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S} {short(zone)}"


def columns_in(columns: _Columns, zone: str) -> _Columns:
    """Return columns of a table whose times, declared in UTC, are shown in a zone."""
    if zone == UTC:
        return columns
    return cast(_Columns, {name: _column_in(column, zone) for name, column in columns.items()})


def _column_in(column: Any, zone: str) -> Any:
    kind = column.get("type_config") if isinstance(column, dict) else None
    if not kind or kind.get("timezone") != UTC:
        return column
    label = column["label"].replace(f"({UTC})", f"({short(zone)})")
    return {**column, "label": label, "type_config": {**kind, "timezone": zone}}


def figure_in(figure: go.Figure, zone: str) -> go.Figure:
    """Return a chart whose times, drawn in UTC, are those of the clocks of a zone; changed in place.

    Where clocks are put back, an hour stands over the one before it.
    """
    if zone == UTC:
        return figure
    for trace in figure.data:
        if "x" in trace and _are_times(trace.x):
            trace.x = _clocks(trace.x, zone)
    # What a person zoomed to is of the clocks of before.
    figure.layout.uirevision = f"{figure.layout.uirevision}/{zone}"
    for shape in figure.layout.shapes or ():
        if _are_times([shape.x0, shape.x1]):
            shape.x0, shape.x1 = _clocks([shape.x0, shape.x1], zone)
    for axis in figure.select_xaxes():
        shown = axis.autorangeoptions.include
        if shown:
            axis.autorangeoptions = exactly(_clocks(shown, zone))
        if axis.hoverformat:
            axis.hoverformat = axis.hoverformat.replace(UTC, short(zone))
        if axis.title.text == UTC:
            axis.title.text = short(zone)
    figure.for_each_trace(
        lambda trace: trace.update(hovertemplate=trace.hovertemplate.replace(f" {UTC}", f" {short(zone)}")),
        selector=lambda trace: "hovertemplate" in trace and bool(trace.hovertemplate),
    )
    return figure


def _are_times(values: Any) -> bool:
    known = [value for value in values if value is not None] if values is not None else []
    return bool(known) and isinstance(known[0], datetime | np.datetime64 | pd.Timestamp)


def _clocks(times: Any, zone: str) -> list[datetime | None]:
    """Return times as the clocks of a zone show them, which is all that a chart knows of them."""
    local = pd.DatetimeIndex(pd.to_datetime(list(times), utc=True)).tz_convert(zone).tz_localize(None)
    return [None if pd.isna(time) else time.to_pydatetime() for time in local]
