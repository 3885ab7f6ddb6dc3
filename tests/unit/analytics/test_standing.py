"""How a series stands when nothing has been heard of it for a while."""

import pytest

from tests.unit.analytics.made import MINUTE_MS, SOURCE, START_MS, advance_final, bars, made_state, minutes_from
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.standing import STANDINGS, standings

CONFIG = EngineConfig()
LAST_END_MS = START_MS + 70 * MINUTE_MS
SESSION_END_MS = START_MS + 390 * MINUTE_MS


def standing_at(watermark_ms: int, calendar: str = "XNYS", trades: int = 30, count: int = 70) -> tuple[str, int]:
    """Return how a series stands at a watermark that trades so often a minute and has not been heard of since."""
    state = made_state(calendar)
    advance_final(state, bars(minutes_from(LAST_END_MS - count * MINUTE_MS, count), trades=trades))
    state.watermarks[SOURCE] = watermark_ms
    found = standings(state, CONFIG)
    assert found.series.tolist() == [0]
    return STANDINGS[found.standing[0]], int(found.since[0])


@pytest.mark.parametrize(
    ("quiet_seconds", "trades", "standing"),
    [
        (299, 30, "LIVE"),
        (300, 30, "HALTED"),  # usual: one in two seconds
        (300, 3, "STALE"),  # usual: one in twenty
        (399, 3, "STALE"),
        (400, 3, "HALTED"),
    ],
)
def test_silence_is_measured_against_the_usual_pace(quiet_seconds: int, trades: int, standing: str) -> None:
    assert standing_at(LAST_END_MS + quiet_seconds * 1000, trades=trades) == (standing, LAST_END_MS)


def test_a_closed_market_is_neither_stale_nor_halted() -> None:
    assert standing_at(SESSION_END_MS)[0] == "CLOSED"
    assert standing_at(SESSION_END_MS, "24/7")[0] == "HALTED"


def test_a_series_without_an_hour_of_bars_is_warming_up() -> None:
    assert standing_at(LAST_END_MS, count=59)[0] == "WARM_UP"
    assert standing_at(LAST_END_MS, count=60)[0] == "LIVE"


def test_a_bar_that_may_still_change_counts() -> None:
    state = made_state("XNYS")
    state.minute_bars = bars([START_MS])
    state.watermarks[SOURCE] = START_MS + 2 * MINUTE_MS
    found = standings(state, CONFIG)
    assert (found.since.tolist(), STANDINGS[found.standing[0]]) == ([START_MS + MINUTE_MS], "WARM_UP")


def test_a_series_that_had_no_bar_has_no_standing() -> None:
    assert standings(made_state("XNYS"), CONFIG).series.tolist() == []
