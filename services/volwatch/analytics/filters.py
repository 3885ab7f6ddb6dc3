"""The bad-print filter: which prints are taken, which are dropped, and which wait for those that come after them.

Brownlees & Gallo (2006, Computational Statistics & Data Analysis 51:2232) in streaming form (quant.md section 1.5).
With m = median and s = 1.4826·MAD/m of a series' last 20 accepted prints, a print is suspicious when
|ln(p/m)| > max(0.3 %, 8 s). It is held. Three suspicious prints in a row that agree, each deviation within 25 % of the
first's, are a move of the market and all taken; any other print ends the suspicion, and those held are outliers.

The screen is vectorised. Prints are walked one by one only behind a suspicious one, until the window is whole again,
and both ways come to the same bits.
"""

import json
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from volwatch.analytics.bars import bar_key
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.suspicion import WINDOW, deviation_of, suspects_among
from volwatch.analytics.trades import Bool, Float64, Int64, Trades, concatenate, no_trades

AGREEMENT = 0.25
CONFIRMING = 3

_HELD_COLUMNS = ("code", "event_time", "received_at", "price", "size", "condition_code", "offset")

Rows = npt.NDArray[np.intp]


@dataclass(slots=True)
class Prints:
    """What the filter remembers.

    Attributes
    ----------
    window : float64, shape (series, WINDOW)
        Last accepted prices, the newest last; NaN before the first.
    held : Trades
        Suspicious prints that nothing has decided yet, at most two of a series, in order of arrival.
    series : int64, shape (held,)
        Index of the series of each held print.
    dropped : bool, shape (held,)
        Its bar became final meanwhile, and it was told as an outlier; it still bears witness to a move.
    """

    window: Float64
    held: Trades
    series: Int64
    dropped: Bool


@dataclass(frozen=True, slots=True)
class Sifted:
    """What became of the prints held before and of those that came, in this order the rows of ``trades``.

    Attributes
    ----------
    series, watermark : int64
        Of each row; the watermark is that of the record that decided it.
    taken : intp
        Rows that go into their bars, in the order in which they were admitted.
    outliers : intp
        Rows that are dropped, in order of arrival.
    suspect : int64
        Keys of bars that became final while a print of theirs was held.
    """

    trades: Trades
    series: Int64
    watermark: Int64
    taken: Rows
    outliers: Rows
    suspect: Int64


def new_prints() -> Prints:
    """Return what is remembered before the first print."""
    return Prints(np.empty((0, WINDOW)), no_trades(), np.empty(0, np.int64), np.empty(0, np.bool_))


def grow(prints: Prints, more: int) -> None:
    """Make room for series that were not seen before."""
    prints.window = np.concatenate([prints.window, np.full((more, WINDOW), np.nan)])


def suspect_bars(prints: Prints) -> Int64:
    """Return the keys of the bars of which a print is held, and which are not final."""
    undecided = np.flatnonzero(~prints.dropped)
    return bar_key(prints.series[undecided], prints.held.event_time[undecided])


def as_arrays(prints: Prints) -> dict[str, npt.NDArray[Any]]:
    """Return all that is remembered as arrays, names as the bytes of a text."""
    held = prints.held
    names = json.dumps([held.series, held.conditions]).encode()
    columns = {name: getattr(held, name) for name in _HELD_COLUMNS}
    return columns | {
        "window": prints.window,
        "series": prints.series,
        "dropped": prints.dropped,
        "names": np.frombuffer(names, np.uint8),
    }


def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> Prints:
    """Return what ``as_arrays`` turned into arrays."""
    series, conditions = json.loads(arrays["names"].tobytes())
    held = Trades(
        series=tuple((source, symbol) for source, symbol in series),
        conditions=tuple(tuple(codes) for codes in conditions),
        **{name: arrays[name] for name in _HELD_COLUMNS},
    )
    return Prints(arrays["window"], held, arrays["series"], arrays["dropped"])


def sift(
    prints: Prints, trades: Trades, series: Int64, watermark: Int64, enters: Bool, reached: Int64, lateness_ms: int
) -> Sifted:
    """Take acceptable trades in order of arrival through the filter, and advance ``prints`` (in place).

    Parameters
    ----------
    watermark : int64, shape (n,)
        Of each trade's source, up to and including it.
    enters : bool, shape (n,)
        Trades that the filter judges; the others are taken, and leave no trace in it.
    reached : int64, shape (series,)
        Watermark of each series after these trades.
    """
    held = len(prints.held)
    every, place, known = trades, series, watermark
    if held:  # copies of all columns, and nearly always for nothing
        every = concatenate([prints.held, trades])
        place = np.concatenate([prints.series, series])
        known = np.concatenate([np.zeros(held, np.int64), watermark])
    decided_by = np.concatenate([np.full(held, -1), np.arange(held, held + len(trades))])
    is_outlier = np.zeros(len(every), np.bool_)
    _judge(prints, every.price, place, held + np.flatnonzero(enters), decided_by, is_outlier)
    waited = np.flatnonzero(decided_by != np.arange(len(every)))
    decider = decided_by[waited]
    moment = known.copy()
    moment[waited] = np.where(decider < 0, reached[place[waited]], known[decider])
    return _settle(prints, Sifted(every, place, moment, *_NOTHING), decided_by, waited, is_outlier, lateness_ms)


_NOTHING = (np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.int64))


