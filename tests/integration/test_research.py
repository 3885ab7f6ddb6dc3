"""The tools on a real raw zone: they find what the minute path has found."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.integration.worlds import World, end_mark, own_world, simulated
from volwatch.local.stack import Stack


@pytest.fixture
def world(stack: Stack) -> Iterator[World]:
    with own_world(stack) as made:
        yield made


def test_a_backtest_of_the_raw_zone_finds_the_alerts_of_the_minute_path(world: World, tmp_path: Path) -> None:
    trades = simulated(minutes=120, spike_minute=90)
    world.put_all([*trades, end_mark(trades[-1])])
    world.run()
    stored = world.select("SELECT symbol, onset_bar FROM stock_alerts WHERE state <> 'RETRACTED' ORDER BY onset_bar")
    found = tmp_path / "alerts.csv"
    told = subprocess.run(
        [sys.executable, "-m", "volwatch.cli", "backtest", "--raw", "2026-01-05T15:00..2026-01-05T17:00", "-o", found],
        env={**os.environ, **world.environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    onsets = pd.read_csv(found)
    times = pd.to_datetime(onsets["ts_utc"]).dt.to_pydatetime()
    assert len(stored) == 1
    assert list(zip(onsets["symbol"], times, strict=True)) == stored
