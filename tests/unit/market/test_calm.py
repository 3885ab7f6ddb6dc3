import numpy as np
import pytest

from volwatch.market.calm import Floats, begin, step, variance_multiplier
from volwatch.market.scenarios import CALM_KINDS, stream

SYMBOLS, MINUTES = 200, 2_000


def multipliers(kind: str) -> Floats:
    """Variance multipliers of shape (minutes, symbols), the returns of which are normal."""
    rng = stream(1, "test")
    kinds = np.full(SYMBOLS, CALM_KINDS.index(kind))
    state, surprise, rows = begin(rng, SYMBOLS), np.ones(SYMBOLS), []
    for _ in range(MINUTES):
        state = step(state, rng, surprise)
        rows.append(variance_multiplier(state, rng, kinds))
        surprise = rng.chisquare(1.0, SYMBOLS)
    return np.array(rows)


def persistence(values: Floats, lag: int) -> float:
    centred = values - values.mean()
    return float((centred[lag:] * centred[:-lag]).mean() / centred.var())


def test_a_gbm_never_changes() -> None:
    assert set(multipliers("gbm").ravel()) == {1.0}


@pytest.mark.parametrize("kind", ["stochastic", "heston", "garch", "thin"])
def test_every_kind_keeps_a_mean_of_one(kind: str) -> None:
    assert multipliers(kind).mean() == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize(("kind", "lag"), [("heston", 60), ("garch", 10)])
def test_variance_clusters(kind: str, lag: int) -> None:
    assert persistence(multipliers(kind), lag) > 0.5


def test_stochastic_volatility_has_a_slow_part_under_fat_tailed_minutes() -> None:
    logs = np.log(multipliers("stochastic"))
    assert 0.1 < persistence(logs, 200) < persistence(logs, 5) < 0.6
    # Student-t with 6 degrees: the log of its mixing variance has the sd √ψ'(3) = 0.628; 2·(slow+fast) adds 0.70.
    assert logs.std() == pytest.approx(np.hypot(0.628, 0.70), abs=0.05)
