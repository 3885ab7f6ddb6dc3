import msgspec

from tests.unit.producer.fakes import START_MS, some_trade
from volwatch.producer.replay import Replay
from volwatch.producer.source import Batch, Rejected

NOW_MS = START_MS + 10**9
ROWS = [some_trade(0, START_MS), some_trade(1, START_MS + 1_000), some_trade(2, START_MS + 60_000)]
BAD = Rejected("SIM01", "MALFORMED", b"{}")
# What follows a record's last trade: no trade, but a time that lets the last bars become final.
MARK = msgspec.structs.replace(
    ROWS[-1],
    event_time=ROWS[-1].received_at + 300_000,
    received_at=ROWS[-1].received_at + 300_000,
    size=0.0,
    conditions=("mark",),
    seq=ROWS[-1].seq + 1,
)


def test_as_fast_as_possible_everything_is_due_and_then_it_ends() -> None:
    replay = Replay([BAD, *ROWS])
    assert [replay.read(NOW_MS), replay.read(NOW_MS)] == [Batch([*ROWS, MARK], more=True, rejected=(BAD,)), None]


def test_a_speed_scales_the_time_since_the_first_reading() -> None:
    replay = Replay(ROWS, speed=10.0)
    assert [replay.read(NOW_MS + elapsed_ms) for elapsed_ms in (0, 99, 100, 5_999, 6_000, 6_001)] == [
        Batch([ROWS[0]], more=False),
        Batch([], more=False),
        Batch([ROWS[1]], more=False),
        Batch([], more=False),
        Batch([ROWS[2], MARK], more=True),
        None,
    ]


def test_what_is_given_does_not_depend_on_the_speed() -> None:
    slow = Replay(ROWS, speed=1.0)
    given = [
        trade
        for now_ms in range(NOW_MS, NOW_MS + 60_001, 50)
        for trade in (slow.read(now_ms) or Batch([], False)).trades
    ]
    assert given == [*ROWS, MARK]


def test_a_long_record_is_handed_over_in_parts() -> None:
    rows = [some_trade(seq) for seq in range(45_000)]
    replay = Replay(iter(rows))
    parts = [batch.trades for batch in iter(lambda: replay.read(NOW_MS), None)]
    assert [len(part) for part in parts] == [20_000, 20_000, 5_001]
    assert [trade for part in parts for trade in part][:-1] == rows
