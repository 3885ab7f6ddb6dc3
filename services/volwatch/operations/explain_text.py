"""An explained alert as lines for a person: each step of the statistic with its numbers, and the ranges before it."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from volwatch.analytics import detector
from volwatch.analytics.anatomy import EWMA_KEEPS, LEAST_Z, MOST_Z, Anatomy
from volwatch.analytics.detector import LOG_RANGE_OF_VOLATILITY, SEVERITIES
from volwatch.analytics.results import FLAG_NAMES, Facts
from volwatch.operations.explain_rerun import Range
from volwatch.operations.explain_tape import Prints, Tape
from volwatch.operations.explain_verdict import Difference

CHART_BARS, CHART_ROWS = 60, 6
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_WIDTH = 16


def steps(anatomy: Anatomy) -> list[str]:
    """Return every step between a bar's prices and its verdict, a line each."""
    facts = anatomy.facts
    lines = [
        *bar(facts, complete=anatomy.complete, final=anatomy.final),
        line("reference P", f"{anatomy.reference:g}  ({'open of the session' if anatomy.begins else 'close before'})"),
        line(
            "true range",
            f"ln(max(H,P)/min(L,P)) = {anatomy.span:.6f}{_floored(anatomy)}"
            + (f", over √{facts.elapsed} min" if facts.elapsed > 1 else ""),
        ),
        line("x = ln range", f"{anatomy.log_range:.4f}  ({_percent(anatomy.log_range)})"),
        line("usual s", f"{anatomy.usual:+.4f}  (time of day, of {facts.profile_days} sessions or weeks)"),
        line("y = x − s", f"{anatomy.level:.4f}"),
        line("baseline b, σ", f"{anatomy.baseline:.4f}, {anatomy.scale:.4f}  (of {anatomy.taught:,} bars before)"),
        line("z = (y − b)/σ", f"{anatomy.z:.3f}"),
        line("burst E", _burst(anatomy)),
        line("statistic S", _statistic(anatomy)),
        line("opens at", f"{anatomy.enter:g}" if math.isfinite(anatomy.enter) else "none: an override switches it off"),
        line("volatility", _volatility(anatomy)),
        line("ratio of 3 bars", f"{anatomy.ratio:.2f}  = e^((y−b + {_before(anatomy)})/3)"),
        line("severity", _severity(anatomy)),
    ]
    return [*lines, *verdict(anatomy.hindrances, agrees=anatomy.agrees)]


def bar(facts: Facts, *, complete: bool, final: bool) -> list[str]:
    """Return a bar's prices, and what else is known of it."""
    whole = "final" if final else "ended, not final" if complete else "still open"
    names = [name for bit, name in FLAG_NAMES.items() if facts.flags & bit]
    flags = f", flags {', '.join(names)}" if names else ""
    return [
        line("bar", f"{clock(facts.start)}  O {facts.open:g}  H {facts.high:g}  L {facts.low:g}  C {facts.close:g}"),
        line("", f"{facts.trades} trades, volume {facts.volume:g}, revision {facts.revision}, {whole}{flags}"),
    ]


def verdict(hindrances: Sequence[str], *, agrees: bool) -> list[str]:
    """Return whether an alert opens on a bar, or why not."""
    lines = [line("verdict", f"opens no alert: {'; '.join(hindrances)}" if hindrances else "opens an alert")]
    return (
        lines if agrees else [*lines, line("", "this arithmetic and the engine do not agree: a fault of the program")]
    )


def prints(found: Sequence[Prints]) -> list[str]:
    """Return the records of the bar: how many, the first and the last, and in which objects they are."""
    count = sum(len(each.offset) for each in found)
    if not count:
        return [line("records", "none in the raw zone")]
    lines = [line("records", f"{count} in {len(found)} raw object{'s' if len(found) > 1 else ''}")]
    for name, each, place in (("first", found[0], 0), ("last", found[-1], -1)):
        lines.append(
            line(
                f"  {name}",
                f"offset {each.offset[place]} at {_clock_ms(int(each.event_time[place]))}: "
                f"{each.size[place]:g} at {each.price[place]:g}",
            )
        )
    return [*lines, *(line("", f"{each.object_key}  {each.offset[0]}–{each.offset[-1]}") for each in found)]


