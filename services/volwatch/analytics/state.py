"""The engine's state: a small value that is saved with the outputs of a run and restored to the last bit."""

import io
import json
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from volwatch.analytics import detector, filters, seasonality
from volwatch.analytics.bars import BarTable, column_types, empty_table
from volwatch.analytics.detector import DetectorState
from volwatch.analytics.filters import Prints
from volwatch.analytics.history import History, new_history
from volwatch.analytics.rules.held import RuleState, new_rule_state, restored
from volwatch.analytics.trades import Float64, Int64, Series
from volwatch.analytics.weekly import Weekly, new_weekly

VERSION = "2"
"""Of the algorithm and of this layout: a state of another version is not restored."""

MINUTE_TERMS = (
    "chain", "log_return", "elapsed", "parkinson", "garman_klass", "rogers_satchell", "trades",
)  # fmt: skip
DAY_TERMS = (
    "log_return", "elapsed", "overnight", "open_close", "parkinson", "garman_klass", "rogers_satchell", "trades",
    "simple_return",
)  # fmt: skip
SPACING_TERMS = ("seconds",)


@dataclass(slots=True)
class Chain:
    """Where each series' chain of bars stands, columns of shape (series,), and the terms of its last bars.

    ``close`` and ``start`` (epoch ms) are of the last bar, ``id`` its chain; NaN and -1 before the first.
    ``numerator``, ``weight`` and ``terms`` are the EWMA's N, D and count.
    """

    close: Float64
    start: Int64
    id: Int64
    numerator: Float64
    weight: Float64
    terms: Int64
    history: History


@dataclass(slots=True)
class Season:
    """What each series' profile is learnt from.

    ``today`` (series, standard minutes) holds the log range of today's bars, ``past`` (series, sessions, bins) the
    deviations of past sessions, ``days`` their number, ``profile`` (series, bins) what follows from them. NaN: nothing.
    """

    today: Float64
    past: Float64
    days: Int64
    profile: Float64

    def take(self, series: Int64) -> "Season":
        """Return the season of some series."""
        return Season(*(getattr(self, column.name)[series] for column in fields(self)))

    def put(self, series: Int64, season: "Season") -> None:
        """Set the season of some series."""
        for column in fields(self):
            getattr(self, column.name)[series] = getattr(season, column.name)


@dataclass(slots=True)
class Shown:
    """What was last told of a series' episode: enough to confirm, escalate or retract it."""

    onset: int
    kind: int
    severity: int
    confirmed: bool


@dataclass(slots=True)
class EngineState:
    """All that the engine remembers of one partition.

    ``gap_series`` and ``gap_since`` (epoch ms) tell of series whose source could not see for a while when it could
    again, in order of arrival, until their next bar is final.
    ``weekly_row`` is the place of each series in ``weekly``, -1 for one of a market that closes; a series that is not
    in it yet has seen no bar.
    """

    series: list[Series]
    calendars: list[str]
    watermarks: dict[str, int]
    gap_series: Int64
    gap_since: Int64
    prints: Prints
    minute_bars: BarTable
    day_bars: BarTable
    minutes: Chain
    days: Chain
    spacing: History
    detector: DetectorState
    season: Season
    weekly: Weekly
    weekly_row: Int64
    shown: dict[int, Shown]
    rules: RuleState


def new_engine_state(minute_width: int, day_width: int, spacing_width: int) -> EngineState:
    """Return the state before the first trade."""
    return EngineState(
        series=[],
        calendars=[],
        watermarks={},
        gap_series=np.empty(0, np.int64),
        gap_since=np.empty(0, np.int64),
        prints=filters.new_prints(),
        minute_bars=empty_table(),
        day_bars=empty_table(),
        minutes=_new_chain(MINUTE_TERMS, minute_width),
        days=_new_chain(DAY_TERMS, day_width),
        spacing=new_history(SPACING_TERMS, spacing_width),
        detector=detector.new_state(0),
        season=Season(
            np.empty((0, seasonality.SESSION_MINUTES)),
            np.empty((0, seasonality.SESSIONS, seasonality.BINS)),
            np.empty(0, np.int64),
            np.empty((0, seasonality.BINS)),
        ),
        weekly=new_weekly(np.empty(0, np.int64)),
        weekly_row=np.empty(0, np.int64),
        shown={},
        rules=new_rule_state(),
    )


def _new_chain(names: tuple[str, ...], width: int) -> Chain:
    real, whole = np.empty(0), np.empty(0, np.int64)
    return Chain(real, whole, whole, real, real, whole, new_history(names, width))


