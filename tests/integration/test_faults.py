"""A bounded fault run: five kills, every server restarted once and away once. ``make faults`` does the whole of it."""

import structlog

from tests.faults.harness import run
from tests.faults.options import Options
from tests.faults.outages import own_servers
from tests.faults.schedule import AWAY, RESTART
from tests.faults.supervisor import KILLED
from volwatch.local.stack import Stack

KILLS = 5

_log = structlog.get_logger()


def test_nothing_is_lost_and_nothing_doubled_whoever_is_killed(stack: Stack) -> None:
    options = Options(
        seed=1, kills=KILLS, rate=2_000.0, seconds=33.0, away_seconds=4.0, history_minutes=150, history_rate=8.0
    )
    report = run(stack, options, lambda line: _log.info("fault_run", said=line))
    assert [check for check in report.checks if not check.good] == []
    assert sum(times for (_, how), times in report.tally.items() if how == KILLED) == KILLS
    outages = {(name, how) for name in own_servers(stack) for how in (RESTART, AWAY)}
    assert {key: report.tally[key] for key in outages} == dict.fromkeys(outages, 1)
    assert report.records > options.market.history_trades + options.rate * options.seconds / 2
