"""The first page: the market's pulse, every series at a glance, the newest alerts in their own words, the feeds."""

from datetime import timedelta

import pandas as pd
import streamlit as st

from dashboard import palette, wording
from dashboard.display import Columns, Display, chart, header, live, picked_row
from dashboard.display import table as draw_table
from dashboard.figures_market import heat_figure, pulse_figure
from dashboard.pages.alerts import ALERT_COLUMNS, alert_table
from dashboard.pulse import feed_table, heat_table, hours_until, pulse_by_time, pulse_now
from dashboard.reading import DashboardReader
from volwatch.warehouse.readings import AlertFilter, Series

SPARKLINE_BARS, RATIO_BARS = 30, 10
RECENT_ALERTS = 8
PULSE_RANGE, PULSE_BIN_SECONDS, SLOW_REFRESH_SECONDS = timedelta(days=1), 600, 30.0
# Bars and what is judged of them come once a minute; alerts come at any moment, and are read at every refresh.
SERIES_REFRESH_SECONDS = 5.0
HEAT_SERIES = 25
RANKS = {"Statistic S": "statistic", "Ratio to usual": "ratio"}
DEFAULT_RANK = "Statistic S"

_ORDER = (wording.ESCALATED, wording.ALERT)
_COLOURS = {
    wording.ESCALATED: palette.URGENT,
    wording.ALERT: palette.ALERTING,
    wording.CALM: palette.QUIET,
    wording.WARM_UP: palette.LEARNING,
    **dict.fromkeys((wording.STALE, wording.HALTED, wording.CLOSED, *wording.REASONS), palette.SILENT),
}

_COLUMNS: Columns = {
    # A label for each word: to colour cells by pandas takes twenty times as long, and eight times the bytes.
    "state": st.column_config.MultiselectColumn(
        "State", help="What matters most about the series now", options=list(_COLOURS), color=list(_COLOURS.values())
    ),
    "symbol": st.column_config.TextColumn("Symbol"),
    "close": st.column_config.NumberColumn("Last price", format="%.2f"),
    "change_all_bars": st.column_config.NumberColumn(
        f"{SPARKLINE_BARS} bars", format="percent", help="Change over the bars of the small chart"
    ),
    "closes": st.column_config.LineChartColumn(f"Price, {SPARKLINE_BARS} bars", width=140),
    "ratio": st.column_config.NumberColumn(
        "Ratio", format="%.2f×", help=f"Range of the last {RATIO_BARS} bars against the usual at that time of day"
    ),
    "ratios": st.column_config.AreaChartColumn(
        f"Ratio, {SPARKLINE_BARS} bars", width=140, y_min=0, y_max=5, help="1 is usual; the chart ends at 5"
    ),
    "statistic": st.column_config.NumberColumn("S", format="%.2f", help="The detector's statistic"),
    "threshold": st.column_config.NumberColumn("Opens at", format="%.2f", help="S at which an alert opens"),
    "cc": st.column_config.NumberColumn("Vol cc", format="percent", help="Close-to-close volatility, annualised"),
    "ewma": st.column_config.NumberColumn("Vol EWMA", format="percent", help="EWMA volatility, annualised"),
    "reason": st.column_config.TextColumn("Missing because"),
    "newest_trade": st.column_config.DatetimeColumn("Trade at (UTC)", format="HH:mm:ss", timezone="UTC"),
    "age": st.column_config.TextColumn("Age"),
    "annualisation": st.column_config.TextColumn("Annualised by", help="Bars that make a year, by the calendar"),
    "source": st.column_config.TextColumn("Source"),
    "change_last_bar": st.column_config.NumberColumn("1 bar", format="percent", help="Change over the newest bar"),
}

_FEED_COLUMNS: Columns = {
    "source": "Feed",
    "health": "Health",
    "newest": "Newest trade",
    "series": "Series",
    "live": "Live",
    "warming": "Warming up",
    "stale": "Stale",
    "halted": "Halted",
    "closed": "Market closed",
}


def render(reader: DashboardReader, display: Display) -> None:
    """Draw the page: what is now comes first, what lies behind it after."""
    header(reader, display, "Overview")
    live(display, lambda: _series(reader, display), SERIES_REFRESH_SECONDS)
    st.subheader("Recent alerts")
    live(display, lambda: _recent_alerts(reader, display))
    st.subheader("Feeds")
    live(display, lambda: _feeds(reader, display), SERIES_REFRESH_SECONDS)
    st.subheader("The last day")
    live(display, lambda: _last_day(reader), SLOW_REFRESH_SECONDS)


