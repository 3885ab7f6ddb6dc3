import json
import signal
from collections.abc import Iterator

import pytest
import structlog

from volwatch.runtime import Health, Stop, configure_logging


@pytest.fixture
def logging() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_an_event_is_one_line_of_json_where_there_is_no_terminal(
    logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("info")
    structlog.get_logger().info("object_stored", rows=3)
    structlog.get_logger().debug("not_told")
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert told.pop("timestamp").endswith("Z")
    assert told == {"event": "object_stored", "rows": 3, "level": "info"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_ask_the_loop_to_finish(number: signal.Signals) -> None:
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        stop = Stop.on_signals()
        assert (stop.requested, stop.wait(0.0)) == (False, False)
        signal.raise_signal(number)
        assert (stop.requested, stop.wait(60.0)) == (True, True)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def test_a_loop_is_alive_while_it_beats() -> None:
    now = 0.0
    health = Health(stuck_seconds=10.0, clock=lambda: now)
    now = 9.9
    assert health.alive
    now = 10.0
    assert not health.alive
    health.beat()
    assert health.alive


def test_a_stage_is_ready_when_it_says_so() -> None:
    health = Health()
    assert not health.ready
    health.set_ready(True)
    assert health.ready