def add_series(state: EngineState, series: list[Series], calendars: list[str]) -> None:
    """Make room for series that were not seen before."""
    if not series:
        return
    state.series += series
    state.calendars += calendars
    count, more = len(state.series), len(series)
    for chain in (state.minutes, state.days):
        chain.close = np.append(chain.close, np.full(more, np.nan))
        chain.start = np.append(chain.start, np.full(more, -1))
        chain.id = np.append(chain.id, np.full(more, -1))
        chain.numerator = np.append(chain.numerator, np.zeros(more))
        chain.weight = np.append(chain.weight, np.zeros(more))
        chain.terms = np.append(chain.terms, np.zeros(more, np.int64))
        chain.history.grow(count)
    state.spacing.grow(count)
    filters.grow(state.prints, more)
    fresh = detector.new_state(more)
    for column in fields(DetectorState):
        joined = np.concatenate([getattr(state.detector, column.name), getattr(fresh, column.name)])
        setattr(state.detector, column.name, joined)
    season = state.season
    season.today = np.concatenate([season.today, np.full((more, season.today.shape[1]), np.nan)])
    season.past = np.concatenate([season.past, np.full((more, *season.past.shape[1:]), np.nan)])
    season.days = np.append(season.days, np.zeros(more, np.int64))
    season.profile = np.concatenate([season.profile, np.tile(seasonality.prior(), (more, 1))])


def add_weekly(state: EngineState, open_hours: list[int]) -> None:
    """Make room for the weekly profiles of series that are not in ``weekly_row`` yet.

    Parameters
    ----------
    open_hours : list of int
        Hours of a week in which the market of each such series is open; 0 for one that closes every day.
    """
    hours = np.array(open_hours, np.int64)
    places = len(state.weekly.week) + np.cumsum(hours > 0) - 1
    state.weekly_row = np.append(state.weekly_row, np.where(hours > 0, places, -1))
    state.weekly.grow(hours[hours > 0])


def save(state: EngineState) -> bytes:
    """Return the state as bytes: arrays in binary, so that a restored engine goes on bit by bit."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, part in _array_parts(state).items():
        arrays |= {f"{name}.{key}": value for key, value in part.items()}
    facts = {
        "series": state.series,
        "calendars": state.calendars,
        "watermarks": state.watermarks,
        "shown": {str(key): [s.onset, s.kind, s.severity, s.confirmed] for key, s in state.shown.items()},
        "rules": state.rules.as_facts(),
    }
    arrays["facts"] = np.frombuffer(json.dumps(facts, ensure_ascii=True).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def restore(data: bytes) -> EngineState:
    """Return the state that ``save`` turned into ``data``."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    facts = json.loads(arrays.pop("facts").tobytes())
    parts: dict[str, dict[str, npt.NDArray[Any]]] = {}
    for name, value in arrays.items():
        part, _, key = name.partition(".")
        parts.setdefault(part, {})[key] = value
    return EngineState(
        series=[(source, symbol) for source, symbol in facts["series"]],
        calendars=facts["calendars"],
        watermarks=facts["watermarks"],
        gap_series=parts["marks"]["gap_series"],
        gap_since=parts["marks"]["gap_since"],
        prints=filters.from_arrays(parts["prints"]),
        minute_bars=BarTable(**parts["minute_bars"]),
        day_bars=BarTable(**parts["day_bars"]),
        minutes=Chain(**parts["minutes"], history=History(MINUTE_TERMS, parts["histories"]["minutes"])),
        days=Chain(**parts["days"], history=History(DAY_TERMS, parts["histories"]["days"])),
        spacing=History(SPACING_TERMS, parts["histories"]["spacing"]),
        detector=DetectorState(**parts["detector"]),
        season=Season(**parts["season"]),
        weekly=Weekly(**parts["weekly"]),
        weekly_row=parts["marks"]["weekly_row"],
        shown={int(key): Shown(*values) for key, values in facts["shown"].items()},
        # A state that was saved before there were rules knows nothing of any.
        rules=restored(parts.get("rules", {}), facts.get("rules", {}), len(facts["series"])),
    )


def _array_parts(state: EngineState) -> dict[str, dict[str, npt.NDArray[Any]]]:
    def columns(part: object, names: list[str]) -> dict[str, npt.NDArray[Any]]:
        return {name: getattr(part, name) for name in names}

    chain = [column.name for column in fields(Chain) if column.name != "history"]
    return {
        "minute_bars": columns(state.minute_bars, list(column_types())),
        "day_bars": columns(state.day_bars, list(column_types())),
        "minutes": columns(state.minutes, chain),
        "days": columns(state.days, chain),
        "histories": {name: held.values for name, held in _histories(state).items()},
        "detector": columns(state.detector, [column.name for column in fields(DetectorState)]),
        "weekly": columns(state.weekly, [column.name for column in fields(Weekly)]),
        "marks": columns(state, ["gap_series", "gap_since", "weekly_row"]),
        "prints": filters.as_arrays(state.prints),
        "rules": state.rules.as_arrays(),
        "season": columns(state.season, [column.name for column in fields(Season)]),
    }


def _histories(state: EngineState) -> dict[str, History]:
    return {"minutes": state.minutes.history, "days": state.days.history, "spacing": state.spacing}
