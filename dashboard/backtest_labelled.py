"""The second part of the page Back-test: what levels of S are worth on a simulated market whose events are known."""

import pandas as pd
import streamlit as st

from dashboard.display import Columns, chart, table
from dashboard.figures_measure import trade_off_figure
from dashboard.levels import LEVEL_COLUMN, levels_box
from dashboard.measuring import Measured, commands, measure, recall_column
from volwatch.market.sessions import EVENTFUL, SCENARIOS, Plan

SYMBOLS = {len(SCENARIOS) * each: each for each in (1, 2, 3)}
"""Symbols of a market, and how many of each kind they are."""
LEARN_DAYS, EVENT_DAYS = (1, 2, 3, 5), (1, 2, 3, 5)
MOST_SEED = 2**31 - 1
KIND_NAMES = {
    "burst_x2": "Burst: volatility × 2",
    "burst_x3": "Burst: volatility × 3",
    "burst_x5": "Burst: volatility × 5",
    "jump": "Jump within a minute",
    "flash": "Flash crash",
    "regime": "Regime: volatility × 2–3.5 to the close",
    "halt": "Reopening after a halt",
}

_AT_WORK = "Making the market, and judging it …"
_MEASURED = "labelled-measured"
_LEVEL_COLUMNS: Columns = {
    "level": LEVEL_COLUMN,
    "recall": st.column_config.NumberColumn("Recall", format="percent", help="Detected of the labelled events"),
    "hits": st.column_config.NumberColumn("Detected", format="localized"),
    "events": st.column_config.NumberColumn("Labelled", format="localized"),
    "false_per_symbol_day": st.column_config.NumberColumn("False alarms a symbol-day", format="%.3f"),
    "false": st.column_config.NumberColumn("False alarms", format="localized"),
    "delay_minutes": st.column_config.NumberColumn(
        "Median delay, minutes", format="%.1f", help="From the first bar of an event to the bar that raised its alert"
    ),
}


def labelled() -> None:
    """Draw the form, and what was measured last. Nothing runs until it is asked for."""
    st.text(
        "A simulated market with known events, not yours: what of them does the detector find at a level, and how "
        f"often does it raise what is none? Of the {len(SCENARIOS)} kinds of symbols, {len(EVENTFUL)} have events and "
        f"{len(SCENARIOS) - len(EVENTFUL)} are calm; the same seed is the same market. Nothing is written."
    )
    asked = _form()
    if asked is not None:
        bar = st.progress(0.0, _AT_WORK)
        st.session_state[_MEASURED] = measure(*asked, lambda share: bar.progress(share, _AT_WORK))
        bar.empty()
    measured = st.session_state.get(_MEASURED)
    if measured is not None:
        _show(measured)


def _form() -> tuple[Plan, list[float]] | None:
    """Draw the form; return plan and levels when it was sent with a level."""
    with st.form("labelled", border=True):
        how, which, many, learn, days, button = st.columns([3, 1, 1, 1, 1, 1], vertical_alignment="bottom")
        levels = levels_box(how, "labelled-levels")
        seed = which.number_input("Seed", 0, MOST_SEED, 7, key="labelled-seed")
        symbols = many.selectbox("Symbols", list(SYMBOLS), key="labelled-symbols")
        learnt = learn.selectbox(
            "Days to learn", LEARN_DAYS, 1, key="labelled-learn", help="Calm days that come first and are not scored"
        )
        scored = days.selectbox("Days with events", EVENT_DAYS, 1, key="labelled-days")
        sent = button.form_submit_button("Measure", type="primary", width="stretch")
    if not sent:
        return None
    if not levels:
        st.warning("Choose at least one level.", icon=":material/checklist:")
        return None
    return Plan(int(seed), SYMBOLS[symbols], learnt, scored, mixed=False), levels


def _show(measured: Measured) -> None:
    plan = measured.plan
    st.caption(
        f"Simulated, seed {plan.seed}: {len(plan.scenario)} symbols, {plan.evaluated} days with events after "
        f"{plan.history} to learn from; {measured.symbol_days:,} symbol-days are scored."
    )
    table(measured.levels, "labelled-by-level", {**_LEVEL_COLUMNS, **_why(measured.levels)}, "content")
    left, right = st.columns(2)
    with left:
        st.markdown("**Trade-off** · recall against false alarms, a point for each level")
        chart(trade_off_figure(measured.levels, "labelled"), "labelled-trade-off")
    with right:
        st.markdown("**Recall by kind of event** · a column for each level")
        named = measured.kinds.assign(kind=measured.kinds["kind"].map(KIND_NAMES))
        table(named, "labelled-by-kind", _kind_columns(measured), "content")
    st.caption(
        "An event is detected by an alert from its first bar to five minutes after its last. So few events leave much "
        "to chance: another seed gives other numbers. The same from the command line, where volwatch score "
        "also says how sure it is:"
    )
    st.code(commands(measured), language=None, wrap_lines=True)


def _kind_columns(measured: Measured) -> Columns:
    return {
        "kind": "Kind",
        "events": st.column_config.NumberColumn("Labelled", format="localized"),
        **{
            recall_column(level): st.column_config.NumberColumn(f"S {level:.1f}", format="percent")
            for level in measured.levels["level"]
        },
        **_why(measured.kinds),
    }


def _why(rows: pd.DataFrame) -> Columns:
    """Return the column of reasons, which shows where there is any."""
    return {"reason": st.column_config.TextColumn("Why –") if rows["reason"].any() else None}
