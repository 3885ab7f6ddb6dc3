"""What a sale condition does to a trade, as data per source (quant.md section 1.4).

A condition is a code that the source puts on a trade. Which table reads a source's codes is configured
(``EngineConfig.condition_tables``); a source without a table keeps every trade whole. A code that its table does not
know changes nothing, and is counted.
"""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from volwatch.analytics.bars import GAP_CONDITION, MARK_CONDITION, OHLC_CONDITION
from volwatch.analytics.trades import Trades

NONE, VOLUME_ONLY, DROPPED = range(3)
"""A trade makes price and volume, volume alone, or neither: then it is rejected as ``CONDITION``. Of several codes on
one trade the strongest decides."""

Effects = npt.NDArray[np.int8]

# UTP and CTA letters, as brokers republish the two plans' tables; to be checked against the current plans before a
# consolidated feed is read by them.
_NOT_CURRENT = "ZGP4"
"""Sold out of sequence, bunched sold, prior reference price, derivatively priced: not a price of now. The plans let
some of them set high and low; this platform does not."""
_VOLUME_ONLY_BY_PLAN = "TUWB7VHCNR"
"""Extended hours, average price (W; B of CTA), qualified contingent, stock option, price variation, and what settles
on other terms: cash, next day, seller."""
_NOT_TRADES = "MQ9"
"""Official close, official open and corrected close: the same volume once more."""
_REGULAR = ("", " ", "@", "F", "E", "X", "O", "5", "6")
"""Blank, regular, intermarket sweep, automatic execution, cross, and the auctions."""

SIP: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(_REGULAR, NONE)
    # Odd lots are a large part of the trades of a session, and nearly all of a thin venue's: the bad-print filter is
    # what makes them safe. By the plans they are volume only, which is the next table.
    | {"I": NONE}
    | dict.fromkeys(_NOT_CURRENT + _VOLUME_ONLY_BY_PLAN, VOLUME_ONLY)
    | dict.fromkeys(_NOT_TRADES, DROPPED)
)
SIP_ROUND_LOTS: Mapping[str, int] = MappingProxyType({**SIP, "I": VOLUME_ONLY})
# Finnhub's mapping is not public. From samples: 1 regular, 8 perhaps a sweep, 12 odd lot, 24 extended hours.
FINNHUB: Mapping[str, int] = MappingProxyType(dict.fromkeys(("1", "8", "12", "24"), NONE))

TABLES: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {"sip": SIP, "sip-round-lots": SIP_ROUND_LOTS, "finnhub": FINNHUB}
)

_OWN = frozenset({OHLC_CONDITION, MARK_CONDITION, GAP_CONDITION})


def effects(trades: Trades, table_names: Mapping[str, str]) -> Effects:
    """Return what its conditions do to each trade: ``NONE``, ``VOLUME_ONLY`` or ``DROPPED``.

    Parameters
    ----------
    table_names : mapping of str to str
        Source to the name of its table.

    Raises
    ------
    KeyError
        There is no table of such a name.
    """
    effect = np.zeros(len(trades), np.int8)
    for table, rows in _read_by(trades, table_names):
        strongest = [max((table.get(code, NONE) for code in codes), default=NONE) for codes in trades.conditions]
        effect[rows] = np.array(strongest, np.int8)[trades.condition_code[rows]]
    return effect


def unknown(trades: Trades, table_names: Mapping[str, str]) -> dict[str, int]:
    """Return how many trades have each code that the table of their source does not know."""
    counted: Counter[str] = Counter()
    for table, rows in _read_by(trades, table_names):
        occurs = np.bincount(trades.condition_code[rows], minlength=len(trades.conditions))
        for codes, count in zip(trades.conditions, occurs.tolist(), strict=True):
            counted.update(dict.fromkeys((code for code in codes if code not in table and code not in _OWN), count))
    return {code: count for code, count in sorted(counted.items()) if count}


def _read_by(trades: Trades, table_names: Mapping[str, str]) -> list[tuple[Mapping[str, int], npt.NDArray[np.intp]]]:
    """Return each table that is in use, and the trades whose codes it reads."""
    names = [table_names.get(source) for source, _ in trades.series]
    found = []
    for name in sorted({name for name in names if name is not None}):
        of_table = np.array([other == name for other in names], np.bool_)
        found.append((TABLES[name], np.flatnonzero(of_table[trades.code])))
    return found
