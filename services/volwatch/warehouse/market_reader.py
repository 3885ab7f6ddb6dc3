"""What the alerts of markets follow from: the alerts of symbols, and which symbols there are."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.analytics import detector
from volwatch.analytics.market_wide import KIND, MEMBER_KINDS, QUIET_BARS, WINDOW_BARS, Member, Standing
from volwatch.warehouse import market_statements as statements

LOOK_BACK = timedelta(hours=1)
"""How far before the first change alerts are read."""

SEEN_DAYS = 4
"""A symbol counts as one of the market from its first regular bar on, since midnight UTC so many days before: the days
that a long weekend parts from the next session."""

_EDGE = timedelta(minutes=WINDOW_BARS + QUIET_BARS)

Market = tuple[str, str]
"""Source and calendar."""


@dataclass(frozen=True, slots=True)
class Since:
    """From when on alerts or bars may have changed.

    Attributes
    ----------
    bars : of any source: no bar before it has come or changed.
    onsets : by source, the first onset of the alerts that opened or were retracted.
    """

    bars: datetime
    onsets: Mapping[str, datetime]

    def begin(self, source: str) -> datetime:
        """Return from where on the alerts of a source are read."""
        return min(self.bars, self.onsets.get(source, self.bars)) - LOOK_BACK

    def edge(self, source: str) -> int:
        """Return from where on a wave is known to have started where it seems to, epoch ms."""
        return epoch_ms(self.begin(source) + _EDGE)

    def parameters(self) -> dict[str, object]:
        """Return what the statements are told."""
        starts = [self.begin(source) for source in self.onsets]
        recent = self.bars - LOOK_BACK
        return {
            "sources": list(self.onsets),
            "starts": starts,
            "recent": recent,
            "oldest": min([recent, *starts]),
            "detector": detector.NAME,
            "version": detector.VERSION,
            "kind": KIND,
            "kinds": list(MEMBER_KINDS),
        }


@dataclass(frozen=True, slots=True)
class Held:
    """An alert of a market as it is stored."""

    alert_id: str
    market: Market
    onset: int
    standing: Standing
    confirmed: bool
    sentence: str


def read_members(cursor: Cursor, since: Since) -> tuple[dict[str, list[Member]], dict[str, str | None]]:
    """Return the standing alerts of symbols by their source, and the market's alert that each is linked to."""
    by_source: dict[str, list[Member]] = {}
    links: dict[str, str | None] = {}
    cursor.execute(statements.MEMBERS, since.parameters())
    for source, link, *row in cursor.fetchall():
        member = _member(*row)
        by_source.setdefault(source, []).append(member)
        links[member.alert_id] = link
    return by_source, links


def read_held(cursor: Cursor, since: Since) -> dict[str, Held]:
    """Return the alerts of markets that are open or may have changed, by their id."""
    cursor.execute(statements.HELD, since.parameters())
    return {
        name: Held(
            name, (source, calendar), epoch_ms(onset), Standing(state, severity, _ms(closed)), confirmed, sentence
        )
        for name, source, calendar, onset, state, severity, confirmed, closed, sentence in cursor.fetchall()
    }


def read_linked(cursor: Cursor, market_alerts: Iterable[str]) -> dict[str, list[Member]]:
    """Return the members of alerts of markets, by the id of these."""
    members: dict[str, list[Member]] = {}
    cursor.execute(statements.LINKED, {"ids": list(market_alerts)})
    for market_alert, *row in cursor.fetchall():
        members.setdefault(market_alert, []).append(_member(*row))
    return members


class SeenSymbols:
    """How many symbols of a source had been seen when.

    Parameters
    ----------
    calendar_of : callable
        Gives the calendar of a symbol.
    """

    def __init__(self, cursor: Cursor, source: str, calendar_of: Callable[[str], str]) -> None:
        self._cursor = cursor
        self._source = source
        self._calendar_of = calendar_of
        self._first_bars: dict[datetime, list[tuple[str, int]]] = {}

    def count(self, calendar: str, bar: int) -> int:
        """Return how many symbols of a calendar had been seen when a bar (its start, epoch ms) ended."""
        day = utc(bar).replace(hour=0, minute=0, second=0)
        if day not in self._first_bars:
            span = {"start": day - timedelta(days=SEEN_DAYS), "end": day + timedelta(days=1)}
            self._cursor.execute(statements.SEEN, {"source": self._source} | span)
            found = self._cursor.fetchall()
            self._first_bars[day] = [(self._calendar_of(symbol), epoch_ms(start)) for symbol, start in found]
        return sum(name == calendar and start <= bar for name, start in self._first_bars[day])


def _member(
    name: str,
    symbol: str,
    onset: datetime,
    severity: str,
    state: str,
    confirmed: bool,
    detected: datetime,
    closed: datetime | None,
) -> Member:
    return Member(name, symbol, epoch_ms(onset), severity, state, confirmed, epoch_ms(detected), _ms(closed))


def _ms(time: datetime | None) -> int | None:
    return None if time is None else epoch_ms(time)


def epoch_ms(time: datetime) -> int:
    """Return a time in epoch milliseconds."""
    return round(time.timestamp() * 1000)


def utc(milliseconds: int) -> datetime:
    """Return the time of epoch milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
