from hypothesis import given
from hypothesis import strategies as st

from volwatch.notifier.backoff import pause_seconds


def test_pauses_double_up_to_five_minutes() -> None:
    assert [pause_seconds(failures, lambda: 1.0) for failures in (0, 1, 2, 3, 9, 10, 1000)] == [
        0.0,
        1.0,
        2.0,
        4.0,
        256.0,
        300.0,
        300.0,
    ]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_chance_cuts_a_pause_by_half_at_most(failures: int, chance: float) -> None:
    whole = pause_seconds(failures, lambda: 1.0)
    assert whole / 2 <= pause_seconds(failures, lambda: chance) <= whole
