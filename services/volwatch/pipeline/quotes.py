"""Polled prices: every minute Finnhub is asked for the quotes of the watch-list, and what is new goes to Kafka.

A quote is the price of the last trade at that trade's time, so while nothing is traded the same one comes again. What
was published last stands in the warehouse (``warehouse.quotes``), and a quote is published only if it says something
else. It is claimed there before it is sent: a run that dies in between costs a sample of a minute, as one that is
missed does; the other way round the next try would count the same price twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
import structlog
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from volwatch import finnhub, sending
from volwatch.analytics.bars import REASONS, judge
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.trades import from_records
from volwatch.errors import BadTrade, Misconfigured, Transient
from volwatch.pipeline.call_budget import OutOfTime
from volwatch.pipeline.finnhub_rest import NotAllowed
from volwatch.trade import Trade
from volwatch.warehouse import quotes as table
from volwatch.warehouse.quotes import Asked, Outcome, Quote
from volwatch.warehouse.writer import watchlist

_log = structlog.get_logger()

# More than there are calls in a millisecond, so that no number comes twice.
_SEQ_PER_MS = 1_000
_OLD = ("LATE", "TOO_OLD")
_TOLD_FAILURES = 10


class Source(Protocol):
    """The part of ``FinnhubRest`` that is used here."""

    def quote(self, symbol: str) -> bytes:
        """Return what is answered for a symbol, or raise what ``FinnhubRest.quote`` raises."""


Send = Callable[[Sequence[Trade]], None]
"""Publishes trades; raises ``Transient`` when one of them may not have arrived."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the symbols of a run.

    Attributes
    ----------
    busy : bool
        Another run was at work: this one has asked nothing.
    fetched : int
        Answers of Finnhub: those that follow, up to ``failed``, and of ``failed`` the answers that are no quote.
    published, unchanged, stale : int
        New quotes; those that were published before; those whose minute is final already, as of a closed market.
    unknown : int
        Symbols that Finnhub does not know.
    failed : int
        Symbols without an answer, or with one that is no quote.
    left : int
        Symbols of the watch-list whose turn comes in a later run.
    """

    busy: bool = False
    fetched: int = 0
    published: int = 0
    unchanged: int = 0
    stale: int = 0
    unknown: int = 0
    failed: int = 0
    left: int = 0


@dataclass(slots=True)
class Round:
    """What has come of a run so far.

    Attributes
    ----------
    trades : dict of str to Trade
        Quotes that the engine would take, by symbol.
    asked : dict of str to datetime
        When each symbol's answer, or none, was there.
    outcomes : dict of str to str
        What is decided of the symbols.
    faults : dict of str to str
        Why the symbols failed that did.
    refused : str
        That the account may not ask for one of them, and how that was said.
    fetched : int
        Answers with status 200.
    """

    trades: dict[str, Trade] = field(default_factory=dict)
    asked: dict[str, datetime] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    refused: str = ""
    fetched: int = 0


def turn(symbols: Sequence[str], asked: Mapping[str, datetime], most: int) -> list[str]:
    """Return whose turn it is: those that were asked longest ago, at most so many, new ones before all others."""
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(symbols, key=lambda symbol: asked.get(symbol, never))[:most]


def run(
    connection: Connection,
    source: Callable[[Sequence[float]], Source],
    send: Send,
    symbols: Sequence[str],
    per_minute: int,
    clock: Callable[[], datetime],
) -> Report:
    """Ask for the quotes whose turn it is, publish what is new, return what became of them.

    Parameters
    ----------
    source : callable
        Makes what asks, told how many seconds ago the calls of the last minute were made.
    symbols : sequence of str
        What to watch where the warehouse's watch-list is empty.
    per_minute : int
        Most symbols of one run; above it they take turns.

    Raises
    ------
    Transient
        A quote that was claimed may not have reached Kafka; or PostgreSQL did not do its part.
    Misconfigured
        There is nothing to watch, or Finnhub refuses the token.
    """
    started = clock()
    with connection, connection.cursor() as cursor:
        if not table.try_lock(cursor):
            _log.info("quotes_busy")
            return Report(busy=True)
        watched = sorted(watchlist(cursor)) or list(symbols)
        if not watched:
            raise Misconfigured(["VOLWATCH_FINNHUB_SYMBOLS: name what to watch, or fill the table watchlist"])
        spent = [(started - at).total_seconds() for at in table.asked_since(cursor, _a_minute_before(started))]
        before = table.asked(cursor, watched)
        chosen = turn(watched, before, per_minute)
        # Noted before it happens: a run that dies has made these calls too.
        table.write(cursor, [Asked(symbol, started) for symbol in chosen])
    found = ask(source(spent), chosen, clock)
    with connection, connection.cursor() as cursor:
        _settle(found, table.claim(cursor, [_quote(trade) for trade in found.trades.values()]))
        rows = [Asked(name, found.asked.get(name, before.get(name)), found.outcomes.get(name)) for name in chosen]
        table.write(cursor, rows)
    report = _report(found, left=len(watched) - len(found.asked))
    _tell(found, report, len(watched), per_minute, (clock() - started).total_seconds())
    send([trade for name, trade in found.trades.items() if found.outcomes[name] == "PUBLISHED"])
    if found.refused and not found.fetched:
        raise Misconfigured([f"VOLWATCH_FINNHUB_TOKEN: the account may ask for none of its symbols ({found.refused})"])
    return report


def publish(client: sending.Client, topic: str, trades: Sequence[Trade]) -> None:
    """Send trades; return when every one is acknowledged.

    Raises
    ------
    Transient
        One is not.
    """
    sent = sending.send(client, topic, dict(enumerate(trades)))
    if sent.failure is not None:
        lost = len(trades) - len(sent.acknowledged)
        raise Transient(f"Kafka: {lost} of {len(trades)} quotes may not have arrived: {sent.failure}")


def ask(source: Source, symbols: Sequence[str], clock: Callable[[], datetime]) -> Round:
    """Ask for symbols until all are asked or the time is over."""
    found = Round()
    for symbol in symbols:
        try:
            answer = source.quote(symbol)
        except OutOfTime:
            break
        except NotAllowed as error:
            found.refused = str(error)
            _fail(found, symbol, str(error))
        except Transient as error:
            _fail(found, symbol, str(error))
        else:
            found.fetched += 1
            _judge(found, symbol, answer, _milliseconds(clock()))
        found.asked[symbol] = clock()
    return found


def _judge(found: Round, symbol: str, answer: bytes, received_at: int) -> None:
    """Decode an answer, and see whether the engine would take it."""
    try:
        trade = finnhub.decode_quote(answer, symbol, received_at, received_at * _SEQ_PER_MS + len(found.trades))
    except BadTrade as error:
        if error.reason == "UNKNOWN_SYMBOL":
            found.outcomes[symbol] = "UNKNOWN"
        else:
            _fail(found, symbol, str(error))
        return
    lateness_ms = EngineConfig().lateness_seconds * 1_000
    [code] = judge(from_records([trade]), np.array([received_at]), lateness_ms, np.array([True])).tolist()
    if REASONS[code] in _OLD:
        found.outcomes[symbol] = "STALE"
    elif code:
        # Not claimed either: a time in the future would make all that follow old.
        _fail(found, symbol, f"{REASONS[code]}: price {trade.price!r}, event_time {trade.event_time}")
    else:
        found.trades[symbol] = trade


def _settle(found: Round, claimed: set[str]) -> None:
    for symbol in found.trades:
        found.outcomes[symbol] = "PUBLISHED" if symbol in claimed else "UNCHANGED"


def _fail(found: Round, symbol: str, reason: str) -> None:
    found.outcomes[symbol] = "FAILED"
    found.faults[symbol] = reason


def _report(found: Round, left: int) -> Report:
    outcomes = list(found.outcomes.values())
    return Report(
        fetched=found.fetched,
        published=outcomes.count("PUBLISHED"),
        unchanged=outcomes.count("UNCHANGED"),
        stale=outcomes.count("STALE"),
        unknown=outcomes.count("UNKNOWN"),
        failed=outcomes.count("FAILED"),
        left=left,
    )


def _tell(found: Round, report: Report, watched: int, per_minute: int, seconds: float) -> None:
    if found.faults:
        _log.warning("quotes_failed", symbols=len(found.faults), first=dict([*found.faults.items()][:_TOLD_FAILURES]))
    unknown = [symbol for symbol, outcome in found.outcomes.items() if outcome == "UNKNOWN"]
    if unknown:
        _log.warning("quotes_of_unknown_symbols", symbols=unknown)
    if watched > per_minute:
        _log.warning("quotes_take_turns", symbols=watched, at_once=per_minute, minutes=-(-watched // per_minute))
    _log.info("quotes_run", seconds=round(seconds, 3), **asdict(report))


def _quote(trade: Trade) -> Quote:
    return Quote(trade.symbol, datetime.fromtimestamp(trade.event_time / 1_000, UTC), trade.price)


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1_000)


def _a_minute_before(time: datetime) -> datetime:
    return datetime.fromtimestamp(time.timestamp() - 60.0, UTC)
