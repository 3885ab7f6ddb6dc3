"""``volwatch alerts explain`` on real servers: each alert comes to what its row says, and what does not is told."""

import argparse
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from tests.integration.test_pipeline import crowded, load_moved_onset
from tests.integration.test_rules import RULES, SPIKE_MINUTE
from tests.integration.worlds import MINUTE_MS, START_MS, World, end_mark, own_world, simulated
from volwatch.local.stack import Stack
from volwatch.operations import alerts_explain
from volwatch.rawzone.store import s3_client
from volwatch.settings import as_environment
from volwatch.trade import Trade
from volwatch.warehouse import provision, rebuild_states
from volwatch.warehouse.connection import connect

pytestmark = pytest.mark.integration

ALERTS = "SELECT alert_id::text, kind, state, confirmed FROM stock_alerts ORDER BY onset_bar, symbol, kind"


@pytest.fixture
def world(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world whose raw zone and warehouse the environment names, the latter as the dashboard may use it."""
    with own_world(stack) as made:
        reader = stack.postgres.settings(provision.DASHBOARD, made.warehouse.database)
        for name, value in as_environment(made.rawzone_settings, reader).items():
            monkeypatch.setenv(name, value)
        yield made


def asked(capsys: pytest.CaptureFixture[str], alert_id: str) -> tuple[int, str]:
    """Return exit code and lines of the command."""
    capsys.readouterr()  # what the minute path logged
    code = alerts_explain.run(argparse.Namespace(alert=alert_id, json=False))
    return code, capsys.readouterr().out


def asked_for_facts(capsys: pytest.CaptureFixture[str], alert_id: str) -> tuple[int, dict[str, object]]:
    """Return exit code and facts of the command."""
    capsys.readouterr()  # what the minute path logged
    code = alerts_explain.run(argparse.Namespace(alert=alert_id, json=True))
    return code, json.loads(capsys.readouterr().out)


def load(world: World, trades: list[Trade], rows: int) -> None:
    """Store trades in objects, running the minute path and keeping the state of the engine after each."""
    for first in range(0, len(trades), rows):
        world.put(0, first, trades[first : first + rows])
        world.run()
        with by_hand(world) as connection, connection, connection.cursor() as cursor:
            rebuild_states.keep_states(cursor)


def by_hand(world: World) -> closing[Connection]:
    return closing(connect(world.warehouse, application_name="test"))


def confirmed(world: World) -> str:
    [(alert_id, kind, _, _)] = [row for row in world.select(ALERTS) if row[3]]
    assert kind == "VOLATILITY"
    return str(alert_id)


def spiked() -> list[Trade]:
    trades = simulated(minutes=120, rate=0.8, spike_minute=90)
    return [*trades, end_mark(trades[-1])]


def test_an_alert_is_found_again_from_the_first_trade_and_each_step_is_shown(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.put_all(spiked(), rows=700)
    world.run()
    alert_id = confirmed(world)
    [(why, sentence)] = world.select("SELECT why, sentence FROM stock_alerts WHERE alert_id = %s", alert_id)
    code, text = asked(capsys, alert_id[:8])
    assert code == 0, text
    assert sentence in text
    assert text.endswith("closed alert: equal\n")
    assert f"\nstatistic S     {why['statistic']:.3f}  (" in text
    for name in ("reference P", "true range", "x = ln range", "usual s", "baseline b, σ", "z = (y − b)/σ", "burst E"):
        assert f"\n{name}" in text
    for name in why["raw_objects"]:
        assert name in text
    code, facts = asked_for_facts(capsys, alert_id)
    final = facts["final"]
    assert (code, facts["equal"], facts["differences"], facts["began"]) == (0, True, [], None)
    assert isinstance(final, dict)
    assert (final["statistic"], final["z"], final["agrees"]) == (why["statistic"], why["z"], True)


def test_a_state_that_was_kept_saves_reading_and_comes_to_the_same(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    load(world, spiked(), rows=200)
    [(states,)] = world.select("SELECT count(*)::int FROM engine_snapshots")
    code, facts = asked_for_facts(capsys, confirmed(world))
    assert states >= 2
    assert (code, facts["differences"]) == (0, [])
    began, read = facts["began"], facts["read"]
    assert isinstance(began, dict)
    assert isinstance(read, dict)
    assert began["offset"] > 0
    assert read["rows"] < len(spiked()) - began["offset"]


def test_an_alert_that_was_taken_back_shows_the_bar_as_it_was_and_the_final_one(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    load_moved_onset(world)
    [taken_back] = [row[0] for row in world.select(ALERTS) if row[2] == "RETRACTED"]
    code, text = asked(capsys, taken_back)
    assert code == 0, text
    assert "as it was when the alert was opened:" in text
    assert "as it is final:" in text
    assert text.index("opens an alert") < text.index("opens no alert:")
    assert text.endswith("retracted alert: equal\n")


def test_an_alert_of_data_that_are_not_final_is_judged_by_the_open_bar(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    trades = [trade for trade in spiked() if trade.received_at < START_MS + 92 * MINUTE_MS]
    world.put_all(trades)
    world.run()
    [(alert_id, _, state, is_confirmed)] = world.select(ALERTS)
    code, text = asked(capsys, alert_id)
    assert (state, is_confirmed, code) in {("OPEN", False, 0), ("ESCALATED", False, 0)}, text
    assert "not final" in text or "still open" in text
    world.put(0, len(trades), spiked()[len(trades) :])
    code, text = asked(capsys, alert_id)
    assert (code, "as it is final:" in text) == (0, True), text


def test_what_was_changed_by_hand_differs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.put_all(spiked())
    world.run()
    alert_id = confirmed(world)
    with by_hand(world) as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE stock_alerts SET why = jsonb_set(why, '{z}', '1.5') WHERE alert_id = %s", (alert_id,))
    code, text = asked(capsys, alert_id)
    assert code == 1
    assert "closed alert: differs: z is stored as 1.5, found " in text


def test_an_alert_whose_raw_objects_are_gone_says_so(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.put_all(spiked(), rows=500)
    world.run()
    alert_id = confirmed(world)
    [([first, *_],)] = world.select("SELECT why->'raw_objects' FROM stock_alerts WHERE alert_id = %s", alert_id)
    s3_client(world.rawzone_settings).remove_object(world.rawzone_settings.bucket, first)
    code, text = asked(capsys, alert_id)
    assert code == 1
    assert "its raw objects are gone (offsets " in text
    for info in list(world.rawzone.list_all()):
        s3_client(world.rawzone_settings).remove_object(world.rawzone_settings.bucket, str(info.key))
    code, text = asked(capsys, alert_id)
    assert code == 1
    assert "the raw zone has them no more" in text


def test_an_alert_of_the_market_names_its_members_each_of_which_is_equal(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    for partition, rows in crowded(minutes=110, spike_minute=85, spiked=4).items():
        world.put_all(rows, partition, rows=2_000)
    world.run()
    alerts = world.select(ALERTS)
    [market] = [row[0] for row in alerts if row[1] == "MARKET" and row[2] != "RETRACTED"]
    code, text = asked(capsys, market)
    assert (code, "4 of 6 symbols opened within 3 bars: 66.7%" in text) == (0, True), text
    members = [row[0] for row in alerts if row[1] != "MARKET" and row[3]]
    assert [member for member in members if member not in text] == []
    assert [asked(capsys, member)[0] for member in members] == [0] * len(members)


def test_alerts_of_rules_and_of_a_threshold_of_their_own_come_to_what_their_rows_say(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule_file = tmp_path / "rules.yaml"
    rule_file.write_text(RULES, "utf-8")
    monkeypatch.setenv("VOLWATCH_PIPELINE_RULES_FILE", str(rule_file))
    trades = simulated(minutes=90, rate=2.0, spike_minute=SPIKE_MINUTE)
    load(world, [*trades, end_mark(trades[-1])], rows=800)
    alerts = world.select(
        "SELECT alert_id::text, detector, threshold, why FROM stock_alerts WHERE state <> 'RETRACTED' ORDER BY detector"
    )
    assert {"small-move", "big-move", "unrest"} < {row[1] for row in alerts}
    assert 3.2 in {row[2] for row in alerts}
    for alert_id, detector, threshold, why in alerts:
        code, text = asked(capsys, alert_id)
        assert (code, text.endswith(" alert: equal\n")) == (0, True), text
        assert f"\nrule            {detector} " in text or threshold == 3.2
        _, facts = asked_for_facts(capsys, alert_id)
        final = facts["final"]
        assert isinstance(final, dict)
        assert (final["facts"]["statistic"], final["enter"], final["agrees"]) == (why["statistic"], threshold, True)
    big = next(row[0] for row in alerts if row[1] == "big-move")
    with by_hand(world) as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE stock_alerts SET threshold = 0.004 WHERE alert_id = %s", (big,))
    code, text = asked(capsys, big)
    assert (code, "alert: differs: limit is stored as 0.004, found 0.005" in text) == (1, True), text
    rule_file.write_text(RULES.replace("percent: 0.5", "percent: 0.4"), "utf-8")
    code, text = asked(capsys, big)
    assert (code, "its rule is not among the given ones: set VOLWATCH_PIPELINE_RULES_FILE as it was" in text) == (
        1,
        True,
    )