def _settle(
    prints: Prints, sifted: Sifted, decided_by: Int64, waited: Rows, is_outlier: Bool, lateness_ms: int
) -> Sifted:
    """Let lateness have its say on the prints that had to wait, and keep those that still do."""
    every, count = sifted.trades, len(prints.held)
    start = every.event_time[waited] - every.event_time[waited] % MINUTE_MS
    was_final = start + MINUTE_MS + lateness_ms <= sifted.watermark[waited]
    told = np.zeros(len(every), np.bool_)
    told[:count] = prints.dropped
    suspect = bar_key(sifted.series[waited], start)[was_final & ~told[waited]]
    is_outlier[waited] |= was_final
    undecided = np.flatnonzero(decided_by < 0)
    prints.held, prints.series = every.take(undecided).compact(), sifted.series[undecided]
    prints.dropped = is_outlier[undecided] | told[undecided]
    taken = np.flatnonzero((decided_by >= 0) & ~is_outlier & ~told)
    if len(waited):
        taken = taken[np.argsort(decided_by[taken], kind="stable")]
    outliers = np.flatnonzero(is_outlier & ~told)
    return Sifted(every, sifted.series, sifted.watermark, taken, outliers, suspect)


def _judge(prints: Prints, price: Float64, place: Int64, entering: Rows, decided_by: Int64, is_outlier: Bool) -> None:
    """Write which row decided each row (-1: none yet) and whether it is an outlier; move the windows on."""
    if not len(entering):
        return
    # Sixteen bits are sorted by counting, ten times as fast.
    code = place[entering].astype(np.int16 if len(prints.window) < 2**15 else np.int64)
    rows = entering[np.argsort(code, kind="stable")]
    ordered = place[rows]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    occurring = ordered[first]
    # Before the prints of each series lies its window.
    at = np.arange(len(rows)) + WINDOW * (1 + np.repeat(np.arange(len(first)), np.diff(first, append=len(rows))))
    flat = np.empty(len(rows) + WINDOW * len(first))
    lead = at[first, None] + np.arange(-WINDOW, 0)
    flat[lead] = prints.window[occurring]
    flat[at] = price[rows]
    suspects = suspects_among(flat, at)
    held_rows = np.flatnonzero(decided_by < 0)
    walked = np.union1d(ordered[suspects], np.intersect1d(place[held_rows], occurring))
    before = prints.window[walked]
    last = np.append(first[1:], len(rows)) - 1
    prints.window[occurring] = flat[at[last, None] + np.arange(1 - WINDOW, 1)]
    for series, window in zip(walked.tolist(), before, strict=True):
        begin, end = np.searchsorted(ordered, [series, series + 1])
        waiting = held_rows[place[held_rows] == series]
        own = np.concatenate([waiting, rows[begin:end]])
        seen = suspects[np.searchsorted(suspects, begin) : np.searchsorted(suspects, end)] - begin + len(waiting)
        walk = _Walk(price[own].tolist(), window[~np.isnan(window)].tolist(), len(waiting))
        walk.through(seen.tolist())
        for place_of, decider in walk.decided_by.items():
            decided_by[own[place_of]] = own[decider]
        decided_by[own[walk.waiting]] = -1
        is_outlier[own[walk.outliers]] = True
        prints.window[series] = np.nan
        prints.window[series, WINDOW - len(walk.window) :] = walk.window


class _Walk:
    """One series' prints, one by one: first those held, then those that came; each is known by its place.

    ``decided_by`` says of each print that had to wait which one decided it, ``outliers`` which were dropped, and
    ``waiting`` which are still held.
    """

    def __init__(self, price: list[float], window: list[float], held: int) -> None:
        self._price = price
        self._held = held
        self._first_deviation = deviation_of(price[0], window) if held else 0.0
        self.window = window
        self.waiting = list(range(held))
        self.decided_by: dict[int, int] = {}
        self.outliers: list[int] = []

    def through(self, suspects: list[int]) -> None:
        """Walk through the prints; ``suspects`` are those found suspicious where all before them were accepted."""
        place, end = self._held, len(self._price)
        in_a_row = 0 if self.waiting else WINDOW
        while place < end:
            if in_a_row >= WINDOW:
                # The window is that of the screen: on to what the screen found.
                index = bisect_left(suspects, place)
                ahead = suspects[index] if index < len(suspects) else end
                self.window = [*self.window, *self._price[max(place, ahead - WINDOW) : ahead]][-WINDOW:]
                place, in_a_row = ahead, 0
            else:
                in_a_row = self._step(place, in_a_row)
                place += 1

    def _step(self, place: int, in_a_row: int) -> int:
        """Judge one print; return how many in a row, of those that came, are now the newest of the window."""
        deviation = deviation_of(self._price[place], self.window)
        if not deviation:
            self._decide(place)
            self.window = [*self.window[-WINDOW + 1 :], self._price[place]]
            return in_a_row + 1
        if abs(deviation - self._first_deviation) > AGREEMENT * abs(self._first_deviation):
            self._decide(place)
        if not self.waiting:
            self._first_deviation = deviation
        self.waiting.append(place)
        return self._admit(place) if len(self.waiting) == CONFIRMING else 0

    def _admit(self, place: int) -> int:
        # The window begins anew: measured by the old one, the next prints of the new level would be held as well.
        self.window = [self._price[waiting] for waiting in self.waiting]
        self._decide(place, are_outliers=False)
        return min(CONFIRMING, place - self._held + 1)

    def _decide(self, place: int, are_outliers: bool = True) -> None:
        self.decided_by |= dict.fromkeys(self.waiting, place)
        if are_outliers:
            self.outliers += self.waiting
        self.waiting = []
