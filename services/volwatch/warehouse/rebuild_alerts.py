"""The alerts of symbols as a rebuild finds them, against those that are stored: what the final bars do not bear out is
retracted, what they bear out and is not there is opened, what differs is corrected. Nothing is deleted, and an alert
that is as it was is not touched."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case
from psycopg2.extras import Json

from volwatch.alerts import explain, id_of
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.detector import SEVERITIES
from volwatch.analytics.market_wide import OPEN_STATES
from volwatch.analytics.results import Transition
from volwatch.analytics.rules.rule import Rule
from volwatch.warehouse import rebuild_alert_statements as statements
from volwatch.warehouse.market_reader import utc
from volwatch.warehouse.market_statements import EVENT
from volwatch.warehouse.rebuild_rows import Scope
from volwatch.warehouse.writer import objects_with

ACTOR = "rebuild"
_UNBORNE = "the final bars of the raw zone do not bear it out"
_CUT = "the rebuilt range ended"
_CHANGED = "the detector is of another version now"


@dataclass(frozen=True, slots=True)
class Settings:
    """Under which an alert is written: the threshold is the default detector's usual one."""

    threshold: float
    config_hash: str
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the rebuild of one partition says of alerts.

    Attributes
    ----------
    steps : by final bars, in order; of alerts that were open when the range began, their opening too.
    scopes : the bars that became final, by source.
    ended_ms : watermark of each source at the end of the range.
    live : the range reaches to what is loaded; else what comes after it stays as it was computed.
    """

    partition: int
    steps: Sequence[Transition]
    scopes: Sequence[Scope]
    ended_ms: Mapping[str, int]
    live: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """Alerts that are not as they were; ``onsets`` has the first of their bars, by source."""

    opened: int
    corrected: int
    retracted: int
    onsets: Mapping[str, datetime]


@dataclass(slots=True)
class _Course:
    """The life of an alert by its final steps."""

    opening: Transition | None
    last: Transition
    steps: list[Transition]

    @property
    def life(self) -> dict[str, object]:
        """Return the columns that tell how it stands."""
        closed = self.last.state == "CLOSED"
        return {
            "state": self.last.state,
            "severity": self.last.severity,
            "statistic": self.last.peak,
            "closed_at": utc(self.last.bar + MINUTE_MS) if closed else None,
        }


@dataclass(frozen=True, slots=True)
class _Held:
    """An alert as it is stored."""

    alert_id: str
    source: str
    onset: datetime
    life: dict[str, object]
    confirmed: bool
    facts: dict[str, object]

    @property
    def retracted(self) -> bool:
        """Whether it was taken back."""
        return self.life["state"] == "RETRACTED"


def settle(cursor: Cursor, stretch: Stretch, settings: Settings) -> Changes:
    """Make the alerts of a partition those that its final bars raise."""
    courses = _courses(stretch.steps)
    held = _held(cursor, stretch, courses, settings.rules)
    unborne = [
        each
        for name, each in held.items()
        if not each.retracted and (name not in courses or courses[name].opening is None) and _inside(each, stretch)
    ]
    for each in unborne:
        _retract(cursor, each)
    onsets = {each.alert_id: (each.source, each.onset) for each in unborne}
    opened = corrected = 0
    # One alert of a series is open at a time: what ends is written before what stands open.
    for name, course in sorted(courses.items(), key=lambda one: one[1].last.state in OPEN_STATES):
        before = held.get(name)
        if before is None and course.opening is None:
            continue
        change = _write(cursor, name, course, before, stretch, settings)
        opened += change == "OPEN"
        corrected += change == "CORRECTED"
        if change:
            onsets[name] = (course.last.source, utc(course.last.onset))
    firsts: dict[str, datetime] = {}
    for source, onset in onsets.values():
        firsts[source] = min(onset, firsts.get(source, onset))
    return Changes(opened, corrected, len(unborne), firsts)


def retract_provisional(cursor: Cursor, stretch: Stretch, kept: Iterable[str], rules: Sequence[Rule]) -> int:
    """Take back the alerts of bars that are not final, but those of some ids; return how many."""
    kept = set(kept)
    cursor.execute(statements.PROVISIONAL, {"partition": stretch.partition, **statements.detectors(rules)})
    gone = [each for each in map(_of_row, cursor.fetchall()) if each.alert_id not in kept]
    for each in gone:
        _retract(cursor, each)
    return len(gone)


def close_other_versions(cursor: Cursor, stretch: Stretch, rules: Sequence[Rule]) -> int:
    """Close the open alerts of another version of the detector, and of rules that are no more or others by now, which
    nothing would ever close; return how many."""
    cursor.execute(statements.OTHER_VERSIONS, {"partition": stretch.partition, **statements.detectors(rules)})
    found = cursor.fetchall()
    for name, source, severity in found:
        at = utc(stretch.ended_ms[source]) if source in stretch.ended_ms else None
        cursor.execute(statements.CLOSE, {"alert_id": name, "closed_at": at})
        _tell(cursor, name, severity, "CLOSED", _CHANGED)
    return len(found)


def _courses(steps: Sequence[Transition]) -> dict[str, _Course]:
    courses: dict[str, _Course] = {}
    for step in steps:
        name = str(id_of(step))
        course = courses.setdefault(name, _Course(None, step, []))
        course.last = step
        course.steps.append(step)
        if step.state == "OPEN":
            course.opening = step
    return courses


def _held(cursor: Cursor, stretch: Stretch, courses: Mapping[str, _Course], rules: Sequence[Rule]) -> dict[str, _Held]:
    found: dict[str, _Held] = {}
    cursor.execute(statements.BY_ID, {"ids": list(courses)})
    rows = cursor.fetchall()
    for scope in stretch.scopes:
        cursor.execute(statements.IN_SCOPE, scope.parameters() | statements.detectors(rules))
        rows += cursor.fetchall()
    for held in map(_of_row, rows):
        found[held.alert_id] = held
    return found


def _of_row(row: Sequence[object]) -> _Held:
    name, source, onset, state, severity, statistic, closed_at, confirmed, *facts = row
    life = {"state": state, "severity": severity, "statistic": statistic, "closed_at": closed_at}
    told = dict(zip(statements.FACTS, facts, strict=True))
    return _Held(str(name), str(source), onset, life, bool(confirmed), told)  # type: ignore[arg-type]  # a timestamptz


def _inside(held: _Held, stretch: Stretch) -> bool:
    return any(scope.source == held.source and scope.after < held.onset <= scope.until for scope in stretch.scopes)


def _write(
    cursor: Cursor, name: str, course: _Course, before: _Held | None, stretch: Stretch, settings: Settings
) -> str:
    """Write one alert if it differs; return OPEN when it stands anew, CORRECTED when it was there, else nothing."""
    life = course.life
    cut = not stretch.live and life["state"] in OPEN_STATES
    if before is None or before.retracted:
        if cut:  # what would have closed it lies behind the range
            ended = utc(stretch.ended_ms[course.last.source])
            life |= {"state": "CLOSED", "closed_at": ended}
        return _open(cursor, name, course, life, before, settings, stretch.partition, cut=cut)
    stands = life["state"] in OPEN_STATES and (cut or _goes_on(before, life))
    told = _facts(course.opening, settings, stretch.partition) if course.opening is not None else before.facts
    if told == before.facts and (stands or life == before.life) and (before.confirmed or course.opening is None):
        _tell_steps(cursor, name, course)
        return ""
    row = (before.life if stands else life) | told | {"alert_id": name, "config_hash": settings.config_hash}
    why = _why(cursor, told["why"], course, stretch.partition, settings.config_hash)
    cursor.execute(statements.CORRECT, row | {"why": Json(why)})
    _tell(cursor, name, str(row["severity"]), "CORRECTED", "the final bars of the raw zone say otherwise")
    _tell_steps(cursor, name, course)
    return "CORRECTED"


def _goes_on(before: _Held, life: Mapping[str, object]) -> bool:
    """Return whether an open alert stands at least as bars that may still change have left it."""
    severities = [SEVERITIES.index(str(each["severity"])) for each in (before.life, life)]
    return before.life["state"] in OPEN_STATES and severities[0] >= severities[1]


def _open(
    cursor: Cursor,
    name: str,
    course: _Course,
    life: dict[str, object],
    before: _Held | None,
    settings: Settings,
    partition: int,
    *,
    cut: bool,
) -> str:
    opening = course.opening
    if opening is None:
        return ""
    told = _facts(opening, settings, partition)
    row = (
        life
        | told
        | {
            "alert_id": name,
            "source": opening.source,
            "symbol": opening.symbol,
            "kind": opening.kind,
            "onset_bar": utc(opening.onset),
            "config_hash": settings.config_hash,
            "detected_at": utc(opening.watermark),
            "why": Json(_why(cursor, told["why"], course, partition, settings.config_hash)),
            "detector": opening.detector,
            "detector_version": opening.detector_version,
        }
    )
    cursor.execute(statements.OPEN, row)
    _tell(cursor, name, opening.severity, "OPEN", "found again" if before is not None else "found by a rebuild")
    _tell_steps(cursor, name, course)
    if cut:
        _tell(cursor, name, str(life["severity"]), "CLOSED", _CUT)
    return "OPEN"


def _facts(opening: Transition, settings: Settings, partition: int) -> dict[str, object]:
    """Return the columns that tell why; without the objects, which depend on how the rows came, and without the hash
    of the settings."""
    assert opening.facts is not None  # noqa: S101 - an opening has the bar that caused it
    told = explain(opening, opening.facts, settings.threshold, settings.config_hash)
    why = {name: value for name, value in told.why.items() if name != "config_hash"}
    return {
        "threshold": settings.threshold if opening.threshold is None else opening.threshold,
        "volatility": told.volatility,
        "expected_volatility": told.expected_volatility,
        "ratio": told.ratio,
        "sentence": told.sentence,
        "why": why | {"partition": partition},
    }


def _why(cursor: Cursor, told: object, course: _Course, partition: int, config_hash: str) -> dict[str, object]:
    why: dict[str, object] = dict(told)  # type: ignore[call-overload]  # a JSON object
    if course.opening is None or course.opening.facts is None:
        return why
    objects = objects_with(cursor, partition, course.opening.facts.first_offset, course.opening.facts.last_offset)
    return why | {"raw_objects": objects, "config_hash": config_hash}


def _retract(cursor: Cursor, held: _Held) -> None:
    cursor.execute(statements.RETRACT, {"alert_id": held.alert_id})
    _tell(cursor, held.alert_id, str(held.life["severity"]), "RETRACTED", _UNBORNE)


def _tell(cursor: Cursor, name: str, severity: str, event: str, detail: str) -> None:
    """Enter an act of the rebuild into the audit. It is of no bar: each is told, however often it happens."""
    told = {"alert_id": name, "event": event, "severity": severity, "actor": ACTOR, "detail": detail}
    cursor.execute(statements.ACT, told)


def _tell_steps(cursor: Cursor, name: str, course: _Course) -> None:
    """Enter the steps that are not in the audit yet; an opening is told where it is written."""
    for step in course.steps:
        event = "CONFIRMED" if step.state == "OPEN" else step.state
        told = {"alert_id": name, "event": event, "severity": step.severity, "bar_start": utc(step.bar), "actor": ACTOR}
        cursor.execute(EVENT, told)
