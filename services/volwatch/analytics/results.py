"""What the engine puts out: columns of bars, volatility and signals, and the transitions of alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from volwatch.analytics.bars import BarTable, empty_table
from volwatch.analytics.detector import NAME, VERSION
from volwatch.analytics.rules.rule import Rule
from volwatch.analytics.trades import Bool, Float64, Int64, Trades, concatenate

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FLAG_REOPEN = 2
"""The first bar after a halt: its return is in no window and no baseline."""
FLAG_SUSPECT_PRINTS = 4
"""A print of the bar is held as suspicious; on a final bar: it was when the bar became final, and is not in it."""
FLAG_SOURCE_GAP = 8
"""The first bar after its source could see nothing: as after a halt, and it raises nothing."""
FLAG_CORPORATE_ACTION = 16
"""The open stands to the close before as after a split: that return is in no window."""
FLAG_JUMP = 32
"""The move is many times the local volatility. A flag, no alarm."""
FLAG_CUSUM = 64
"""The CUSUM chart on z is past its limit. A flag, no alarm."""

FLAG_NAMES = {
    1: "ohlc",
    2: "reopen",
    4: "suspect_prints",
    8: "source_gap",
    16: "corporate_action",
    32: "jump",
    64: "cusum",
}


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of one length with what follows from their neighbours; all of shape (n,), rows ordered by (series, start).

    Attributes
    ----------
    label : int8
        Index into ``calendars.SESSION_NAMES``.
    log_return : float64
        Decimal; NaN where it is undefined (outside regular hours, or the first day).
    elapsed : int64
        Bars since the previous close.
    """

    bar_seconds: int
    table: BarTable
    label: npt.NDArray[np.int8]
    log_return: Float64
    elapsed: Int64
    final: Bool

    def take(self, rows: npt.NDArray[np.intp]) -> "Bars":
        """Return some rows."""
        return Bars(
            self.bar_seconds,
            self.table.take(rows),
            self.label[rows],
            self.log_return[rows],
            self.elapsed[rows],
            self.final[rows],
        )


@dataclass(frozen=True, slots=True)
class Volatility:
    """Values of shape (n, estimators) for bars of shape (n,); NaN exactly where ``reason`` (a code) is not 0."""

    bar_seconds: int
    estimators: tuple[str, ...]
    windows: tuple[int, ...]
    series: Int64
    start: Int64
    value: Float64
    reason: npt.NDArray[np.int8]
    standard_error: Float64
    n_obs: Int64
    annualisation: npt.NDArray[np.object_]
    final: Bool
    revision: Int64

    def take(self, rows: npt.NDArray[np.intp]) -> "Volatility":
        """Return some rows."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _VOLATILITY_COLUMNS})


_VOLATILITY_COLUMNS = (
    "series", "start", "value", "reason", "standard_error", "n_obs", "annualisation", "final", "revision",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signals:
    """The detector's statistic of bars of shape (n,); NaN in warm-up, the CUSUM chart 0."""

    series: Int64
    start: Int64
    statistic: Float64
    z: Float64
    log_range: Float64
    expected_log_range: Float64
    cusum: Float64
    final: Bool
    revision: Int64

    def take(self, rows: npt.NDArray[np.intp]) -> "Signals":
        """Return some rows."""
        return Signals(*(getattr(self, column.name)[rows] for column in fields(self)))

    def join(self, other: "Signals") -> "Signals":
        """Return the rows of both."""
        return Signals(
            *(np.concatenate([getattr(self, column.name), getattr(other, column.name)]) for column in fields(self))
        )


_Columns = TypeVar("_Columns", bound="DataclassInstance")


def joined(parts: Sequence[_Columns]) -> _Columns:
    """Return columns, and columns in columns, one part behind the other; what is no column is the first part's."""
    first = parts[0]
    together: dict[str, object] = {}
    for column in fields(first):
        values = [getattr(part, column.name) for part in parts]
        if isinstance(values[0], np.ndarray):
            together[column.name] = np.concatenate(values)
        elif is_dataclass(values[0]):
            together[column.name] = joined(values)
    return replace(first, **together)


@dataclass(frozen=True, slots=True)
class Facts:
    """Why a bar changed an alert: the bar, the statistic, and what was usual. Times in epoch ms, ranges are logs.

    ``reference`` is the price that a rule on moves measures from.
    """

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    first_offset: int
    last_offset: int
    revision: int
    flags: int
    log_return: float
    elapsed: int
    statistic: float
    z: float
    ratio: float
    log_range: float
    expected_log_range: float
    per_year: float
    baseline_bars: int
    profile_days: int
    reference: float | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """One step in the life of an alert.

    Attributes
    ----------
    state : OPEN, ESCALATED, CLOSED or RETRACTED.
    onset : start of the onset bar, epoch ms; with source, symbol, kind, detector and its version the alert's identity.
    bar : start of the bar that caused the step, epoch ms.
    peak : largest statistic of the episode so far.
    final : the step follows from final bars only; others may still be retracted.
    watermark : of the data when the step was taken, epoch ms; of a final step, when its bar became final.
    facts : of the bar that caused it; None for a retraction, and where no bar did.
    threshold : statistic at which it opens; None is that of the settings.
    detector, detector_version : what raised it: the default detector, or a rule by its name.
    rule : that rule; None for the default detector.
    """

    source: str
    symbol: str
    kind: str
    state: str
    severity: str
    onset: int
    bar: int
    peak: float
    final: bool
    watermark: int
    facts: Facts | None
    threshold: float | None = None
    detector: str = NAME
    detector_version: str = VERSION
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Trades that were not taken, with the codes of the reasons (``bars.REASONS``), in order of arrival.

    A print that the filter held may be dropped in a later call than the one in which it came.
    """

    trades: Trades
    reason: npt.NDArray[np.int8]

    def join(self, other: "Rejected") -> "Rejected":
        """Return the trades of both."""
        return Rejected(concatenate([self.trades, other.trades]), np.concatenate([self.reason, other.reason]))


@dataclass(frozen=True, slots=True)
class Result:
    """The outputs of one call. ``series`` names what the columns index.

    ``unpriced`` are minutes that became final with volume and no price: they are no bars. ``unknown_conditions`` says
    how many of the trades have each condition that the table of their source does not know. ``enters`` is the statistic
    at which the default detector opens, per series; NaN where the settings say so, or that it opens none.
    """

    series: tuple[tuple[str, str], ...]
    bars: tuple[Bars, ...]
    volatility: tuple[Volatility, ...]
    signals: Signals
    transitions: tuple[Transition, ...]
    rejected: Rejected
    unpriced: BarTable = field(default_factory=empty_table)
    unknown_conditions: Mapping[str, int] = field(default_factory=dict)
    enters: Float64 = field(default_factory=lambda: np.empty(0))
