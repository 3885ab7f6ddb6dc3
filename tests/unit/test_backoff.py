import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.backoff import Backoff
from volwatch.errors import Transient


class Server:
    def __init__(self, failures: int) -> None:
        self.failures = failures

    def answer(self) -> str:
        if self.failures:
            self.failures -= 1
            raise Transient("away")
        return "answer"


def test_waits_double_up_to_a_bound_and_end() -> None:
    waits = [Backoff(9, lambda: 1.0).seconds(failures) for failures in range(1, 10)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, None]


@given(st.integers(1, 1000), st.floats(0, 1, exclude_max=True))
def test_chance_cuts_a_wait_by_half_at_most(failures: int, chance: float) -> None:
    longest, shorter = Backoff(1001, lambda: 1.0).seconds(failures), Backoff(1001, lambda: chance).seconds(failures)
    assert longest is not None
    assert shorter is not None
    assert longest / 2 <= shorter <= longest


def test_an_operation_is_tried_until_it_succeeds() -> None:
    waits: list[float] = []
    told: list[str] = []
    answer = Backoff(3, lambda: 1.0).retry(Server(2).answer, waits.append, lambda error: told.append(str(error)))
    assert (answer, waits, told) == ("answer", [0.5, 1.0], ["away", "away"])


def test_an_operation_that_fails_once_too_often_raises_its_failure() -> None:
    waits: list[float] = []
    with pytest.raises(Transient, match="away"):
        Backoff(3, lambda: 1.0).retry(Server(3).answer, waits.append, lambda _: None)
    assert waits == [0.5, 1.0]
