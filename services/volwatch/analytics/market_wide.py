"""When many symbols open alerts at once: one alert of the market, to which theirs belong. Pure.

quant.md section 4.3: more than 30 % of the symbols of one source and calendar open within three bars. What follows is a
function of the alerts that stand and of the symbols seen, never of the order in which either came.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.detector import SEVERITIES

KIND = "MARKET"
MEMBER_KINDS = ("VOLATILITY", "REOPEN")
SHARE_PERCENT = 30
WINDOW_BARS = 3
LEAST_SYMBOLS = 5
"""Symbols that a market must have; of fewer, two that move together say nothing."""
QUIET_BARS = 10
"""Bars without a crowd that part one wave from the next: as long as a symbol waits for its next alert."""

OPEN_STATES = ("OPEN", "ESCALATED")


@dataclass(frozen=True, slots=True)
class Member:
    """An alert of a symbol that stands: not retracted, not suppressed. Times in epoch ms; ``closed`` is None until it
    is."""

    alert_id: str
    symbol: str
    onset: int
    severity: str
    state: str
    confirmed: bool
    detected: int
    closed: int | None


@dataclass(frozen=True, slots=True)
class Wave:
    """Many alerts of one market at once.

    Attributes
    ----------
    onset : start of the bar on which most symbols opened, of the window in which the share was first passed, epoch ms.
    first, last : first and last bar on which the symbols that had opened within the window passed the share.
    opened, symbols : symbols that opened within the window, and that had been seen, where their share was largest.
    members : the alerts of all bars between, in order of (onset, symbol).
    confirmed : those of final bars alone pass the share.
    """

    onset: int
    first: int
    last: int
    opened: int
    symbols: int
    members: tuple[Member, ...]
    confirmed: bool

    @property
    def share(self) -> float:
        """Largest share of symbols that opened within the window."""
        return self.opened / self.symbols


@dataclass(frozen=True, slots=True)
class Standing:
    """How an alert of the market stands by those of its symbols."""

    state: str
    severity: str
    closed: int | None


def crowds(members: Sequence[Member]) -> list[int]:
    """Return the bars by which enough symbols have opened within the window for the smallest market, ascending."""
    return [bar for bar, opened in _opened(members).items() if opened * 100 > SHARE_PERCENT * LEAST_SYMBOLS]


def waves(members: Sequence[Member], seen: Mapping[int, int]) -> list[Wave]:
    """Return the waves of one market, in order.

    Parameters
    ----------
    members : sequence of Member
        All its alerts of some stretch of time, in any order.
    seen : mapping of int to int
        Symbols of the market that had been seen, at each bar of ``crowds``.
    """
    ordered = sorted(members, key=lambda member: (member.onset, member.symbol, member.alert_id))
    spans: list[list[int]] = []
    for bar in _dense(ordered, seen):
        if spans and bar - spans[-1][-1] <= QUIET_BARS * MINUTE_MS:
            spans[-1].append(bar)
        else:
            spans.append([bar])
    return [_wave(ordered, seen, span) for span in spans]


def standing(members: Sequence[Member], next_onset: int | None) -> Standing:
    """Return how an alert of the market stands.

    It has the largest severity of its members, and is closed when all of them are, or when the market's next alert
    opens: a member whose symbol has gone silent would keep it open for ever.
    """
    severity = max((member.severity for member in members), key=SEVERITIES.index)
    still_open = [member for member in members if member.state in OPEN_STATES]
    ended = max((member.closed for member in members if member.closed is not None), default=None)
    if still_open and next_onset is None:
        escalated = any(member.state == "ESCALATED" for member in still_open)
        return Standing("ESCALATED" if escalated else "OPEN", severity, None)
    if still_open or ended is None:
        return Standing("CLOSED", severity, next_onset)
    return Standing("CLOSED", severity, ended if next_onset is None else min(ended, next_onset))


def _opened(members: Sequence[Member]) -> dict[int, int]:
    """Return, for each bar on which a symbol opened, how many had within the window that ends with it."""
    symbols: dict[int, set[str]] = {}
    for member in members:
        symbols.setdefault(member.onset, set()).add(member.symbol)
    window = range(0, WINDOW_BARS * MINUTE_MS, MINUTE_MS)
    return {
        bar: len(set().union(*(symbols[bar - back] for back in window if bar - back in symbols)))
        for bar in sorted(symbols)
    }


def _dense(members: Sequence[Member], seen: Mapping[int, int]) -> list[int]:
    """Return the bars on which the symbols that had opened within the window passed the share, ascending."""
    return [
        bar
        for bar, opened in _opened(members).items()
        if seen.get(bar, 0) >= LEAST_SYMBOLS and opened * 100 > SHARE_PERCENT * seen[bar]
    ]


def _wave(members: Sequence[Member], seen: Mapping[int, int], dense: Sequence[int]) -> Wave:
    first, last = dense[0], dense[-1]
    begin = first - (WINDOW_BARS - 1) * MINUTE_MS
    within = tuple(member for member in members if begin <= member.onset <= last)
    opened = _opened(within)
    fullest = max(dense, key=lambda bar: (opened[bar] / seen[bar], -bar))
    firsts = {(member.onset, member.symbol) for member in within if member.onset <= first}
    on_bar = Counter(onset for onset, _ in firsts)
    return Wave(
        onset=max(on_bar, key=lambda bar: (on_bar[bar], -bar)),
        first=first,
        last=last,
        opened=opened[fullest],
        symbols=seen[fullest],
        members=within,
        confirmed=bool(_dense([member for member in within if member.confirmed], seen)),
    )
