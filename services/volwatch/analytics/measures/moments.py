"""Moments of windows of terms, two-pass and free of scale: what the risk measures are made of."""

from dataclasses import dataclass

import numpy as np

from volwatch.analytics.trades import Bool, Float64, Int64


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments of windows, each of shape (m,); NaN where there are too few terms or no spread.

    Attributes
    ----------
    n : terms that count.
    mean : their mean.
    deviation : sample standard deviation, ddof 1.
    skewness : γ3 = m3/m2^1.5 of the central moments with divisor n.
    kurtosis : γ4 = m4/m2², raw: 3 for the normal distribution.
    """

    n: Int64
    mean: Float64
    deviation: Float64
    skewness: Float64
    kurtosis: Float64


def moments(values: Float64, counts: Bool) -> Moments:
    """Return the moments of windows of shape (m, W); the terms that do not count may be anything."""
    n = counts.sum(axis=1)
    mean, deviations = _centred(values, counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        # In units of the largest deviation no power underflows.
        scale = np.abs(deviations).max(axis=1, initial=0.0)
        unit = deviations / scale[:, None]
        square = unit * unit
        second = square.sum(axis=1) / n
        return Moments(
            n=n,
            mean=mean,
            deviation=np.where(n >= 2, scale * np.sqrt(second * n / (n - 1)), np.nan),
            skewness=(square * unit).sum(axis=1) / n / second**1.5,
            kurtosis=(square * square).sum(axis=1) / n / second**2,
        )


def autocorrelation(values: Float64, counts: Bool, lags: int = 1) -> Float64:
    """Return ρ_1 … ρ_lags of windows of shape (m, W), shape (m, lags); NaN where nothing varies.

    ρ_k = Σ(x_t − x̄)(x_{t−k} − x̄)/Σ(x_t − x̄)². Only neighbours that both count make a pair: what is missing is not
    taken for a zero.
    """
    _, deviations = _centred(values, counts)
    width = values.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.abs(deviations).max(axis=1, initial=0.0)
        unit = deviations / scale[:, None]
        total = (unit * unit).sum(axis=1)
        products = [(unit[:, lag:] * unit[:, : width - lag]).sum(axis=1) for lag in range(1, lags + 1)]
        rho: Float64 = np.stack(products, axis=1) / total[:, None]
        return rho


def _centred(values: Float64, counts: Bool) -> tuple[Float64, Float64]:
    """Return the means and the deviations from them, 0 for the terms that do not count."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(counts, values, 0.0).sum(axis=1) / counts.sum(axis=1)
        return mean, np.where(counts, values - mean[:, None], 0.0)
