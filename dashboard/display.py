"""What the pages share: how often they read again, how they say how old the data is, where a click leads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
import structlog
from streamlit.elements.lib.column_types import ColumnConfig

from dashboard import wording, zones
from dashboard.reading import DashboardReader
from dashboard.zoom import zoomed
from volwatch.errors import Transient
from volwatch.warehouse.readings import Series

TALLEST_TABLE_ROWS, ROW_PIXELS = 16, 36
_ZONE = "zone"

Columns = Mapping[str, ColumnConfig | str | None]
_Answer = TypeVar("_Answer")

log = structlog.get_logger()


@dataclass(frozen=True)
class Display:
    """How pages behave, and the way from one to another.

    Attributes
    ----------
    refresh_seconds : float
        How often the live parts of a page read again.
    stale_seconds : float
        Age of the newest trade at which the data counts as stale.
    open_symbol : callable
        Leads to the page of a series.
    open_alert : callable
        Leads to the page of an alert, by its id.
    person : str, optional
        Who is signed in. Without it, whoever acts types a name.
    may_act : bool
        Whether people may do anything about alerts.
    zones : tuple of str
        Time zones to choose from, that of the settings first.
    rawzone_browser : str
        Address of an object of the raw zone with ``{key}`` for its quoted key, empty where there is none.
    """

    refresh_seconds: float
    stale_seconds: float
    open_symbol: Callable[[Series], None]
    open_alert: Callable[[str], None]
    person: str | None = None
    may_act: bool = True
    zones: tuple[str, ...] = (zones.UTC,)
    rawzone_browser: str = ""


def live(display: Display, draw: Callable[[], None], at_least_seconds: float = 0.0) -> None:
    """Draw a part of a page now and again at every refresh, without touching the rest of the page.

    What is dear to read and slow to change is read again only after ``at_least_seconds``.
    """

    def draw_or_explain() -> None:
        try:
            draw()
        except Transient as error:
            log.warning("warehouse_away", error=str(error))
            st.error("The warehouse cannot be reached. This page tries again by itself.", icon=":material/cloud_off:")

    # The name tells the fragments of one page apart.
    draw_or_explain.__qualname__ = f"live.{draw.__module__}.{draw.__qualname__}"
    st.fragment(draw_or_explain, run_every=max(display.refresh_seconds, at_least_seconds))()


def answer(display: Display, ask: Callable[[], _Answer]) -> _Answer:
    """Return what a page cannot begin without; while the warehouse is away, the page ends here and tries again."""
    try:
        return ask()
    except Transient:

        def begin_again() -> None:
            ask()
            st.rerun()

        live(display, begin_again)
        st.stop()


def header(reader: DashboardReader, display: Display, title: str) -> None:
    """Draw a page's title with how old the data is, and the choice of the time zone."""
    left, right = st.columns([6, 1], vertical_alignment="bottom")
    left.title(title)
    with right:
        _zone_box(display.zones)
    if not display.may_act:
        st.caption(wording.READ_ONLY)
    live(display, lambda: as_of(reader, display))


def as_of(reader: DashboardReader, display: Display) -> None:
    """Say how old the newest trade is: quietly while it is fresh, loudly when it is stale."""
    freshness = reader.freshness()
    if freshness.newest_event is None or freshness.event_age_seconds is None:
        st.info(wording.NO_DATA, icon=":material/hourglass_empty:")
        return
    age = freshness.event_age_seconds
    moment = f"As of {time_text(freshness.newest_event)} · {wording.age_text(age)} old"
    if age > display.stale_seconds:
        st.error(wording.stale_text(freshness), icon=":material/warning:")
        st.badge(moment, color="red", icon=":material/schedule:")
    else:
        st.badge(moment, color="green", icon=":material/schedule:")


def zone() -> str:
    """Return the time zone in which this person wants times told."""
    chosen: str = st.session_state.get(_ZONE, zones.UTC)
    return chosen


def time_text(time: datetime) -> str:
    """Return a time as this person wants it told."""
    return zones.told(time, zone())


def table(frame: pd.DataFrame, key: str, columns: Columns, height: Literal["auto", "content"] = "auto") -> None:
    """Draw a table; its columns of times are declared in UTC."""
    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        placeholder="–",
        height=height,
        column_config=zones.columns_in(columns, zone()),
    )


def chart(figure: go.Figure, key: str, tools: Sequence[str] = ()) -> None:
    """Draw a chart, whose times are in UTC, with some of the tools that plotly has for it."""
    config = {"displaylogo": False, "displayModeBar": "hover" if tools else False, "modeBarButtons": [list(tools)]}
    st.plotly_chart(zoomed(zones.figure_in(figure, zone()), key), key=key, config=config)


def _zone_box(offered: Sequence[str]) -> None:
    # The choice is kept beside its box: a box belongs to one page, and forgets with it.
    if st.session_state.get(_ZONE) not in offered:
        st.session_state[_ZONE] = offered[0]
    box = f"{_ZONE}-box"

    def keep() -> None:
        st.session_state[_ZONE] = st.session_state[box]

    st.selectbox(
        "Times in", offered, index=offered.index(zone()), key=box, on_change=keep, label_visibility="collapsed"
    )


def picked_row(frame: pd.DataFrame, key: str, rows: int, columns: Columns) -> int | None:
    """Draw a table whose rows can be clicked; return the row clicked just now, None when there was no click.

    The click is told once: a table keeps its selection, and a later refresh is not another click.
    """
    clicked = f"{key}-clicked"

    def remember() -> None:
        selected = st.session_state[key]["selection"]["rows"]
        st.session_state[clicked] = selected[0] if selected else None

    st.dataframe(
        frame,
        key=key,
        on_select=remember,
        selection_mode="single-row",
        hide_index=True,
        placeholder="–",
        height="content" if rows <= TALLEST_TABLE_ROWS else TALLEST_TABLE_ROWS * ROW_PIXELS,
        column_config=zones.columns_in(columns, zone()),
    )
    row = st.session_state.pop(clicked, None)
    return row if isinstance(row, int) and row < rows else None
