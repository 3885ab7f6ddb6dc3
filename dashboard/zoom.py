"""What a person zoomed to stays, though Streamlit makes a chart anew whenever its data has changed.

The browser tells of each zoom (``zoom.js``), and the next chart of the same name begins there.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

Zooms = Mapping[str, Mapping[str, Sequence[Any]]]
"""By the name of a chart, the range of each of its axes that was zoomed."""

_KEY = "zoom"

_watcher = st.components.v2.component("volwatch-zoom", js=Path(__file__).with_name("zoom.js").read_text("utf-8"))


def watch_zooms() -> None:
    """Hear of the zooms of every chart on the page; to be called outside of what is drawn again by itself."""
    _watcher(key=_KEY, on_zooms_change=lambda: None)


def zoomed(figure: go.Figure, key: str) -> go.Figure:
    """Return a chart that begins where the one before it of this key and revision was zoomed to; changed in place."""
    told = st.session_state.get(_KEY) or {}
    return begin_at(figure, key, told.get("zooms") or {})


def begin_at(figure: go.Figure, key: str, zooms: Zooms) -> go.Figure:
    """Give a chart the name of its zoom and, where there is one, the zoom; changed in place."""
    name = f"{key} {figure.layout.uirevision}"
    figure.update_layout(meta={"zoom": name})
    # A browser tells of axes that may have gone since. An axis that was never named is there all the same.
    known = {"xaxis", "yaxis", *(axis.plotly_name for axis in (*figure.select_xaxes(), *figure.select_yaxes()))}
    for axis, shown in zooms.get(name, {}).items():
        if axis in known:
            figure.layout[axis].range = shown
    return figure
