"""Whether a print is suspicious: by hand, and many at once against one by one."""

import math
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volwatch.analytics.suspicion import WINDOW, deviation_of, deviations_of, suspects_among

# Levels that lie near each other, at the limits of the screen and of the floor, and far away; and any at all.
PRICES = st.one_of(
    st.sampled_from([100.0, 100.01, 99.99, 100.29, 100.3, 100.3004, 100.31, 99.7, 101.0, 102.0, 98.0, 120.0]),
    st.floats(99.0, 101.0),
    st.floats(1e-8, 9.9e9),
)
WINDOWS = st.lists(PRICES, max_size=WINDOW)
ALTERNATING = [99.9, 100.1] * 10


def naive(price: float, window: list[float]) -> float:
    """Return ln(p/m) of a suspicious print and 0 of any other, by the words of the specification."""
    if len(window) < 3:
        return 0.0
    m = median(window)
    s = 1.4826 * median([abs(accepted - m) for accepted in window]) / m
    deviation = math.log(price / m)
    return deviation if abs(deviation) > max(0.003, 8.0 * s) else 0.0


@pytest.mark.parametrize(
    ("price", "window", "suspicious"),
    [
        # m = 100, MAD = 0.1, s = 0.0014826, 8 s = 0.0118608; ln(1.0119) = 0.01183, ln(1.012) = 0.01193.
        (101.19, ALTERNATING, False),
        (101.2, ALTERNATING, True),
        (98.83, ALTERNATING, False),
        (98.82, ALTERNATING, True),
        # No spread at all: the floor, ln(1.003) = 0.0029955 and ln(1.0031) = 0.0030952.
        (100.3, [100.0] * 20, False),
        (100.31, [100.0] * 20, True),
        # One bad print among three moves neither the median nor the spread.
        (100.0, [100.0, 500.0, 100.0], False),
        (500.0, [100.0, 500.0, 100.0], True),
        (500.0, [100.0, 100.0], False),
        (500.0, [], False),
    ],
)
def test_a_print_is_suspicious_beyond_the_floor_and_eight_spreads(
    price: float, window: list[float], suspicious: bool
) -> None:
    assert bool(deviation_of(price, window)) is suspicious
    assert bool(deviations_of(np.array([price]), padded([window]))[0]) is suspicious


@settings(max_examples=300)
@given(price=PRICES, window=WINDOWS)
def test_one_print_is_judged_by_the_words_of_the_specification(price: float, window: list[float]) -> None:
    assert deviation_of(price, window) == naive(price, window)


@settings(max_examples=100)
@given(prints=st.lists(st.tuples(PRICES, WINDOWS), min_size=1, max_size=12))
def test_many_at_once_come_to_the_same_bits(prints: list[tuple[float, list[float]]]) -> None:
    prices, windows = zip(*prints, strict=True)
    assert deviations_of(np.array(prices), padded(windows)).tolist() == [naive(*one) for one in prints]


@settings(max_examples=200)
@given(window=WINDOWS, prices=st.lists(PRICES, min_size=1, max_size=60))
def test_the_screen_lets_no_suspicious_print_pass(window: list[float], prices: list[float]) -> None:
    flat = np.concatenate([padded([window])[0], prices])
    expected = [place for place, price in enumerate(prices) if naive(price, ([*window, *prices[:place]])[-WINDOW:])]
    assert suspects_among(flat, np.arange(WINDOW, len(flat))).tolist() == expected


def padded(windows: list[list[float]] | tuple[list[float], ...]) -> np.ndarray:
    """Return windows as rows, the newest print last."""
    rows = np.full((len(windows), WINDOW), np.nan)
    for row, window in zip(rows, windows, strict=True):
        row[WINDOW - len(window) :] = window
    return rows
