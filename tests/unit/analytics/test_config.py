from dataclasses import fields, replace

import pytest

from volwatch.analytics.calendars import calendar_named
from volwatch.analytics.config import EngineConfig, min_obs
from volwatch.analytics.rules.override import Override
from volwatch.analytics.rules.rule import Move

CONFIG = EngineConfig()
OTHER = {
    "lateness_seconds": 60,
    "minute_window": 20,
    "day_window": 30,
    "minute_half_life": 20.0,
    "day_decay": 0.97,
    "enter": 4.0,
    "risk_free_rate": 0.03,
    "quote_sources": (),
    "outlier_filter": False,
    "condition_tables": {"feed": "sip"},
    "calendar_names": {"BTC": "24/7"},
    "calendars": {"mine": calendar_named("24/7")},
    "rules": (Move("big-move", percent=2.0),),
    "overrides": (Override("TSLA", enter=5.0),),
}


def test_every_setting_has_another_value_here() -> None:
    assert {column.name for column in fields(EngineConfig)} == set(OTHER)


@pytest.mark.parametrize("name", OTHER)
def test_the_hash_changes_with_each_setting(name: str) -> None:
    assert replace(CONFIG, **{name: OTHER[name]}).hash != CONFIG.hash  # type: ignore[arg-type]


def test_the_hash_of_the_defaults_is_the_same_in_every_process() -> None:
    """It is stored beside each alert: a change here is a change of the algorithm's settings."""
    assert (
        EngineConfig(calendar_names={"b": "XNYS", "a": "24/7"}).hash
        == EngineConfig(calendar_names={"a": "24/7", "b": "XNYS"}).hash
    )
    assert len(CONFIG.hash) == 12
    assert int(CONFIG.hash, 16) >= 0


def test_the_watch_list_goes_before_the_form_of_a_symbol() -> None:
    config = EngineConfig(calendar_names={"ETH": "24/7", "ODD": ""})
    assert [config.calendar_name("finnhub", symbol) for symbol in ("ETH", "AAPL", "ODD")] == ["24/7", "XNYS", "XNYS"]


def test_a_calendar_of_ones_own_goes_before_a_built_in_one() -> None:
    mine = calendar_named("24/7")
    assert EngineConfig(calendars={"XNYS": mine}).calendar("XNYS") is mine
    assert CONFIG.calendar("24/7") is mine


@pytest.mark.parametrize(("window", "least"), [(2, 10), (20, 10), (30, 15), (63, 31)])
def test_half_a_window_and_at_least_ten_terms_make_a_value(window: int, least: int) -> None:
    assert min_obs(window) == least
