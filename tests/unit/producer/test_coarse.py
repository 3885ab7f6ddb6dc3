import numpy as np
import pytest

from volwatch.market.paths import draw_traits
from volwatch.market.scenarios import SCENARIOS
from volwatch.producer.coarse import PRINTS_PER_DAY, coarse_days

DAY_MS = 86_400_000
TRAITS = draw_traits(SCENARIOS["gbm"], 4, 50, 50.0)


def test_every_day_shows_every_symbol_once_an_hour_in_order_of_receipt() -> None:
    days = list(coarse_days(TRAITS, 4, 3))
    assert [len(day) for day in days] == [PRINTS_PER_DAY * 50] * 3
    for number, day in enumerate(days):
        assert (np.diff(day.received_ms) >= 0).all()
        assert set(((day.event_ms - (number - 3) * DAY_MS) // 3_600_000).tolist()) == set(range(24))
        assert (day.received_ms < (number - 2) * DAY_MS).all()


def test_the_path_runs_into_the_first_price_of_the_market() -> None:
    *_, last = coarse_days(TRAITS, 4, 3)
    ends = [last.price[last.symbol == symbol][-1] for symbol in range(50)]
    assert ends == pytest.approx(np.exp(TRAITS.log_price), abs=0.01)


def test_its_daily_volatility_is_the_nominal_one() -> None:
    days = list(coarse_days(TRAITS, 4, 61))
    closes = np.array([[day.price[day.symbol == symbol][-1] for symbol in range(50)] for day in days])
    daily = np.diff(np.log(closes), axis=0) / (TRAITS.sigma_minute * np.sqrt(1_440))
    assert np.sqrt(np.mean(daily**2)) == pytest.approx(1.0, abs=0.03)


def test_no_days_are_no_prints() -> None:
    assert list(coarse_days(TRAITS, 4, 0)) == []
