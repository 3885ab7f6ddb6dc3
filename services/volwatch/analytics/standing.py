"""How each series stands at its source's watermark: whether what was last said of it is of now (quant.md 1.7)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volwatch.analytics.calendars import MINUTE_MS, REGULAR
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.detector import WARM_UP_BARS
from volwatch.analytics.minutes import HALT_SECONDS, HALT_SPACINGS
from volwatch.analytics.placing import placed
from volwatch.analytics.state import EngineState
from volwatch.analytics.trades import Float64, Int64
from volwatch.analytics.volatility import masked_median

STANDINGS = ("LIVE", "WARM_UP", "STALE", "HALTED", "CLOSED")
"""LIVE; WARM_UP: live, but the detector has no statistic yet; STALE: no trade for five minutes; HALTED: none for so
long that at its usual pace there would have been twenty; CLOSED: its market is."""
LIVE, WARM_UP, STALE, HALTED, CLOSED = range(5)


@dataclass(frozen=True, slots=True)
class Standings:
    """Columns of shape (k,), one row for each series that has ever had a regular bar.

    Attributes
    ----------
    series : index of the series.
    standing : int8, index into ``STANDINGS``.
    since : end of its last bar, epoch ms.
    watermark : of its source, epoch ms.
    """

    series: Int64
    standing: npt.NDArray[np.int8]
    since: Int64
    watermark: Int64


def standings(state: EngineState, config: EngineConfig) -> Standings:
    """Return how the series stand; bars that may still change count as well."""
    last = _last_bar_end(state)
    series = np.flatnonzero(last > 0)
    reached = np.array([state.watermarks[state.series[index][0]] for index in series.tolist()], np.int64)
    quiet = (reached - last[series]) / 1000.0
    usual = _usual_spacing(state.spacing.values[0, series])
    open_now = placed(state.calendars, series, reached - reached % MINUTE_MS, config).place.label == REGULAR
    halted = quiet >= np.fmax(HALT_SECONDS, HALT_SPACINGS * usual)
    warm = state.detector.bars[series] >= WARM_UP_BARS
    standing = np.select(
        [~open_now, halted & ~np.isnan(usual), quiet >= HALT_SECONDS, ~warm], [CLOSED, HALTED, STALE, WARM_UP], LIVE
    )
    return Standings(series, standing.astype(np.int8), last[series], reached)


def _last_bar_end(state: EngineState) -> Int64:
    """Return the end of each series' last bar, 0 where there is none."""
    last = np.where(state.minutes.start >= 0, state.minutes.start + MINUTE_MS, 0)
    np.maximum.at(last, state.minute_bars.series, state.minute_bars.start + MINUTE_MS)
    return last


def _usual_spacing(seconds: Float64) -> Float64:
    """Return the median of the seconds between trades, NaN where nothing is known."""
    return masked_median(seconds, ~np.isnan(seconds))
