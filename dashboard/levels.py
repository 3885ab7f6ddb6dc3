"""The levels of S that a back-test is asked for."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from volwatch.analytics.config import EngineConfig

LEVELS = tuple(tenths / 10 for tenths in range(25, 71))
MOST_LEVELS = 5
LEVEL_COLUMN = st.column_config.NumberColumn("Opens at S", format="%.1f")


def levels_box(place: DeltaGenerator, key: str) -> list[float]:
    """Draw the choice of levels, at first the usual one between two others; return those that are chosen, ascending."""
    usual = EngineConfig().enter
    chosen = place.multiselect(
        "Opens at S",
        LEVELS,
        default=[round(usual - 0.5, 1), usual, round(usual + 0.7, 1)],
        max_selections=MOST_LEVELS,
        key=key,
    )
    return sorted(chosen)
