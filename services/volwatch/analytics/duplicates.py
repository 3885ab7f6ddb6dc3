"""Messages that a feed sends again: they go; equal prints that are real stay.

A feed without trade ids is at-least-once: it replays whole messages. Key of a trade is (s, t, p, v, c, k), k its
occurrence number among the equal ones of its message (quant.md section 1.2); a message is a resend when an earlier one
had exactly its keys. So twins inside a message stay, and so does a print that an earlier message had beside others,
or alone: a burst of equal prints is often cut by the end of a message.

What cannot be told apart: a resend from real prints that fill a message of their own exactly as they filled an earlier
one, in practice two equal prints of the same millisecond, each alone in its message; they are taken for a resend.
A replay that cuts the trades into other messages is not noticed.
"""

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from volwatch.analytics.bars import FUTURE_TOLERANCE_MS
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.trade import Trade

MOST_MESSAGES = 250_000
"""Remembered at the most, the latest of them, whatever their times say."""


@dataclass(slots=True)
class Memory:
    """What is remembered of one source.

    Attributes
    ----------
    watermark : int
        The largest received_at, epoch milliseconds.
    seen : dict of bytes to int
        Digests of messages in order of arrival, each with the watermark at which it came.
    messages, trades : int
        Resends so far, and the trades that they repeated.
    """

    watermark: int = 0
    seen: OrderedDict[bytes, int] = field(default_factory=OrderedDict)
    messages: int = 0
    trades: int = 0


class Duplicates:
    """Knows the messages of one source for as long as a resend could still change a bar.

    A trade is taken until the watermark has passed the end of its minute by the lateness, and it is at most
    ``FUTURE_TOLERANCE_MS`` later than the message that first brought it: resends that come after both are ``LATE``.

    Parameters
    ----------
    lateness_seconds : int
        As the engine has it.
    memory : Memory, optional
        Where to go on; empty when it is left out.
    """

    def __init__(self, lateness_seconds: int, memory: Memory | None = None) -> None:
        self._horizon_ms = lateness_seconds * 1000 + MINUTE_MS + FUTURE_TOLERANCE_MS
        self.memory = memory or Memory()

    def is_resent(self, trades: Sequence[Trade], rejected: Sequence[bytes], received_at: int) -> bool:
        """Return whether an earlier message had the same items, and remember this one.

        Parameters
        ----------
        trades, rejected : sequence of Trade, of bytes
            All items of the message, those that are no trades as they came. Without any it is never a resend.
        received_at : int
            When it came, epoch milliseconds.
        """
        if not trades and not rejected:
            return False
        memory = self.memory
        memory.watermark = max(memory.watermark, received_at)
        self._forget()
        digest = _digest(trades, rejected)
        if digest in memory.seen:
            memory.messages += 1
            memory.trades += len(trades)
            return True
        memory.seen[digest] = memory.watermark
        return False

    def _forget(self) -> None:
        """Let go of the messages that can no longer matter, and make room for one."""
        seen, oldest = self.memory.seen, self.memory.watermark - self._horizon_ms
        while seen and (len(seen) >= MOST_MESSAGES or next(iter(seen.values())) <= oldest):
            seen.popitem(last=False)


def save(memory: Memory) -> bytes:
    """Return what is remembered as bytes."""
    seen = [[digest.hex(), at] for digest, at in memory.seen.items()]
    return json.dumps([memory.watermark, seen, memory.messages, memory.trades]).encode()


def restore(data: bytes) -> Memory:
    """Return the memory that ``save`` turned into ``data``."""
    watermark, seen, messages, trades = json.loads(data)
    return Memory(watermark, OrderedDict((bytes.fromhex(digest), at) for digest, at in seen), messages, trades)


def _digest(trades: Sequence[Trade], rejected: Sequence[bytes]) -> bytes:
    """Return a digest of a message's items: sorted, repeats included, they are the same exactly when the keys are."""
    keys = sorted((each.symbol, each.event_time, each.price, each.size, each.conditions) for each in trades)
    return blake2b(repr((keys, sorted(rejected))).encode(), digest_size=16).digest()
