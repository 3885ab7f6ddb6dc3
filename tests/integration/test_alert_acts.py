"""What people do about alerts, on a real PostgreSQL: every act is in the audit, a silence holds what it names, and
what was said is counted."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from tests.integration.acting import Insert, as_pipeline
from tests.integration.worlds import MakeWorld, World
from volwatch.errors import BadInput
from volwatch.warehouse import alert_acts, alert_reader
from volwatch.warehouse.alert_acts import Scope
from volwatch.warehouse.readings import AlertFilter

NOBODY = str(uuid.UUID(int=1))


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


def told(cursor: Cursor, alert_id: str) -> list[tuple[object, ...]]:
    return [(each.event, each.actor, each.detail) for each in alert_reader.events(cursor, alert_id, 100)]


def test_every_act_is_in_the_audit_with_who_and_what(acting: Cursor, insert: Insert) -> None:
    alert = insert()
    assert alert_acts.acknowledge(acting, alert, "  Ada ", None)
    assert not alert_acts.acknowledge(acting, alert, "Bob", "late")
    assert alert_acts.annotate(acting, alert, "Bob", "earnings")
    assert alert_acts.mark_false_positive(acting, alert, "Ada", "a split", is_false=True)
    assert not alert_acts.mark_false_positive(acting, alert, "Bob", None, is_false=True)
    assert alert_acts.mark_false_positive(acting, alert, "Bob", None, is_false=False)
    assert not alert_acts.mark_false_positive(acting, alert, "Bob", None, is_false=False)
    assert told(acting, alert) == [
        ("ACKNOWLEDGED", "Ada", None),
        ("NOTE", "Bob", "earnings"),
        ("FALSE_POSITIVE", "Ada", "a split"),
        ("FALSE_POSITIVE_WITHDRAWN", "Bob", None),
    ]
    held = alert_reader.alert(acting, alert)
    assert held is not None
    assert (held.acknowledged_by, held.note) == ("Ada", "earnings")
    assert (held.false_positive, held.false_positive_by) == (False, "Bob")


def test_an_alert_that_is_not_marked_has_nothing_to_withdraw(acting: Cursor, insert: Insert) -> None:
    alert = insert()
    assert not alert_acts.mark_false_positive(acting, alert, "Ada", None, is_false=False)
    held = alert_reader.alert(acting, alert)
    assert held is not None
    assert held.false_positive is None


def test_an_act_on_an_alert_that_is_not_there_does_nothing(acting: Cursor) -> None:
    assert not alert_acts.acknowledge(acting, NOBODY, "Ada", None)
    assert not alert_acts.annotate(acting, NOBODY, "Ada", "x")
    assert not alert_acts.mark_false_positive(acting, NOBODY, "Ada", None, is_false=True)
    assert not alert_acts.end_silence(acting, 1, "Ada")


@pytest.mark.parametrize("person", ["", "  ", "x" * 101, "Ada\n", "Ada\x1b[2J"])
def test_an_act_without_a_readable_name_is_refused_and_leaves_nothing(
    acting: Cursor, insert: Insert, person: str
) -> None:
    alert = insert()
    until = datetime.now(UTC) + timedelta(hours=1)
    acts: list[Callable[[], object]] = [
        lambda: alert_acts.acknowledge(acting, alert, person, None),
        lambda: alert_acts.annotate(acting, alert, person, "x"),
        lambda: alert_acts.mark_false_positive(acting, alert, person, None, is_false=True),
        lambda: alert_acts.silence(acting, person, "x", Scope(symbol="A"), until),
    ]
    for act in acts:
        with pytest.raises(BadInput, match="name"):
            act()
    assert told(acting, alert) == []
    assert alert_reader.silences(acting, 10, over=True) == []


def test_a_text_has_an_end_and_a_note_and_a_reason_are_needed(acting: Cursor, insert: Insert) -> None:
    alert = insert()
    until = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(BadInput, match="at most 2000 characters"):
        alert_acts.acknowledge(acting, alert, "Ada", "x" * 2001)
    with pytest.raises(BadInput, match="a note is needed"):
        alert_acts.annotate(acting, alert, "Ada", "  ")
    with pytest.raises(BadInput, match="a reason is needed"):
        alert_acts.silence(acting, "Ada", " ", Scope(symbol="A"), until)
    assert alert_acts.annotate(acting, alert, "Ada", "x" * 2000)


@pytest.mark.parametrize(
    ("scope", "silenced"),
    [
        (Scope(symbol="A"), [("A", "REOPEN"), ("A", "VOLATILITY")]),
        (Scope(kind="VOLATILITY"), [("A", "VOLATILITY"), ("B", "VOLATILITY")]),
        (Scope(symbol="A", kind="VOLATILITY"), [("A", "VOLATILITY")]),
        (Scope(source="simulator"), [("A", "REOPEN"), ("A", "VOLATILITY"), ("B", "VOLATILITY")]),
        (Scope(source="other"), []),
        (Scope(everything=True), [("A", "REOPEN"), ("A", "VOLATILITY"), ("B", "VOLATILITY")]),
    ],
)
def test_a_silence_is_of_what_agrees_in_all_that_it_names(
    acting: Cursor, insert: Insert, scope: Scope, silenced: list[tuple[str, str]]
) -> None:
    ids = [insert("A"), insert("A", "REOPEN"), insert("B")]
    number = alert_acts.silence(acting, "Ada", "a test", scope, datetime.now(UTC) + timedelta(hours=1))
    held = alert_reader.alerts(acting, AlertFilter(), 10)
    assert sorted((each.symbol, each.kind) for each in held if each.silenced) == silenced
    acting.execute("SELECT id FROM unnest(%s::uuid[]) AS id WHERE is_silenced(id)", (ids,))
    assert len(acting.fetchall()) == len(silenced)
    assert {each.state for each in held} == {"OPEN"}
    assert alert_acts.end_silence(acting, number, "Bob")
    assert not alert_acts.end_silence(acting, number, "Bob")
    assert [each.silenced for each in alert_reader.alerts(acting, AlertFilter(), 10)] == [False] * 3
    assert alert_reader.silences(acting, 10) == []
    [over] = alert_reader.silences(acting, 10, over=True)
    assert (over.made_by, over.reason, over.ended_by, over.in_force) == ("Ada", "a test", "Bob", False)


def test_a_silence_holds_from_its_beginning_to_its_end_only(acting: Cursor, insert: Insert) -> None:
    alert = insert()
    now = datetime.now(UTC)
    later = alert_acts.silence(
        acting, "Ada", "x", Scope(symbol="A"), now + timedelta(hours=2), now + timedelta(hours=1)
    )
    asked = "SELECT is_silenced(%s)"
    acting.execute(asked, (alert,))
    assert acting.fetchone() == (False,)
    [silence] = alert_reader.silences(acting, 10)
    assert (silence.silence_id, silence.in_force) == (later, False)
    alert_acts.silence(acting, "Ada", "x", Scope(symbol="A"), datetime.now(UTC) + timedelta(seconds=0.4))
    acting.execute(asked, (alert,))
    assert acting.fetchone() == (True,)
    acting.execute("SELECT pg_sleep(0.5)")
    acting.execute(asked, (alert,))
    assert acting.fetchone() == (False,)


@pytest.mark.parametrize(
    ("scope", "hours", "fault"),
    [
        (Scope(), 1, "of a source, a symbol, a kind, or else of everything"),
        (Scope(symbol=" "), 1, "of a source, a symbol, a kind, or else of everything"),
        (Scope(symbol="A", everything=True), 1, "of a source, a symbol, a kind, or else of everything"),
        (Scope(symbol="A"), -1, "not in the past"),
        (Scope(symbol="A"), 24 * 90 + 1, "at most 90 days later"),
    ],
)
def test_a_silence_without_a_scope_or_an_end_is_refused(acting: Cursor, scope: Scope, hours: int, fault: str) -> None:
    with pytest.raises(BadInput, match=fault):
        alert_acts.silence(acting, "Ada", "x", scope, datetime.now(UTC) + timedelta(hours=hours))
    assert alert_reader.silences(acting, 10, over=True) == []


def test_the_quality_counts_what_people_said_of_the_last_90_days(world: World, acting: Cursor, insert: Insert) -> None:
    ids = [insert("A", state="CLOSED", age_days=number) for number in range(1, 5)]
    insert("B", age_days=1)
    insert("A", state="CLOSED", age_days=91)
    as_pipeline(world, "UPDATE stock_alerts SET recorded_at = now() - interval '60 s' WHERE alert_id = %s", (ids[0],))
    as_pipeline(world, "UPDATE stock_alerts SET recorded_at = now() - interval '20 s' WHERE alert_id = %s", (ids[1],))
    as_pipeline(world, "UPDATE stock_alerts SET state = 'RETRACTED' WHERE alert_id = %s", (ids[3],))
    for alert in ids[:2]:
        alert_acts.acknowledge(acting, alert, "Ada", None)
    for alert in ids[1:3]:
        alert_acts.mark_false_positive(acting, alert, "Ada", None, is_false=True)
    acting.execute(
        """SELECT symbol, alerts, retracted, acknowledged, false_positives, judged, false_positive_rate,
               round(median_acknowledge_seconds), round(p90_acknowledge_seconds)
           FROM alert_quality ORDER BY symbol"""
    )
    assert acting.fetchall() == [("A", 4, 1, 2, 2, 3, 2 / 3, 40, 56), ("B", 1, 0, 0, 0, 0, None, None, None)]
