"""What the pages share: how often they read again, how they say how old the data is, where a click leads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd
import streamlit as st
import structlog
from pandas.io.formats.style import Styler
from streamlit.elements.lib.column_types import ColumnConfig

from dashboard import wording
from dashboard.reading import DashboardReader
from volwatch.errors import Transient
from volwatch.warehouse.readings import Series

TALLEST_TABLE_ROWS, ROW_PIXELS = 16, 36

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
    """

    refresh_seconds: float
    stale_seconds: float
    open_symbol: Callable[[Series], None]
    open_alert: Callable[[str], None]


def live(display: Display, draw: Callable[[], None]) -> None:
    """Draw a part of a page now and again at every refresh, without touching the rest of the page."""

    def draw_or_explain() -> None:
        try:
            draw()
        except Transient as error:
            log.warning("warehouse_away", error=str(error))
            st.error("The warehouse cannot be reached. This page tries again by itself.", icon=":material/cloud_off:")

    # The name tells the fragments of one page apart.
    draw_or_explain.__qualname__ = f"live.{draw.__module__}.{draw.__qualname__}"
    st.fragment(draw_or_explain, run_every=display.refresh_seconds)()


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
    """Draw a page's title with how old the data is."""
    st.title(title)
    live(display, lambda: as_of(reader, display))


def as_of(reader: DashboardReader, display: Display) -> None:
    """Say how old the newest trade is: quietly while it is fresh, loudly when it is stale."""
    freshness = reader.freshness()
    if freshness.newest_event is None or freshness.event_age_seconds is None:
        st.info(wording.NO_DATA, icon=":material/hourglass_empty:")
        return
    age = freshness.event_age_seconds
    moment = f"As of {wording.time_text(freshness.newest_event)} · {wording.age_text(age)} old"
    if age > display.stale_seconds:
        st.error(wording.stale_text(freshness), icon=":material/warning:")
        st.badge(moment, color="red", icon=":material/schedule:")
    else:
        st.badge(moment, color="green", icon=":material/schedule:")


def picked_row(frame: pd.DataFrame | Styler, key: str, rows: int, columns: Columns) -> int | None:
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
        column_config=columns,
    )
    row = st.session_state.pop(clicked, None)
    return row if isinstance(row, int) and row < rows else None
