"""Why one alert was raised, on the alerts page: the picture, the facts, and the raw objects that it was made of."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pandas as pd
import streamlit as st

from dashboard.alert_figures import why_figure, why_range
from dashboard.display import ROW_PIXELS, TALLEST_TABLE_ROWS, Columns, chart, table
from dashboard.reading import DashboardReader
from volwatch.warehouse.readings import Alert, Series

JUDGED_KINDS = ("VOLATILITY", "REOPEN")
"""Those that open where the detector's S reaches its threshold."""
PICTURED_KINDS = (*JUDGED_KINDS, "RULE")
"""Those of one series; an alert of the market or of a silent feed has no bar of its own."""

_AFTER_NEWEST = timedelta(minutes=2)
_RAW_OBJECTS = "raw_objects"
# What decides stands first; the warehouse keeps facts in an order of its own.
_FIRST = (
    "rule",
    "statistic",
    "threshold",
    "channel",
    "z",
    "ratio",
    "ratio_three_bars",
    "volatility",
    "expected_volatility",
    "bar",
    "flags",
)
_LINK_COLUMNS: Columns = {
    "link": st.column_config.LinkColumn("", display_text="open", width=60),
    "key": "Object",
}
_OF_A_BAR = ("start", "open", "high", "low", "close", "move", "volume", "trades")


def picture(reader: DashboardReader, alert: Alert) -> None:
    """Draw the bars around the onset; while they are not in the warehouse yet, say so."""
    if alert.kind not in PICTURED_KINDS:
        return
    series = Series(alert.source, alert.symbol)
    start, end = why_range(alert.onset_bar, alert.closed_at)
    bars = reader.judged_bars(series, start, end)
    st.markdown("**Picture** · the bars around the onset (in the stripe), their range beside the usual one, and S")
    if bars.empty:
        st.text("The bars around the onset are not in the warehouse: not loaded yet, or older than what is kept.")
        return
    first, last = bars["bar_start"].min().to_pydatetime(), bars["bar_start"].max().to_pydatetime()
    shown = (max(start, first), min(end, last + _AFTER_NEWEST))
    figure = why_figure(bars, alert.onset_bar, shown, judged=alert.kind in JUDGED_KINDS)
    chart(figure, "alert-picture")


def facts(why: Mapping[str, Any]) -> None:
    """Draw the WHY as a table of fact and value."""
    st.markdown("**Why**")
    told = {name: value for name, value in why.items() if name != _RAW_OBJECTS}
    rows = why_table(told)
    tall = len(rows) > TALLEST_TABLE_ROWS
    st.dataframe(rows, key="alert-why", hide_index=True, height=TALLEST_TABLE_ROWS * ROW_PIXELS if tall else "content")


def raw_objects(alert: Alert, browser: str) -> None:
    """List the objects of the raw zone that hold the records of the onset bar, and how to compute it again.

    Parameters
    ----------
    browser : str
        Where people see an object, with ``{key}`` for its quoted key; empty where there is no such place.
    """
    keys = object_keys(alert.why)
    st.markdown("**Raw records**")
    if not keys:
        st.text("The raw zone's objects are not known: they are noted when the minute path has loaded the bar.")
        return
    if browser:
        links = pd.DataFrame({"link": [object_link(browser, key) for key in keys], "key": keys})
        table(links, "alert-objects", _LINK_COLUMNS)
    else:
        st.code("\n".join(keys), language=None, wrap_lines=True)
    st.caption(f"Offsets of the bar: {_offsets_text(alert.why)}. To compute the alert from them again:")
    st.code(f"volwatch alerts explain {alert.alert_id}", language=None)


def object_keys(why: Mapping[str, Any]) -> Sequence[str]:
    """Return the keys of the objects behind an alert, none where they are not known."""
    keys = why.get(_RAW_OBJECTS)
    return [str(key) for key in keys] if isinstance(keys, list) else []


def object_link(browser: str, key: str) -> str:
    """Return where people see an object."""
    return browser.replace("{key}", quote(key, safe=""))


def why_table(why: Mapping[str, Any]) -> pd.DataFrame:
    """Return an alert's WHY as rows of fact and value; a fact inside another is named by its path."""
    rows = list(_facts("", why))
    return pd.DataFrame(rows, columns=["Fact", "Value"])


def _offsets_text(why: Mapping[str, Any]) -> str:
    offsets = why.get("offsets")
    if not isinstance(offsets, list) or len(offsets) != 2:
        return "not known"
    partition = why.get("partition")
    return f"{offsets[0]} to {offsets[1]}" + (f" of partition {partition}" if isinstance(partition, int) else "")


def _place(path: str, name: str) -> int:
    known = _OF_A_BAR if path == "bar" else () if path else _FIRST
    return known.index(name) if name in known else len(known)


def _facts(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in sorted(value.items(), key=lambda fact: _place(path, fact[0])):
            yield from _facts(f"{path} › {name}" if path else str(name), inner)
    elif isinstance(value, str):
        yield path, value
    elif isinstance(value, float):
        yield path, f"{value:.6g}"
    else:
        yield path, json.dumps(value, ensure_ascii=False)
