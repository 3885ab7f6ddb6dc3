"""What a retry of a quarantined trade can do: the engine's own rules, applied to the record as it would be sent. Pure.

A record that is sent again gets as ``received_at`` what its source's watermark has reached, never the time of day: the
watermark is the largest ``received_at`` of a source, so a later one would make bars of the others final before their
time, and of recorded hours, whose clock is in the past, all that follows late.
"""

from dataclasses import dataclass

import msgspec
import numpy as np

from volwatch.analytics.bars import REASONS, judge
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.trades import from_records
from volwatch.errors import BadTrade
from volwatch.trade import Trade, decode
from volwatch.warehouse.quarantine import SetAside

RULES = {
    "MALFORMED": "it is no record of a trade",
    "UNKNOWN_SYMBOL": "its symbol is not subscribed, or it is a quote that is all zeros",
    "BAD_PRICE": "its price is not in [1e-8, 1e10)",
    "BAD_SIZE": "its size is not in [0, 1e12)",
    "ZERO_SIZE": "its size is 0, which is a quote, and its source is none of quotes",
    "FUTURE": "its event_time is more than 5 s after its received_at",
    "TOO_OLD": "its event_time is 24 h or more before its received_at",
    "LATE": "its bar is final: its source's watermark is 120 s or more past the end of its minute",
    "CONDITION": "by its sale condition it is no trade",
    "OUTLIER": "it is a single print far from those before it",
}
"""What each reason means, in words."""

_CURES = {
    "UNKNOWN_SYMBOL": "helps once the symbol is watched",
    "ZERO_SIZE": "its source is one of quotes by now",
    "FUTURE": "its time has come",
    "CONDITION": "helps once VOLWATCH_PIPELINE_CONDITION_TABLES reads its condition otherwise",
    "OUTLIER": "helps once VOLWATCH_PIPELINE_OUTLIER_FILTER is off, or when the prints since agree with it",
}
_NOTHING_KNOWN = "no rule of this program rejects it any more"


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a retry can do.

    Attributes
    ----------
    trade : the record as it would be sent; None when there is no record to send.
    would_help : whether the engine may take it.
    because : why, in words.
    """

    trade: Trade | None
    would_help: bool
    because: str


def prospect(row: SetAside) -> Prospect:
    """Return what a retry of a trade can do now."""
    try:
        trade = _sent_again(row)
    except BadTrade as error:
        return Prospect(None, would_help=False, because=f"its record cannot be sent: {error.detail}")
    if row.retried_at is not None:
        when = row.retried_at.isoformat(timespec="seconds")
        return Prospect(trade, would_help=False, because=f"it was sent again at {when} by {row.retried_by}")
    reason = _judged(trade, row)
    if reason:
        return Prospect(trade, would_help=False, because=f"it would be {reason}: {RULES[reason]}")
    return Prospect(trade, would_help=True, because=_CURES.get(row.reason, _NOTHING_KNOWN))


def _sent_again(row: SetAside) -> Trade:
    trade = decode(row.record.encode())
    return msgspec.structs.replace(trade, received_at=max(trade.received_at, _reached_ms(row)))


def _judged(trade: Trade, row: SetAside) -> str:
    """Return for which reason the engine would reject a trade now; empty when ranges and times are right."""
    config = EngineConfig()
    watermark = np.array([max(trade.received_at, _reached_ms(row))], np.int64)
    quotes = np.array([trade.source in config.quote_sources], np.bool_)
    [code] = judge(from_records([trade]), watermark, config.lateness_seconds * 1000, quotes).tolist()
    return REASONS[code]


def _reached_ms(row: SetAside) -> int:
    return 0 if row.watermark is None else round(row.watermark.timestamp() * 1000)
