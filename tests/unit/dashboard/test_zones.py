"""Times in the zone that a person wants: of columns, of charts, in words."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard import zones
from dashboard.figures import price_figure
from tests.dashboard.fakes import NEWEST_BAR, some_bars

NEW_YORK = "America/New_York"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_the_zones_of_exchanges_and_browser_are_offered_once() -> None:
    offered = zones.offered("UTC", "Europe/Berlin", ["XNYS", "XNAS", "24/7"])
    assert offered == ("UTC", "Europe/Berlin", "America/New_York")
    assert zones.offered("America/New_York", "../../etc/passwd", []) == ("America/New_York", "UTC")
    assert zones.offered("UTC", None, []) == ("UTC",)


def test_a_time_is_told_with_its_zone() -> None:
    assert zones.told(NOON, "UTC") == "2026-01-05 12:00:00 UTC"
    assert zones.told(NOON, NEW_YORK) == "2026-01-05 07:00:00 New York"


def test_columns_of_times_are_of_the_zone_and_others_as_they_were() -> None:
    columns: dict[str, Any] = {
        "at": st.column_config.DatetimeColumn("At (UTC)", format="HH:mm", timezone="UTC"),
        "name": "Name",
        "price": st.column_config.NumberColumn("Price"),
    }
    local = zones.columns_in(columns, NEW_YORK)
    assert local["at"]["label"] == "At (New York)"
    assert local["at"]["type_config"]["timezone"] == NEW_YORK
    assert {name: local[name] for name in ("name", "price")} == {name: columns[name] for name in ("name", "price")}
    assert zones.columns_in(columns, "UTC") is columns
    assert columns["at"]["label"] == "At (UTC)"


def test_a_chart_shows_the_clocks_of_the_zone() -> None:
    bars = some_bars(3)
    alerts = pd.DataFrame(
        {"onset_bar": [NEWEST_BAR], "closed_at": [pd.NaT], "state": ["OPEN"], "severity": ["LOW"], "sentence": ["x"]}
    )
    alerts["closed_at"] = pd.to_datetime(alerts["closed_at"], utc=True)
    shown = (bars["bar_start"].iloc[0], bars["bar_start"].iloc[-1])
    drawn = price_figure(bars, alerts, shown, "one")
    figure = zones.figure_in(price_figure(bars, alerts, shown, "one"), NEW_YORK)
    clocks = pd.to_datetime(bars["bar_start"], utc=True).dt.tz_convert(NEW_YORK).dt.tz_localize(None).tolist()
    assert list(figure.data[0].x) == clocks
    assert list(figure.layout.xaxis.autorangeoptions.include) == [clocks[0], clocks[-1]]
    assert figure.layout.shapes[0].x1 == clocks[-1]
    assert figure.layout.xaxis2.title.text == "New York"
    assert list(figure.data[0].close) == list(drawn.data[0].close)
    assert figure.layout.uirevision == "one/America/New_York"


def test_holes_stay_holes_and_what_is_no_time_stays_as_it_was() -> None:
    figure = go.Figure([go.Scatter(x=[NOON, None, NOON], y=[1, 2, 3]), go.Bar(x=[0.5, 1.5], y=[1, 2])])
    zones.figure_in(figure, NEW_YORK)
    assert figure.data[0].x[1] is None
    assert figure.data[0].x[0] == datetime(2026, 1, 5, 7)  # noqa: DTZ001 - a clock's time
    assert list(figure.data[1].x) == [0.5, 1.5]
