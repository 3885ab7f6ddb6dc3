"""GARCH(1,1) of daily returns, by the package ``arch``: a nightly model, never one of minutes. quant.md section 2.

r_t = μ + e_t, σ²_t = ω + α·e²_{t−1} + β·σ²_{t−1} (Bollerslev 1986). Everything here is in decimals; the package is
given returns × 100, the scale on which its optimiser works well.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np

from volwatch.analytics.trades import Float64
from volwatch.analytics.volatility import DEFINED, INSUFFICIENT_DATA, ZERO_VARIANCE

MIN_OBS = 500
HORIZONS = (1, 5, 10, 21, 63, 126, 252)
"""Bars ahead of which the term structure tells."""
_PERCENT = 100.0
_TOLERANCE = 1e-10  # the package's own leaves the fifth digit of α to chance
# The mean square is that of the residuals, which the fit itself decides.
_MEAN_SQUARE_TURNS = 2
# At the bound the optimiser stops a hair short of 1: no mean to return to either way.
_INTEGRATED = 1 - 1e-6

Distribution = Literal["normal", "t"]
Backcast = Literal["exponential", "mean-square"]


@dataclass(frozen=True, slots=True)
class GarchFit:
    """A fitted model and what it expects, or why it expects nothing.

    Attributes
    ----------
    mu, omega, alpha, beta, nu : parameters in decimals; NaN where nothing was fitted, ν also for the normal.
    log_likelihood : of the decimal returns.
    converged : the optimiser says so.
    volatility_next : σ_{t+1|t}, annualised.
    term_structure : for each of ``HORIZONS`` √(N·mean of σ²_{t+1|t} … σ²_{t+h|t}), annualised; empty when undefined.
    reason : why they are undefined, a code of ``NULL_REASONS``. A fit that did not converge, or with α + β ≥ 1, has
        INSUFFICIENT_DATA: the returns do not determine the model.
    n : returns.
    """

    distribution: Distribution
    mu: float
    omega: float
    alpha: float
    beta: float
    nu: float
    log_likelihood: float
    converged: bool
    volatility_next: float
    term_structure: tuple[float, ...]
    reason: int
    n: int


def fit_garch(
    returns: Float64,
    bars_per_year: float,
    distribution: Distribution = "t",
    backcast: Backcast = "exponential",
) -> GarchFit:
    """Fit the model to daily log returns, shape (n,), oldest first, and forecast from their end.

    Parameters
    ----------
    distribution : {"normal", "t"}
        Of the standardised residuals.
    backcast : {"exponential", "mean-square"}
        What stands for e² and σ² before the first return: an exponentially weighted mean of the first squares (the
        package's own rule), or the mean of all (the rule of the FCP benchmark, Fiorentini, Calzolari & Panattoni 1996).
    """
    n = len(returns)
    if n < MIN_OBS:
        return _no_fit(distribution, INSUFFICIENT_DATA, n)
    if not np.std(returns) >= 1e-12:
        return _no_fit(distribution, ZERO_VARIANCE, n)
    # Imported here: only the nightly batch has the package.
    from arch import arch_model

    percent = returns * _PERCENT
    model = arch_model(percent, mean="Constant", vol="GARCH", p=1, q=1, dist=distribution, rescale=False)
    with warnings.catch_warnings():
        # What it would warn of is in the flag.
        warnings.simplefilter("ignore")
        result = model.fit(disp="off", show_warning=False, tol=_TOLERANCE)
        for _turn in range(_MEAN_SQUARE_TURNS if backcast == "mean-square" else 0):
            before = float(np.mean((percent - result.params["mu"]) ** 2))
            result = model.fit(disp="off", show_warning=False, tol=_TOLERANCE, backcast=before)
        ahead = result.forecast(horizon=HORIZONS[-1], reindex=False).variance.to_numpy()[-1] / _PERCENT**2
    found = dict(zip(("mu", "omega", "alpha", "beta", "nu"), [*result.params.tolist(), math.nan], strict=False))
    term_structure = _term_structure(ahead, bars_per_year)
    converged = result.convergence_flag == 0
    usable = converged and found["alpha"] + found["beta"] < _INTEGRATED and bool(np.isfinite(term_structure).all())
    return GarchFit(
        distribution=distribution,
        mu=found["mu"] / _PERCENT,
        omega=found["omega"] / _PERCENT**2,
        alpha=found["alpha"],
        beta=found["beta"],
        nu=found["nu"],
        log_likelihood=float(result.loglikelihood) + n * math.log(_PERCENT),
        converged=converged,
        volatility_next=term_structure[0] if usable else math.nan,
        term_structure=term_structure if usable else (),
        reason=DEFINED if usable else INSUFFICIENT_DATA,
        n=n,
    )


def _no_fit(distribution: Distribution, reason: int, n: int) -> GarchFit:
    none = math.nan
    return GarchFit(distribution, none, none, none, none, none, none, False, none, (), reason, n)


def _term_structure(variances: Float64, bars_per_year: float) -> tuple[float, ...]:
    """Return the annual volatility up to each horizon from the variances per bar ahead."""
    means = np.cumsum(variances)[np.array(HORIZONS) - 1] / np.array(HORIZONS)
    return tuple(np.sqrt(bars_per_year * means).tolist())
