"""Recorded messages of Finnhub, a line each with the time of its arrival, into trades."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from volwatch import finnhub
from volwatch.analytics.duplicates import Duplicates
from volwatch.errors import BadInput
from volwatch.trade import EpochMilliseconds, Trade

_PATIENCE_LINES = 100  # a file whose first so many lines are all unreadable is not such a file
_SHAPE = '{"arrival_ms": …, "message": {…}}; volwatch bars --help shows one'


class _Line(msgspec.Struct, gc=False):
    arrival_ms: EpochMilliseconds
    message: msgspec.Raw


class RejectRow(NamedTuple):
    """A trade that is in no bar; the arrival is unknown where the line could not be read."""

    arrival_ms: int | None
    reason: str
    trade: bytes


_line_decoder = msgspec.json.Decoder(_Line)
_arrival_decoder = msgspec.json.Decoder(EpochMilliseconds)


class Intake:
    """Turns lines into trades, numbered in order of arrival; resends and rejects are no part of them.

    Attributes
    ----------
    messages : Counter of str
        Messages so far by their kind.
    duplicates : Duplicates
        Knows how many of them were resends.
    trades : int
        Trades so far.
    """

    def __init__(self, path: Path, lateness_seconds: int, symbols: frozenset[str] | None) -> None:
        self._path = path
        self._symbols = symbols
        self._lines = 0
        self._unreadable = 0
        self._first_fault = "line 1: there is no line in it"
        self.messages: Counter[str] = Counter()
        self.duplicates = Duplicates(lateness_seconds)
        self.trades = 0

    def take(self, lines: Iterable[bytes]) -> tuple[list[Trade], list[RejectRow]]:
        """Return the trades and the rejects of further lines.

        Raises
        ------
        BadInput
            The file begins with nothing but lines that cannot be read.
        """
        trades: list[Trade] = []
        rejects: list[RejectRow] = []
        for line in lines:
            self._lines += 1
            try:
                arrival_ms, raw = _arrival_and_message(line)
            except ValueError as error:
                if line.strip():
                    self._count_unreadable(str(error))
                    rejects.append(RejectRow(None, "MALFORMED", line.strip()))
                continue
            message = finnhub.decode(raw, arrival_ms, self.trades, self._symbols)
            self.messages[message.kind] += 1
            if self.duplicates.is_resent(message.trades, [each.raw for each in message.rejects], arrival_ms):
                continue
            self.trades += len(message.trades)
            trades += message.trades
            rejects += [RejectRow(arrival_ms, each.reason, each.raw) for each in message.rejects]
        return trades, rejects

    def end(self) -> None:
        """Take note that no line follows.

        Raises
        ------
        BadInput
            Not one line could be read.
        """
        if not self.messages:
            raise self._bad_input()

    def _count_unreadable(self, why: str) -> None:
        if not self._unreadable:
            self._first_fault = f"line {self._lines}: {why}"
        self._unreadable += 1
        if self._unreadable == _PATIENCE_LINES and not self.messages:
            raise self._bad_input()

    def _bad_input(self) -> BadInput:
        return BadInput([f"{self._path} {self._first_fault}; give a JSON object a line, {_SHAPE}"])


def _arrival_and_message(line: bytes) -> tuple[int, bytes]:
    """Return the arrival in epoch milliseconds and the raw message of a line; ``ValueError`` where there is none."""
    try:
        found = _line_decoder.decode(line)
        return found.arrival_ms, bytes(found.message)
    except (msgspec.MsgspecError, RecursionError):
        parts = finnhub.members(line)  # which knows NaN
    try:
        return _arrival_decoder.decode(parts["arrival_ms"]), parts["message"]
    except KeyError as error:
        raise ValueError(f"no key {error}") from error
    except msgspec.MsgspecError as error:
        raise ValueError(f"arrival_ms: {error}") from error
