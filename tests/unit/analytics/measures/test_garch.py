"""The nightly model against the benchmark of the literature, and on returns whose model is known."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from volwatch.analytics.measures.garch import HORIZONS, MIN_OBS, GarchFit, fit_garch
from volwatch.analytics.trades import Float64
from volwatch.analytics.volatility import DEFINED, INSUFFICIENT_DATA, ZERO_VARIANCE

ORACLE = Path(__file__).parents[4] / "../shared/oracle"
SERIES, BENCHMARK = ORACLE / "dem2gbp.csv", ORACLE / "garch11_fcp_benchmark.json"
OMEGA, ALPHA, BETA = 2e-6, 0.08, 0.9


def simulated(n: int, nu: float | None = None) -> tuple[Float64, float]:
    """Return the returns of a GARCH(1,1) of mean 0.0004, and the variance of the one after them."""
    random = np.random.Generator(np.random.PCG64(5))
    shocks = random.standard_normal(n) if nu is None else random.standard_t(nu, n) * math.sqrt((nu - 2) / nu)
    returns, variance = np.empty(n), OMEGA / (1 - ALPHA - BETA)
    for day, shock in enumerate(shocks.tolist()):
        surprise = math.sqrt(variance) * shock
        returns[day] = 4e-4 + surprise
        variance = OMEGA + ALPHA * surprise**2 + BETA * variance
    return returns, variance


def parameters(fit: GarchFit) -> dict[str, float]:
    """Return the parameters of returns in percent, as the benchmark has them."""
    return {"mu": fit.mu * 100, "omega": fit.omega * 1e4, "alpha1": fit.alpha, "beta1": fit.beta}


@pytest.mark.skipif(not (SERIES.is_file() and BENCHMARK.is_file()), reason="the benchmark is not beside this checkout")
class TestBenchmark:
    """Fiorentini, Calzolari & Panattoni's benchmark on the DM/GBP series of Bollerslev & Ghysels."""

    def test_with_its_presample_the_parameters_are_the_benchmarks(self) -> None:
        percent = pd.read_csv(SERIES)["y"].to_numpy(np.float64)
        fit = fit_garch(percent / 100, 252, "normal", "mean-square")
        expected = json.loads(BENCHMARK.read_text("utf-8"))
        benchmark, same_package = expected["benchmark_FCP_TSP"], expected["arch_8.0.0_same_presample"]
        tolerances = {"mu": 2e-5, "omega": 1e-6, "alpha1": 5e-6, "beta1": 5e-6}
        found = parameters(fit)
        assert {name: abs(found[name] - benchmark[name]) < tolerance for name, tolerance in tolerances.items()} == (
            dict.fromkeys(tolerances, True)
        )
        assert list(found.values()) == pytest.approx(same_package["params"], abs=1e-7)
        in_percent = fit.log_likelihood - len(percent) * math.log(100)
        assert in_percent == pytest.approx(same_package["loglik"], abs=1e-5)

    def test_by_default_it_is_the_packages_own(self) -> None:
        percent = pd.read_csv(SERIES)["y"].to_numpy(np.float64)
        fit = fit_garch(percent / 100, 252, "normal")
        expected = json.loads(BENCHMARK.read_text("utf-8"))["arch_8.0.0_default_backcast"]
        assert list(parameters(fit).values()) == pytest.approx(expected["params"], abs=1e-5)


def test_the_model_of_known_returns_is_found() -> None:
    """Within three of the usual standard errors at 4,000 returns."""
    returns, variance = simulated(4_000)
    fit = fit_garch(returns, 252, "normal")
    assert (fit.reason, fit.converged, fit.n) == (DEFINED, True, 4_000)
    assert [fit.alpha, fit.beta] == pytest.approx([ALPHA, BETA], abs=0.04)
    assert fit.omega == pytest.approx(OMEGA, rel=0.6)
    assert fit.volatility_next == pytest.approx(math.sqrt(252 * variance), rel=0.05)
    assert math.isnan(fit.nu)


def test_fat_tails_are_found_too() -> None:
    fit = fit_garch(simulated(4_000, nu=5.0)[0], 252, "t")
    assert fit.nu == pytest.approx(5.0, abs=1.2)
    assert fit.log_likelihood > fit_garch(simulated(4_000, nu=5.0)[0], 252, "normal").log_likelihood


def test_the_forecast_and_its_term_structure_follow_from_the_parameters() -> None:
    """σ²_{t+k} = σ̄² + (α+β)^{k−1}(σ²_{t+1} − σ̄²), averaged up to each horizon and annualised."""
    returns, _ = simulated(1_000)
    fit = fit_garch(returns, 365, "normal", "mean-square")
    residuals = returns - fit.mu
    variance = float(np.mean(residuals**2))
    square = variance
    for residual in residuals.tolist():
        variance = fit.omega + fit.alpha * square + fit.beta * variance
        square = residual**2
    following = fit.omega + fit.alpha * square + fit.beta * variance
    level, persistence = fit.omega / (1 - fit.alpha - fit.beta), fit.alpha + fit.beta
    ahead = [level + persistence**k * (following - level) for k in range(HORIZONS[-1])]
    expected = [math.sqrt(365 * sum(ahead[:horizon]) / horizon) for horizon in HORIZONS]
    assert fit.term_structure == pytest.approx(expected, rel=1e-4)
    assert fit.volatility_next == fit.term_structure[0]


def test_the_likelihood_is_that_of_the_decimal_returns() -> None:
    returns, _ = simulated(600)
    fit = fit_garch(returns, 252, "normal", "mean-square")
    residuals = returns - fit.mu
    variance = square = float(np.mean(residuals**2))
    total = 0.0
    for residual in residuals.tolist():
        variance = fit.omega + fit.alpha * square + fit.beta * variance
        square = residual**2
        total += -0.5 * (math.log(2 * math.pi) + math.log(variance) + square / variance)
    assert fit.log_likelihood == pytest.approx(total, rel=1e-4)


def test_too_few_returns_or_none_that_move_give_no_model() -> None:
    for returns, reason in (
        (simulated(MIN_OBS - 1)[0], INSUFFICIENT_DATA),
        (np.full(MIN_OBS, 1e-3), ZERO_VARIANCE),
        (np.zeros(MIN_OBS), ZERO_VARIANCE),
        (np.empty(0), INSUFFICIENT_DATA),
    ):
        fit = fit_garch(returns, 252)
        assert (fit.reason, fit.converged, fit.n, fit.term_structure) == (reason, False, len(returns), ())
        assert all(math.isnan(value) for value in (fit.mu, fit.omega, fit.alpha, fit.beta, fit.volatility_next))
    assert fit_garch(simulated(MIN_OBS)[0], 252, "normal").reason == DEFINED


def test_a_model_without_a_level_to_return_to_has_parameters_and_no_forecast() -> None:
    """A variance that only ever grows is fitted with α + β = 1."""
    random = np.random.Generator(np.random.PCG64(1))
    returns = random.standard_normal(800) * 1e-3 * np.exp(np.linspace(0, 4, 800))
    fit = fit_garch(returns, 252, "normal")
    assert fit.alpha + fit.beta > 1 - 1e-6
    assert (fit.reason, fit.term_structure, math.isnan(fit.volatility_next)) == (INSUFFICIENT_DATA, (), True)