def reading(tape: Tape, began: str) -> list[str]:
    """Return what was read to come to the bar."""
    lines = [
        line("read", f"{tape.rows:,} rows of {tape.objects:,} objects, offsets {tape.begun}–{_last(tape)}, {began}")
    ]
    return [*lines, *(line("missing", f"offsets {first}–{last}: {why}") for first, last, why in tape.lacking)]


def chart(before: Sequence[Range], anatomy: Anatomy) -> list[str]:
    """Return the ranges of the last bars in percent as columns, the onset last; a dash marks what is usual then."""
    usual = anatomy.facts.expected_log_range
    shown = [*before[-(CHART_BARS - 1) :], Range(anatomy.facts.start, anatomy.log_range, usual)]
    heights = [_share(bar.log_range) for bar in shown]
    top = max(heights)
    level = min(math.floor(_share(usual) / top * CHART_ROWS), CHART_ROWS - 1)
    lines = []
    for row in reversed(range(CHART_ROWS)):
        cells = "".join(_cell(height / top * CHART_ROWS - row) for height in heights)
        label = f"{top * 100:.2f} %" if row == CHART_ROWS - 1 else "usual" if row == level else ""
        lines.append(f"{label:>10} │{cells}│")
    return [*lines, f"{'':>10}  {clock(shown[0].start)} … {clock(shown[-1].start)}, {len(shown)} bars"]


def compared(found: Sequence[Difference]) -> str:
    """Return whether what is stored is what was found."""
    if not found:
        return "equal"
    told = "; ".join(f"{each.name} is stored as {each.stored}, found {each.found}" for each in found)
    return f"differs: {told}"


def line(name: str, text: str) -> str:
    """Return a line: what it is, then what it says."""
    return f"{name:<{_WIDTH}}{text}".rstrip()


def _floored(anatomy: Anatomy) -> str:
    return f", counts as {anatomy.least:.6f} (half a tick)" if anatomy.span < anatomy.least else ""


def _burst(anatomy: Anatomy) -> str:
    if anatomy.taught < detector.WARM_UP_BARS:
        return "0 in warm-up"
    if anatomy.apart:
        return f"{anatomy.burst:.3f}, not moved by such a bar ({anatomy.apart})"
    held = 0.0 if anatomy.begins else anatomy.burst_before
    clipped = min(max(anatomy.z, LEAST_Z), MOST_Z)
    return (
        f"{held:.3f} → {anatomy.burst:.3f}  = {EWMA_KEEPS:g}·{held:.3f} + {1 - EWMA_KEEPS:g}·{clipped:.3f}"
        f"; 2E = {anatomy.burst_statistic:.3f}"
    )


def _statistic(anatomy: Anatomy) -> str:
    if anatomy.statistic is None:
        return "none in warm-up"
    rule = "z alone" if anatomy.apart else "the larger of 2E and z"
    return f"{anatomy.statistic:.3f}  ({rule}: {anatomy.channel})"


def _volatility(anatomy: Anatomy) -> str:
    now, usual = _annual(anatomy, anatomy.log_range), _annual(anatomy, anatomy.facts.expected_log_range)
    return f"{now:.1%} a year, usual here {usual:.1%}, {now / usual:.1f}×"


def _annual(anatomy: Anatomy, log_range: float) -> float:
    return math.exp(log_range - LOG_RANGE_OF_VOLATILITY) * math.sqrt(anatomy.facts.per_year)


def _before(anatomy: Anatomy) -> str:
    first, second = anatomy.excesses_before
    return f"{first:.3f} + {second:.3f}"


def _severity(anatomy: Anatomy) -> str:
    if anatomy.statistic is None or anatomy.statistic < anatomy.enter:
        return "none"
    rules = anatomy.rules.get(anatomy.severity, (f"S >= {anatomy.enter:g}",))
    move = f"; move {anatomy.move / anatomy.local:.1f} local σ" if anatomy.complete else "; move not judged while open"
    return f"{SEVERITIES[anatomy.severity]}  ({', '.join(rules)}){move}"


def _share(log_range: float) -> float:
    return math.expm1(math.exp(log_range))


def _percent(log_range: float) -> str:
    return f"{_share(log_range) * 100:.3f} %"


def _cell(height: float) -> str:
    return _EIGHTHS[min(max(round(height * 8), 0), 8)]


def _last(tape: Tape) -> int | None:
    return None if tape.reached is None else tape.reached - 1


def clock(epoch_ms: int) -> str:
    """Return a time to the minute."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ")


def _clock_ms(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3] + "Z"
