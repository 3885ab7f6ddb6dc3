"""What an alert is called and how it explains itself: ids, numbers and one plain sentence. Pure."""

import math
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from volwatch.analytics import detector, market_wide
from volwatch.analytics.market_wide import Wave
from volwatch.analytics.results import FLAG_NAMES, Facts, Transition
from volwatch.analytics.rules.rule import Move, Rule, VolatilityAbove

# Of all alert ids: uuid5 of the natural key under this namespace, so that every path gives the same id.
NAMESPACE = uuid.UUID("6f1c7c0e-5d0a-5c39-9e0f-3a1d0c0b7a52")

_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an alert was raised: volatilities are annualised decimals."""

    volatility: float
    expected_volatility: float
    ratio: float
    sentence: str
    why: dict[str, object]


def alert_id(
    source: str, symbol: str, kind: str, onset_ms: int, name: str = detector.NAME, version: str = detector.VERSION
) -> uuid.UUID:
    """Return the id of the alert that a detector, by default the usual one, raises on a bar; the same for every path
    that finds it.

    The symbol of an alert of the market (kind ``MARKET``) is the calendar's name.
    """
    # Lengths in front keep names that hold a separator apart.
    parts = (source, symbol, kind, name, version, str(onset_ms))
    return uuid.uuid5(NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts))


def id_of(step: Transition) -> uuid.UUID:
    """Return the id of the alert that a step is of."""
    return alert_id(step.source, step.symbol, step.kind, step.onset, step.detector, step.detector_version)


def explain(step: Transition, facts: Facts, threshold: float, config_hash: str) -> Explanation:
    """Return the numbers and the sentence behind a step that has a bar.

    Parameters
    ----------
    threshold : float
        At which the alert opens, if the step does not say.
    """
    threshold = threshold if step.threshold is None else step.threshold
    ratio = math.exp(facts.log_range - facts.expected_log_range)
    volatility = _annual_volatility(facts.log_range, facts.per_year)
    expected = _annual_volatility(facts.expected_log_range, facts.per_year)
    why: dict[str, object] = {
        "statistic": _defined(facts.statistic),
        "threshold": threshold,
        "channel": _channel(step, facts),
        "z": _defined(facts.z),
        "ratio": ratio,
        "ratio_three_bars": facts.ratio,
        "volatility": volatility,
        "expected_volatility": expected,
        "bar": {
            "start": _iso(facts.start),
            "open": facts.open,
            "high": facts.high,
            "low": facts.low,
            "close": facts.close,
            "volume": facts.volume,
            "trades": facts.trades,
            "move": _defined(facts.log_return),
            "elapsed_bars": facts.elapsed,
            "revision": facts.revision,
        },
        "baseline_bars": facts.baseline_bars,
        "profile_days": facts.profile_days,
        "flags": [name for bit, name in FLAG_NAMES.items() if facts.flags & bit],
        "final": step.final,
        "config_hash": config_hash,
        "detector": f"{step.detector} {step.detector_version}",
        "offsets": [facts.first_offset, facts.last_offset],
    }
    if step.rule is None:
        return Explanation(volatility, expected, ratio, _sentence(step, facts, ratio, threshold), why)
    # As JSON has it: what is stored is compared with what is computed anew.
    given = asdict(step.rule).items()
    why["rule"] = {name: list(value) if isinstance(value, tuple) else value for name, value in given}
    why["reference_price"] = None if facts.reference is None else _defined(facts.reference)
    return Explanation(volatility, expected, ratio, _rule_sentence(step, facts, step.rule), why)


def explain_market(calendar: str, wave: Wave, config_hash: str) -> tuple[str, dict[str, object]]:
    """Return the sentence of an alert of the market, and why it was raised: the onset of each symbol among it."""
    minutes, limit = market_wide.WINDOW_BARS, market_wide.SHARE_PERCENT
    symbols = {member.symbol: _iso(member.onset) for member in reversed(wave.members)}
    more = f"; {len(symbols)} in all" if len(symbols) > wave.opened else ""
    sentence = (
        f"{calendar} {_clock(wave.onset)}: {wave.opened} of {wave.symbols} symbols opened within {minutes} minutes "
        f"({wave.share * 100:.0f} %, market-wide above {limit} %{more})"
    )
    why: dict[str, object] = {
        "share": wave.share,
        "threshold": limit / 100,
        "window_bars": minutes,
        "opened": wave.opened,
        "symbols_seen": wave.symbols,
        "calendar": calendar,
        "first_bar": _iso(wave.first),
        "last_bar": _iso(wave.last),
        "config_hash": config_hash,
        "detector": f"{detector.NAME} {detector.VERSION}",
        "members": dict(sorted(symbols.items())),
    }
    return sentence, why


def _annual_volatility(log_range: float, per_year: float) -> float:
    return math.exp(log_range - detector.LOG_RANGE_OF_VOLATILITY) * math.sqrt(per_year)


def _sentence(step: Transition, facts: Facts, ratio: float, threshold: float) -> str:
    reopened = f" on reopening after {facts.elapsed - 1} min without a trade" if step.kind == "REOPEN" else ""
    return (
        f"{step.symbol} {_clock(facts.start)}: 1-min range {_percent(facts.log_range)} is {ratio:.1f}× the usual "
        f"{_percent(facts.expected_log_range)}{reopened} "
        f"(S={facts.statistic:.1f}, enters at {threshold:g}; {facts.trades} trades; "
        f"price {facts.open:g} → {facts.close:g})"
    )


def _defined(value: float) -> float | None:
    """Return a number, or nothing for NaN, which JSON does not know."""
    return None if math.isnan(value) else value


def _channel(step: Transition, facts: Facts) -> str:
    if isinstance(step.rule, Move):
        return "move"
    if step.rule is not None:
        return "volatility"
    return "jump" if facts.z >= facts.statistic else "burst"


def _rule_sentence(step: Transition, facts: Facts, rule: Rule) -> str:
    # An alert may end on a bar that has nothing to be measured by, as the first of a session.
    said, prices, defined = "undefined", f"{facts.open:g} → {facts.close:g}", not math.isnan(facts.statistic)
    if defined and isinstance(rule, VolatilityAbove):
        said = f"volatility {facts.statistic * 100:.1f} % a year by {rule.estimator}"
    elif defined and isinstance(rule, Move) and facts.reference is not None:
        is_up = facts.high / facts.reference - 1 >= 1 - facts.low / facts.reference
        sign, reached = ("+", facts.high) if is_up else (_MINUS, facts.low)
        minutes = "1 minute" if rule.minutes == 1 else f"{rule.minutes} minutes"
        said, prices = f"moved {sign}{facts.statistic * 100:.1f} % in {minutes}", f"{facts.reference:g} → {reached:g}"
    return (
        f"{step.symbol} {_clock(facts.start)}: {said} "
        f"(rule {rule.name}, at {rule.enter * 100:g} %; price {prices}; {facts.trades} trades)"
    )


def _percent(log_range: float) -> str:
    return f"{math.expm1(math.exp(log_range)) * 100:.2f} %"


def _iso(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat()


def _clock(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%H:%MZ")
