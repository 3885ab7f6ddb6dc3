"""The intervals beside a score, against published tables."""

import pytest

from volwatch.market.scoring import Ratio, Tally
from volwatch.research.intervals import Estimate, delay, f1, proportion, rate


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    tally = Tally(events=79, hits=50, false=17, symbol_days=120)
    precision, recall = 50 / 67, 50 / 79
    assert f1(tally).value == pytest.approx(2 * precision * recall / (precision + recall))


def test_nothing_counted_is_no_number() -> None:
    nothing, empty = Estimate(None, None, None), Tally()
    found = [proportion(empty.recall), f1(empty), rate(empty.false_per_symbol_day), delay(empty, 0.5)]
    assert found == [nothing] * 4


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Clopper-Pearson limits as tabulated (Documenta Geigy).
    [(0, 10, 0.0, 0.3085), (1, 10, 0.0025, 0.4450), (5, 10, 0.1871, 0.8129), (10, 10, 0.6915, 1.0)],
)
def test_shares_have_the_exact_binomial_interval(successes: int, trials: int, low: float, high: float) -> None:
    assert proportion(Ratio(successes, trials)) == pytest.approx((successes / trials, low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("events", "low", "high"),
    # Garwood's limits as tabulated.
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.390)],
)
def test_rates_have_the_exact_poisson_interval(events: int, low: float, high: float) -> None:
    assert rate(Ratio(events, 2)) == pytest.approx((events / 2, low / 2, high / 2), abs=5e-4)


def test_a_median_lies_between_the_order_statistics_of_the_sign_test() -> None:
    # The tabulated ranks of the sign test at 95 %: 2 and 9 of 10 values.
    assert delay(Tally(delays=(10, 1, 9, 2, 8, 3, 7, 4, 6, 5)), 0.5) == Estimate(5.5, 2.0, 9.0)
    assert delay(Tally(delays=(4,)), 0.9) == Estimate(4.0, 4.0, 4.0)
