"""Work done ahead: in order, no further than is allowed, and not beyond a failure."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from volwatch.errors import Transient
from volwatch.pipeline.ahead import AHEAD, in_order


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 4, 40])
def test_results_come_in_the_order_of_the_items(workers: int, count: int) -> None:
    assert list(in_order(workers, lambda item: item * item, range(count))) == [item * item for item in range(count)]


def test_as_many_as_there_are_workers_are_worked_on_at_once() -> None:
    together = threading.Barrier(3)
    assert list(in_order(3, lambda _: together.wait(timeout=30) >= 0, range(3))) == [True] * 3


def test_items_are_taken_by_the_caller_and_no_more_than_may_wait() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(20):
            assert threading.current_thread() is threading.main_thread()
            taken.append(item)
            yield item

    with closing(in_order(2, str, items())) as results:
        for result in range(5):
            assert next(results) == str(result)
            assert len(taken) == result + 1 + 2 * AHEAD


def test_a_failure_is_raised_in_its_place_and_ends_it() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 3:
            raise Transient("away")
        return item

    results = in_order(1, work, range(20))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(Transient, match="away"):
        next(results)
    assert len(begun) <= 3 + 1 + AHEAD


def test_closing_waits_for_what_was_begun_and_begins_no_more() -> None:
    begun, go_on = threading.Event(), threading.Event()
    ended: list[int] = []

    def work(item: int) -> int:
        if item == 1:
            begun.set()
            assert go_on.wait(30)
        ended.append(item)
        return item

    results = in_order(1, work, range(20))
    assert next(results) == 0
    assert begun.wait(30)
    threading.Timer(0.01, go_on.set).start()
    results.close()
    assert ended == [0, 1]
