"""Rules of users from the file to the rows of their alerts, on the real servers."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import pytest

from tests.integration.test_rebuild import rebuilt
from tests.integration.worlds import MINUTE_MS, START_MS, MakeWorld, World, end_mark, simulated
from volwatch.alerts import alert_id
from volwatch.settings.rule_file import read_rules
from volwatch.trade import Trade
from volwatch.warehouse.connection import connect

SPIKE_MINUTE = 65
RULES = """
rules:
  - {name: small-move, kind: move, percent: 0.2, minutes: 2, severity: LOW}
  - {name: big-move, kind: move, percent: 0.5, minutes: 5, severity: HIGH}
  - {name: unrest, kind: volatility_above, threshold: 0.3, estimator: cc0}
  - {name: elsewhere, kind: move, percent: 0.01, minutes: 1, symbols: [ZZZZ]}
overrides:
  - {symbol: "*", enter: 3.2}
"""

TOLD = """
    SELECT detector, detector_version, source, symbol, onset_bar, state, confirmed, severity, threshold, alert_id::text
    FROM stock_alerts WHERE kind = 'RULE' AND state <> 'RETRACTED' ORDER BY detector, onset_bar, symbol
"""


@pytest.fixture
def rule_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of rules that the pipeline is given."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, "utf-8")
    monkeypatch.setenv("VOLWATCH_PIPELINE_RULES_FILE", str(path))
    return path


@pytest.fixture
def trades() -> list[Trade]:
    """A calm market with a burst in one minute, and the mark that makes it final."""
    made = simulated(minutes=90, rate=2.0, spike_minute=SPIKE_MINUTE)
    return [*made, end_mark(made[-1])]


def put_in_runs(world: World, trades: list[Trade], rows: int = 400) -> None:
    for first in range(0, len(trades), rows):
        world.put(0, first, trades[first : first + rows])
        world.run()


def test_alerts_of_rules_are_opened_confirmed_and_closed_beside_the_default_ones(
    make_world: MakeWorld, rule_file: Path, trades: list[Trade]
) -> None:
    world = make_world()
    put_in_runs(world, trades)
    rules = {rule.name: rule for rule in read_rules(rule_file).rules}
    told = world.select(TOLD)
    assert {row[0] for row in told} == {"small-move", "big-move", "unrest"}
    for name, version, source, symbol, onset, state, confirmed, severity, threshold, identity in told:
        rule = rules[name]
        assert (version, severity, threshold, confirmed) == (rule.version, rule.severity, rule.enter, True)
        onset_ms = int(onset.timestamp() * 1000)
        assert identity == str(alert_id(source, symbol, "RULE", onset_ms, name, version))
        assert state in ("OPEN", "CLOSED")
    assert "CLOSED" in {row[5] for row in told if row[0] == "big-move"}
    begun = datetime.fromtimestamp(START_MS / 1000 + SPIKE_MINUTE * MINUTE_MS / 1000, UTC)
    assert next(row[4] for row in told if row[0] == "big-move") >= begun
    thresholds = "SELECT DISTINCT threshold FROM stock_alerts WHERE kind = 'VOLATILITY'"
    assert world.select(thresholds) == world.select("SELECT DISTINCT threshold FROM stock_signals") == [(3.2,)]
    events = """SELECT event, count(*)::int FROM alert_events JOIN stock_alerts USING (alert_id)
        WHERE kind = 'RULE' AND state = 'CLOSED' GROUP BY event ORDER BY event"""
    closed = sum(row[5] == "CLOSED" for row in told)
    assert world.select(events) == [("CLOSED", closed), ("CONFIRMED", closed), ("OPEN", closed)]


def test_one_run_and_many_give_the_same_alerts_of_rules(
    make_world: MakeWorld, rule_file: Path, trades: list[Trade]
) -> None:
    assert rule_file.exists()
    at_once, in_runs = make_world(), make_world()
    at_once.put_all(trades)
    at_once.run()
    put_in_runs(in_runs, trades, rows=150)
    assert in_runs.select(TOLD) == at_once.select(TOLD) != []


@pytest.fixture
def open_rows(
    make_world: MakeWorld, rule_file: Path, trades: list[Trade]
) -> Iterator[tuple[World, psycopg2.extensions.cursor]]:
    """A world with alerts of rules, and a cursor on it."""
    assert rule_file.exists()
    world = make_world()
    world.put_all(trades)
    world.run()
    with closing(connect(world.warehouse, application_name="test")) as connection, connection.cursor() as cursor:
        yield world, cursor


def test_one_alert_of_each_rule_is_open_at_a_time(
    open_rows: tuple[World, psycopg2.extensions.cursor],
) -> None:
    _, cursor = open_rows
    copied = """
        INSERT INTO stock_alerts SELECT (jsonb_populate_record(NULL::stock_alerts, to_jsonb(held) || %s::jsonb)).*
        FROM (SELECT * FROM stock_alerts WHERE detector = 'big-move' LIMIT 1) AS held"""
    opened = '{{"alert_id": "{}", "state": "OPEN", "closed_at": null, "detector": "{}", "onset_bar": "{}"}}'
    ids = [f"00000000-0000-0000-0000-00000000000{number}" for number in range(3)]
    cursor.execute("UPDATE stock_alerts SET state = 'CLOSED' WHERE kind = 'RULE'")
    cursor.execute(copied, (opened.format(ids[0], "one", "2026-02-01T00:00:00Z"),))
    cursor.execute(copied, (opened.format(ids[1], "another", "2026-02-01T00:00:00Z"),))
    with pytest.raises(psycopg2.errors.UniqueViolation, match="stock_alerts_one_open"):
        cursor.execute(copied, (opened.format(ids[2], "one", "2026-02-01T00:01:00Z"),))


def test_a_rebuild_bears_out_the_alerts_of_rules_and_follows_rules_that_changed(
    open_rows: tuple[World, psycopg2.extensions.cursor], rule_file: Path
) -> None:
    world, _ = open_rows
    before = world.select(TOLD)
    first = datetime(2026, 1, 5, 15, tzinfo=UTC)
    assert rebuilt(world, first).changes == {}
    assert world.select(TOLD) == before
    rule_file.write_text(RULES.replace("percent: 0.5", "percent: 0.4"), "utf-8")
    [changed] = [rule for rule in read_rules(rule_file).rules if rule.name == "big-move"]
    assert rebuilt(world, first).changes != {}
    after = world.select(TOLD)
    assert [row for row in after if row[1] != changed.version] == before
    assert {row[8] for row in after if row[1] == changed.version} == {0.004}
    assert {row[5] for row in before if row[0] == "big-move"} <= {"CLOSED"}
