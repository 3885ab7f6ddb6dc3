"""Kafka records into trades, and those that are none, each with its reason. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from volwatch.errors import BadTrade
from volwatch.trade import Trade, decode, decode_all

# Decoded at a time: they stay in the processor's cache, and one that is no trade slows only these.
_SIFTED_TOGETHER = 1024


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that is no trade, and why."""

    partition: int
    offset: int
    value: bytes | None
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Sifted:
    """The trades among consecutive records, each with its offset at the same place, and the records that are none."""

    offsets: Sequence[int]
    trades: Sequence[Trade]
    rejects: Sequence[Reject]


def sift(partition: int, offsets: Sequence[int], values: Sequence[bytes | None]) -> Iterator[Sifted]:
    """Yield the trades among consecutive records, and the others with the reason why they are none, bit by bit."""
    for first in range(0, len(offsets), _SIFTED_TOGETHER):
        some_offsets = offsets[first : first + _SIFTED_TOGETHER]
        some_values = values[first : first + _SIFTED_TOGETHER]
        trades = decode_all(some_values)
        if trades is None:
            yield _sift_singly(partition, some_offsets, some_values)
        else:
            yield Sifted(some_offsets, trades, ())


def _sift_singly(partition: int, offsets: Sequence[int], values: Sequence[bytes | None]) -> Sifted:
    good: list[int] = []
    trades: list[Trade] = []
    rejects: list[Reject] = []
    for offset, value in zip(offsets, values, strict=True):
        try:
            trades.append(decode(value))
        except BadTrade as error:
            rejects.append(Reject(partition, offset, value, error.reason, error.detail))
        else:
            good.append(offset)
    return Sifted(good, trades, rejects)