def overview_table(overview: pd.DataFrame, stale_seconds: float, rank: str = "statistic") -> pd.DataFrame:
    """Return the overview with state, age and reason per series: what alerts first, then by a column, the highest
    first; what is not of now comes last."""
    known = (overview[name] for name in ("alert_state", "standing", "statistic_null_reason", "age_seconds"))
    table = overview.assign(
        state=[
            wording.series_state(alert, standing, reason, age, stale_seconds)
            for alert, standing, reason, age in zip(*known, strict=True)
        ],
        age=[wording.age_text(seconds) for seconds in overview["age_seconds"]],
        reason=overview["cc_null_reason"].combine_first(overview["statistic_null_reason"]),
    )
    places = {**{state: place for place, state in enumerate(_ORDER)}, **dict.fromkeys(wording.NOT_OF_NOW, 9)}
    place = table["state"].map(places).fillna(len(_ORDER))
    ranked = table.assign(place=place).sort_values(["place", rank], ascending=[True, False], na_position="last")
    return ranked[[*_COLUMNS, "age_seconds"]].reset_index(drop=True)


def _series(reader: DashboardReader, display: Display) -> None:
    overview = reader.overview(SPARKLINE_BARS, RATIO_BARS)
    if overview.empty:
        st.text("There is no series yet. It appears when its first bar is loaded.")
        return
    rank = RANKS[st.session_state.get("rank") or DEFAULT_RANK]
    table = overview_table(overview, display.stale_seconds, rank)
    _numbers(table)
    title, choice = st.columns([3, 1], vertical_alignment="bottom")
    title.subheader("Symbols")
    choice.segmented_control("Rank by", list(RANKS), default=DEFAULT_RANK, key="rank", required=True)
    _symbols(table, display)


def _numbers(table: pd.DataFrame) -> None:
    states = table["state"]
    highest = table["statistic"].max()
    numbers = {
        "Market pulse": (
            wording.ratio_text(pulse_now(table)),
            "Median over the series whose data is of now: range of the last "
            f"{RATIO_BARS} bars against the usual at that time of day",
        ),
        "Alerting now": (f"{states.isin(_ORDER).sum()} of {len(table)}", "Series with an open alert"),
        "Highest S": ("–" if pd.isna(highest) else f"{highest:.2f}", "The detector's statistic"),
        "Warming up": (f"{(states == wording.WARM_UP).sum()}", "Series of which too little is known to judge them"),
        "Stale or halted": (f"{states.isin((wording.STALE, wording.HALTED)).sum()}", "Series that have fallen silent"),
    }
    for column, (label, (value, meaning)) in zip(st.columns([1.5, 1, 1, 1, 1]), numbers.items(), strict=True):
        column.metric(label, value, border=True, help=meaning)


def _symbols(table: pd.DataFrame, display: Display) -> None:
    shown = table.drop(columns="age_seconds").assign(
        state=pd.Series([[state] for state in table["state"]], table.index, dtype=object)
    )
    # A selection is a row number: another order of rows is another table.
    key = f"series-{hash(tuple(zip(table['source'], table['symbol'], strict=True)))}"
    row = picked_row(shown, key, len(table), _COLUMNS)
    st.caption(
        "Click a row to open the series. Volatility is annualised, from one-minute bars; an alert opens when S reaches "
        "its threshold."
    )
    if row is not None:
        display.open_symbol(Series(table["source"][row], table["symbol"][row]))


def _feeds(reader: DashboardReader, display: Display) -> None:
    table = overview_table(reader.overview(SPARKLINE_BARS, RATIO_BARS), display.stale_seconds)
    if len(table):
        draw_table(feed_table(table), "feeds", _FEED_COLUMNS)
    st.caption(wording.run_text(reader.freshness()))


def _ratios(reader: DashboardReader) -> pd.DataFrame:
    """Return the ratios of the last day that has data: while the feed is silent, those before it fell silent."""
    freshness = reader.freshness()
    end = (freshness.newest_event or freshness.now) + timedelta(minutes=1)
    # An hour at a time: the hours that are over are the same question again, which is answered from memory.
    hours = [reader.ratios(*hour, PULSE_BIN_SECONDS) for hour in hours_until(end, PULSE_RANGE)]
    return pd.concat(hours, ignore_index=True)


def _last_day(reader: DashboardReader) -> None:
    ratios = _ratios(reader)
    st.markdown("**Market pulse** · volatility against the usual at that time of day, median over all series")
    if ratios.empty:
        st.text("Nothing to compare with yet: a series is judged after its first 60 bars.")
        return
    chart(pulse_figure(pulse_by_time(ratios), "pulse"), "pulse")
    table = heat_table(ratios, HEAT_SERIES)
    st.markdown(f"**Heat map** · the same of the {len(table)} series that were the hottest in the last hour")
    chart(heat_figure(table, "heat"), "heat")


def _recent_alerts(reader: DashboardReader, display: Display) -> None:
    alerts = reader.alerts(AlertFilter(), RECENT_ALERTS)
    if alerts.empty:
        st.text("No alert so far. One appears here by itself when a volatility spikes.")
        return
    key = f"recent-{hash(tuple(alerts['alert_id']))}"
    row = picked_row(alert_table(alerts), key, len(alerts), ALERT_COLUMNS)
    if row is not None:
        display.open_alert(alerts["alert_id"][row])
