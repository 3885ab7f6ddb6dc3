"""How early the open bar raises what full bars raise, and whether it is right: the engine over a labelled market.

Ours: trades come in steps of a few seconds, and a bar is judged while it is open. The peer is the same engine asked
only at the end of a bar and five seconds, as bars are shown. Both from the start of a labelled event to the first alert
of it. What the open bar raises must be among what full bars raise; what they take back is told, and fails.
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from tests.benchmarks.measure import Measured, Unequal
from volwatch.analytics.bars import PROVISIONAL_AFTER_MS
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import FLAG_SUSPECT_PRINTS, Result
from volwatch.analytics.trades import Trades, from_records
from volwatch.market.labelled import opens_of
from volwatch.market.scoring import GRACE_MINUTES
from volwatch.market.sessions import SESSION_MINUTES, SOURCE, Plan, make_sessions
from volwatch.trade import Trade

PLAN = Plan(seed=1, symbols_per_scenario=2, history=10, evaluated=5, mixed=False)
STEP_MS = 5_000

Onset = tuple[str, int]
"""A symbol and the start of the onset bar, epoch ms."""


@dataclass(slots=True)
class Early:
    """What came of a market.

    Attributes
    ----------
    opened : watermark at which the open bar, or one that has ended and is not final, opened each alert.
    full : onsets of final bars.
    taken_back : alerts that were opened on a bar that may still change, and were not borne out.
    suspect : onsets of bars of which prints were held.
    """

    opened: dict[Onset, int] = field(default_factory=dict)
    full: set[Onset] = field(default_factory=set)
    taken_back: set[Onset] = field(default_factory=set)
    suspect: set[Onset] = field(default_factory=set)

    def note(self, result: Result) -> None:
        """Take down the openings and retractions of a call."""
        for step in result.transitions:
            onset = (step.symbol, step.onset)
            if step.facts is not None and step.facts.flags & FLAG_SUSPECT_PRINTS:
                self.suspect.add(onset)
            if step.state == "RETRACTED":
                self.taken_back.add(onset)
            elif step.state == "OPEN" and step.final:
                self.full.add(onset)
            elif step.state == "OPEN":
                self.opened.setdefault(onset, step.watermark)

    @property
    def on_open_bars(self) -> dict[Onset, int]:
        """Those that were opened before their bar had ended."""
        return {onset: at for onset, at in self.opened.items() if at < onset[1] + MINUTE_MS}

    @property
    def wrong(self) -> set[Onset]:
        """Alerts of open bars that full bars do not raise, but for those of bars with bad prints."""
        return self.on_open_bars.keys() - self.full - self.suspect


@dataclass(frozen=True, slots=True)
class Label:
    """An event of a symbol; times in epoch ms, ``end`` of its last bar's start."""

    kind: str
    symbol: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Delay:
    """Seconds from the start of an event to its alert, by the open bar and by the end of the bar."""

    kind: str
    ours: float
    at_bar_end: float


def run(tell: Callable[[str], None], plan: Plan = PLAN, step_ms: int = STEP_MS) -> Measured:
    """Measure on a market of two symbols of each scenario; print what was opened, kept and taken back.

    Raises
    ------
    Unequal
        The open bar raised what full bars do not.
    """
    found, labels = watch(plan, step_ms, tell)
    for line in told(found, delays(found, labels)):
        tell(line)
    if found.wrong:
        raise Unequal(f"early: full bars do not raise what open bars raised: {sorted(found.wrong)}")
    median = _medians(delays(found, labels))
    return Measured("early_delay_s", *median, median[1] / median[0], f"s to alert, in steps of {step_ms / 1000:g} s")


def watch(plan: Plan, step_ms: int, tell: Callable[[str], None]) -> tuple[Early, list[Label]]:
    """Return what the engine made of a market that came in steps, and the market's events.

    The days before the first event come whole.
    """
    engine, found, labels = Engine(EngineConfig()), Early(), list[Label]()
    opens, first_offset = opens_of(plan.sessions), 0
    for number, session in enumerate(make_sessions(plan, opens)):
        trades = replace(session.trades, offset=session.trades.offset + first_offset)
        first_offset += len(trades)
        tell(f"early: session {number + 1} of {plan.sessions}")
        for part in steps(trades, step_ms) if number >= plan.history else [trades]:
            result = engine.process(part)
            if number >= plan.history:
                found.note(result)
        moved = int(opens[number]) - number * SESSION_MINUTES * MINUTE_MS
        labels += [
            Label(each.kind, str(each.symbol), each.start_second * 1_000 + moved, (each.end_second - 1) * 1_000 + moved)
            for each in session.events
        ]
    found.note(engine.process(_mark(engine, first_offset)))
    return found, labels


def steps(trades: Trades, step_ms: int) -> Iterator[Trades]:
    """Yield trades in the order of their arrival, those of a step together."""
    bounds = np.flatnonzero(np.diff(trades.received_at // step_ms)) + 1
    for first, last in zip([0, *bounds.tolist()], [*bounds.tolist(), len(trades)], strict=True):
        yield trades.take(slice(first, last))


def _mark(engine: Engine, offset: int) -> Trades:
    """Return the record that makes the last bars final."""
    end = engine.state.watermarks[SOURCE] + 600_000
    return from_records([Trade(SOURCE, "0", end, 0.0, 0.0, ("mark",), None, end, 0)], offset)


def delays(found: Early, labels: list[Label]) -> list[Delay]:
    """Return the delay of each event that was found: the first onset from its start to five minutes behind its end."""
    made = []
    for label in labels:
        until = label.end + GRACE_MINUTES * MINUTE_MS
        onsets = [at for symbol, at in found.full if symbol == label.symbol and label.start <= at <= until]
        if onsets and (label.symbol, min(onsets)) in found.opened:
            onset = min(onsets)
            at_end = onset + MINUTE_MS + PROVISIONAL_AFTER_MS
            opened = min(found.opened[label.symbol, onset], at_end)
            made.append(Delay(label.kind, (opened - label.start) / 1_000, (at_end - label.start) / 1_000))
    return made


def told(found: Early, measured: list[Delay]) -> list[str]:
    """Return what was found, a line each."""
    open_bars = found.on_open_bars
    kept = open_bars.keys() & found.full
    lines = [
        f"early: {len(found.full)} onsets of full bars, {len(open_bars)} of them before the bar had ended; "
        f"{len(open_bars) - len(kept)} that full bars do not raise, {len(found.taken_back)} taken back, "
        f"{len(open_bars.keys() - kept & found.suspect)} of bars with bad prints",
    ]
    leads = [at + MINUTE_MS + PROVISIONAL_AFTER_MS - open_bars[symbol, at] for symbol, at in kept]
    lines.append(f"early: they come {statistics.median(leads) / 1_000:.1f} s before their bars would tell (median)")
    for kind in ("all", *sorted({delay.kind for delay in measured})):
        of_kind = [delay for delay in measured if kind in ("all", delay.kind)]
        ours, at_bar_end = _medians(of_kind)
        lines.append(
            f"early: {kind:<8}{len(of_kind):>4} events, median {ours:6.1f} s, by the bar's end {at_bar_end:6.1f} s"
        )
    return lines


def _medians(measured: list[Delay]) -> tuple[float, float]:
    return statistics.median(each.ours for each in measured), statistics.median(each.at_bar_end for each in measured)
