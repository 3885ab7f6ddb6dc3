"""Each raw row counts once, however the objects come and whatever happens to the runs."""

import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise

import pytest

from tests.integration.worlds import World, end_mark, own_world, print_of, simulated
from volwatch.local.stack import Stack
from volwatch.pipeline.minute import Report
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import ObjectInfo, Rawzone
from volwatch.trade import Trade

MakeWorld = Callable[[], World]
Outcome = dict[str, list[str]]


@pytest.fixture
def make_world(stack: Stack) -> Iterator[MakeWorld]:
    with ExitStack() as worlds:
        yield lambda: worlds.enter_context(own_world(stack))


def market() -> dict[int, list[Trade]]:
    """Return by partition a market with a spike, and trades that are late, rejected or nearly too late."""
    partitions: dict[int, list[Trade]] = {0: [], 1: []}
    for number, trade in enumerate(simulated(minutes=110, symbols=4, rate=0.8, spike_minute=85)):
        rows = partitions[trade.symbol in ("SIM03", "SIM04")]
        rows.append(trade)
        if number % 97 == 0:
            rows.append(print_of(trade, price=-1.0))
        if number % 61 == 0:
            rows.append(print_of(trade, event_time=trade.received_at - number % 7 * 30_000))
    return {partition: [*rows, end_mark(rows[-1])] for partition, rows in partitions.items()}


@pytest.fixture(scope="module")
def trades() -> Mapping[int, Sequence[Trade]]:
    return market()


@pytest.fixture(scope="module")
def undisturbed(stack: Stack, trades: Mapping[int, Sequence[Trade]]) -> Iterator[Outcome]:
    """What comes of all objects in one run."""
    with own_world(stack) as world:
        for partition, rows in trades.items():
            world.put_all(rows, partition)
        world.run()
        outcome = world.outcome()
        assert [len(outcome[table]) > 0 for table in outcome] == [True] * len(outcome)
        yield outcome


def test_many_runs_give_what_one_gives(
    make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]], undisturbed: Outcome
) -> None:
    world = make_world()
    put_and_run(world, trades, random.Random(1), rows=600)
    assert without_objects(world.outcome()) == without_objects(undisturbed)


def put_and_run(world: World, trades: Mapping[int, Sequence[Trade]], choice: random.Random, rows: int) -> None:
    """Store the objects of random sizes one by one, and run after some of them."""
    for partition, held in trades.items():
        for first, end in pairwise(cuts(choice, len(held), rows)):
            world.put(partition, first, held[first:end])
            if choice.random() < 0.7:
                world.run()
    world.run()


def cuts(choice: random.Random, count: int, rows: int) -> list[int]:
    inner = choice.sample(range(1, count), count // rows)
    return [0, *sorted(inner), count]


def without_objects(outcome: Outcome) -> Outcome:
    """Return an outcome that does not tell in which objects the rows behind an alert lay."""
    return outcome | {"stock_alerts": [re_objects(row) for row in outcome["stock_alerts"]]}


def re_objects(row: str) -> str:
    alert = json.loads(row)
    assert alert["why"].pop("raw_objects") != []
    return json.dumps(alert, sort_keys=True)
