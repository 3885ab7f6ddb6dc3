"""When the labelled market's sessions are, and what its labels say."""

import numpy as np

from volwatch.analytics.calendars import DAY_MS, MINUTE_MS
from volwatch.market.labelled import labels_of, names_of, opens_of, span_of, whole
from volwatch.market.scenarios import Event
from volwatch.market.sessions import SCENARIOS, SESSION_MINUTES, Plan, make_sessions

PLAN = Plan(seed=1, symbols_per_scenario=1, history=1, evaluated=1, mixed=False)
OPENS = opens_of(PLAN.sessions)


def event(symbol: int, start_second: int, end_second: int) -> Event:
    return Event(symbol, "halt", start_second, end_second, 9.0, ())


def test_sessions_are_the_first_full_ones_of_the_year() -> None:
    opened = np.array(["2026-01-05T14:30", "2026-01-06T14:30"], "datetime64[ms]").astype(np.int64)
    assert OPENS.tolist() == opened.tolist()


def test_an_event_is_labelled_by_its_first_and_its_last_bar() -> None:
    of_second_session = SESSION_MINUTES * 60
    begun = of_second_session + 20 * 60 + 31
    expected = (int(OPENS[1]) + 20 * MINUTE_MS, int(OPENS[1]) + 30 * MINUTE_MS)
    assert span_of(event(3, begun, begun + 600), OPENS) == expected


def test_every_symbol_has_a_scenario_and_its_own_events_and_history_does_not_count() -> None:
    begun = SESSION_MINUTES * 60
    labels = labels_of(PLAN, [event(11, begun, begun + 60)], OPENS)
    assert labels.scenario == dict(zip(names_of(PLAN), SCENARIOS, strict=True))
    assert (labels.first_ms, labels.days) == (int(OPENS[1]) // DAY_MS * DAY_MS, 1)
    assert {name: held.tolist() for name, held in labels.events.items() if len(held)} == {
        "S011": [[int(OPENS[1]), int(OPENS[1])]]
    }
    assert {held.shape for name, held in labels.events.items() if name != "S011"} == {(0, 2)}


def test_the_sessions_make_one_table_by_symbol_and_time() -> None:
    sessions = [session.bars for session in make_sessions(PLAN, OPENS)]
    table = whole(sessions)
    assert len(table) == sum(map(len, sessions))
    assert (np.diff(table.key) > 0).all()
    assert table.notional.tolist() == (table.close * table.volume).tolist()
