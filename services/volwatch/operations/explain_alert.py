"""An alert explained: found again in the raw zone, told step by step, and held against its row."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Generic

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.analytics import market_wide
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.detector import KINDS
from volwatch.analytics.engine import Engine
from volwatch.analytics.rules.rule import KIND as RULE
from volwatch.analytics.state import VERSION, restore
from volwatch.operations import explain_manner, explain_text, shown
from volwatch.operations.explain_manner import Manner
from volwatch.operations.explain_rerun import Judged, Onset, Seen, rerun
from volwatch.operations.explain_rule import NOT_GIVEN, rule_of
from volwatch.operations.explain_tape import Objects, Prints, Tape
from volwatch.operations.explain_verdict import Difference
from volwatch.warehouse import explained, writer
from volwatch.warehouse.explained import StoredAlert
from volwatch.warehouse.rebuild_states import Snapshot

Told = Callable[[int, int], object]
"""Hears how many offsets of how many were read."""
_STATES_BACK = 2  # the newest state may have been kept a minute before; an hour earlier gives the chart its bars


@dataclass(frozen=True, slots=True)
class Explained:
    """An explained alert: for a person and for a program, and whether its row says what was found."""

    lines: list[str]
    facts: Mapping[str, object]
    is_equal: bool


def explain(cursor: Cursor, rawzone: Objects, alert: StoredAlert, config: EngineConfig, told: Told) -> Explained:
    """Return an alert with what can be found out about it."""
    if alert.kind == market_wide.KIND:
        return _of_market(alert, explained.members(cursor, alert.alert_id))
    if alert.kind == RULE:
        rule = rule_of(alert, config.rules)
        if rule is None:
            return _of_rule_not_given(alert)
        return _of_bar(cursor, rawzone, alert, config, told, explain_manner.of_rule(rule))
    if alert.kind not in KINDS:
        return _of_no_statistic(alert)
    return _of_bar(cursor, rawzone, alert, config, told, explain_manner.of_detector())


def _of_bar(
    cursor: Cursor, rawzone: Objects, alert: StoredAlert, config: EngineConfig, told: Told, manner: Manner[Judged]
) -> Explained:
    """Return an alert that a bar raised, with that bar as it comes of the raw zone."""
    first, last = (int(offset) for offset in alert.why["offsets"])
    partition = int(alert.why["partition"])
    states = explained.states_before(cursor, partition, first, VERSION, _STATES_BACK)
    state = states[-1] if states else None
    onset_ms = _ms(alert.onset_bar)
    series = (alert.source, alert.symbol)
    begun = first if state is None else state.next_offset
    tape = Tape(
        rawzone,
        partition,
        None if state is None else state.hour,
        None if state is None else state.next_offset,
        (series, onset_ms),
        lambda reached: told(reached - begun, last + 1 - begun),
    )
    engine = Engine(config, None if state is None else restore(state.state))
    seen = rerun(engine, tape, Onset(series, onset_ms, (first, last), _ms(alert.detected_at)), manner.dissect)
    position = writer.positions(cursor).get(partition)
    is_loaded = position is not None and position.next_offset > last
    made = _Rerun(alert, config, tape, seen, state, manner, _absence(alert, tape, seen, is_loaded=is_loaded))
    return Explained(_lines(made), _facts(made), is_equal=not made.absent and not made.differences)


@dataclass(frozen=True, slots=True)
class _Rerun(Generic[Judged]):
    """What came of taking the engine to an alert; ``absent`` says why its row cannot be compared, if it cannot."""

    alert: StoredAlert
    config: EngineConfig
    tape: Tape
    seen: Seen[Judged]
    state: Snapshot | None
    manner: Manner[Judged]
    absent: str

    @property
    def opening(self) -> Judged | None:
        """The bar as it was when the alert was opened, where its row is of that."""
        return None if self.alert.confirmed else self.seen.opening

    @property
    def prints(self) -> list[Prints]:
        """The records of the bar until it was final."""
        end = self.seen.end_offset
        return [each for each in self.tape.prints if end is None or each.offset[0] < end]

    @property
    def differences(self) -> list[Difference]:
        """Where the row does not say what was found."""
        judged = self.seen.settled if self.alert.confirmed else self.seen.opening
        if self.absent or judged is None:
            return []
        return [*self.manner.differences(self.alert, judged, self.config.hash), *_of_state(self)]


def _lines(made: _Rerun[Judged]) -> list[str]:
    alert, state, settled = made.alert, made.state, made.seen.settled
    other = [] if alert.config_hash == made.config.hash else ["note: it was raised with other settings"]
    return [
        *_head(alert),
        *explain_text.reading(made.tape, "the first trade there is" if state is None else f"the state of {state.hour}"),
        *explain_text.prints(made.prints),
        *_chart(made, settled or made.opening),
        *_part("as it was when the alert was opened", made, made.opening),
        *_part("as it is final", made, settled),
        "",
        *other,
        f"{alert.state.lower()} alert: {made.absent or explain_text.compared(made.differences)}",
    ]


def _facts(made: _Rerun[Judged]) -> dict[str, object]:
    state, tape = made.state, made.tape
    return {
        "alert": asdict(made.alert),
        "began": None if state is None else {"offset": state.next_offset, "hour": state.hour.isoformat()},
        "read": {"objects": tape.objects, "rows": tape.rows, "missing": tape.lacking},
        "objects": [
            {"object": each.object_key, "first_offset": int(each.offset[0]), "last_offset": int(each.offset[-1])}
            for each in made.prints
        ],
        "opening": None if made.opening is None else made.manner.facts(made.opening),
        "final": None if made.seen.settled is None else made.manner.facts(made.seen.settled),
        "ranges": [asdict(each) for each in made.seen.before[-explain_text.CHART_BARS :]],
        "config_hash": made.config.hash,
        "absent": made.absent,
        "differences": [explain_manner.finite(asdict(each)) for each in made.differences],
        "equal": not made.absent and not made.differences,
    }


def _absence(alert: StoredAlert, tape: Tape, seen: Seen[Judged], *, is_loaded: bool) -> str:
    """Return why what is stored cannot be compared; nothing where it can."""
    first, last = (int(offset) for offset in alert.why["offsets"])
    offsets = f"offsets {first}–{last}"
    gone = tape.lacks(first, last)
    if gone:
        return f"its raw objects are gone ({offsets}): {'; '.join(why for _, _, why in gone)}"
    if tape.reached is None or tape.reached <= last:
        if is_loaded:
            return f"its raw objects are gone ({offsets}): they were loaded once, and the raw zone has them no more"
        return f"its raw objects are not there yet ({offsets}): ask again in a minute"
    if alert.confirmed:
        return "" if seen.settled is not None else "the raw zone does not show its bar as final"
    return "" if seen.opening is not None else "the raw zone has no such bar"


def _of_state(made: _Rerun[Judged]) -> list[Difference]:
    """Return where the final bar does not bear out what became of the alert."""
    alert, seen = made.alert, made.seen
    waits = not alert.confirmed and alert.state in market_wide.OPEN_STATES
    if not seen.is_final or waits:  # the minute path has not had its last word yet
        return []
    opens = seen.settled is not None and made.manner.opens(seen.settled)
    stands = alert.confirmed and alert.state != "RETRACTED"
    if stands == opens:
        return []
    what = "opens an alert" if opens else "opens no alert"
    return [Difference("state", alert.state if alert.confirmed else f"{alert.state}, not confirmed", what)]


def _chart(made: _Rerun[Judged], judged: Judged | None) -> list[str]:
    lines = [] if judged is None else made.manner.chart(made.seen.before, judged)
    return ["", *lines] if lines else []


def _part(title: str, made: _Rerun[Judged], judged: Judged | None) -> list[str]:
    return [] if judged is None else ["", f"{title}:", *made.manner.steps(judged)]


def _of_market(alert: StoredAlert, members: Sequence[StoredAlert]) -> Explained:
    """Return an alert of a market with its members: how many symbols opened within the window."""
    stands = [one for one in members if one.state != "RETRACTED"]
    opened, symbols = _most_within(stands), int(alert.why["symbols_seen"])
    found = [] if opened == alert.why["opened"] else [Difference("opened", alert.why["opened"], opened)]
    share = opened / symbols if symbols else 0.0
    lines = [
        *_head(alert),
        f"{opened} of {symbols} symbols opened within {market_wide.WINDOW_BARS} bars: {share:.1%}, "
        f"market-wide above {market_wide.SHARE_PERCENT} %",
        *(f"  {one.alert_id}  {one.severity:<6} {one.state:<9} {shown.escaped(one.sentence)}" for one in members),
        "",
        f"market alert: {explain_text.compared(found)}; explain a member to see its steps",
    ]
    facts = {
        "alert": asdict(alert),
        "opened": opened,
        "symbols": symbols,
        "members": [asdict(one) for one in members],
        "differences": [asdict(one) for one in found],
        "equal": not found,
    }
    return Explained(lines, facts, is_equal=not found)


def _most_within(members: Sequence[StoredAlert]) -> int:
    """Return the most symbols that opened within a window."""
    window_ms = market_wide.WINDOW_BARS * MINUTE_MS
    onsets = [(_ms(one.onset_bar), one.symbol) for one in members]
    return max(
        (len({symbol for at, symbol in onsets if end - window_ms < at <= end}) for end, _ in onsets),
        default=0,
    )


def _of_no_statistic(alert: StoredAlert) -> Explained:
    """Return an alert that no statistic is behind."""
    meaning = "it says that no data came, or that what came was not looked at; it ends when data come again"
    said = f"no statistic of the detector is behind an alert of the kind {alert.kind}: {meaning}"
    return Explained([*_head(alert), said, *_why(alert)], {"alert": asdict(alert), "equal": True}, is_equal=True)


def _of_rule_not_given(alert: StoredAlert) -> Explained:
    """Return an alert whose rule, with its parameters, is not in the file: what it says of itself is all there is."""
    facts = {"alert": asdict(alert), "absent": NOT_GIVEN, "differences": [], "equal": False}
    lines = [*_head(alert), *_why(alert), "", f"{alert.state.lower()} alert: {NOT_GIVEN}"]
    return Explained(lines, facts, is_equal=False)


def _why(alert: StoredAlert) -> list[str]:
    return [f"  {name}: {json.dumps(value, default=str)}" for name, value in sorted(alert.why.items())]


def _head(alert: StoredAlert) -> list[str]:
    closed = "" if alert.closed_at is None else f", closed {alert.closed_at:%Y-%m-%d %H:%MZ}"
    return [
        f"{alert.alert_id}  {alert.kind} {shown.escaped(alert.symbol)} ({shown.escaped(alert.source)})",
        f"{alert.state} {alert.severity}, onset {alert.onset_bar:%Y-%m-%d %H:%MZ}{closed}",
        shown.escaped(alert.sentence),
        "",
    ]


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
