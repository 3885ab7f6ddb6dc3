"""The detector's loop against a broker and a warehouse in memory: nothing is saved before it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from tests.fakes import MemoryBroker
from tests.integration.worlds import simulated
from volwatch.analytics.config import EngineConfig
from volwatch.backoff import Backoff
from volwatch.detector.loop import Loop
from volwatch.errors import Transient
from volwatch.receiving import Given, Taken
from volwatch.runtime import Health, Stop
from volwatch.trade import encode
from volwatch.warehouse.alert_writer import Told
from volwatch.warehouse.detector_state import Saved, Start

VALUES = [encode(trade) for trade in simulated(80, rate=1.0, spike_minute=70)]


class Broker(MemoryBroker):
    """Gives partition 0 when it is subscribed to."""

    def __init__(self) -> None:
        super().__init__()
        self.starts: list[Mapping[int, int]] = []
        self.seeks: list[tuple[int, int]] = []

    def subscribe(self, on_revoke: Taken, on_lost: Taken, on_assign: Given | None = None) -> None:
        super().subscribe(on_revoke, on_lost)
        assert on_assign is not None
        self.starts.append(on_assign([0]))

    def seek(self, partition: int, offset: int) -> None:
        self.seeks.append((partition, offset))


@dataclass
class MemoryWarehouse:
    """Keeps what it is given, unless it is away for some questions."""

    failures: int = 0
    revision: int = 0
    enter: float = 3.8
    told: list[Told] = field(default_factory=list)
    saved: list[Saved] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def _answer(self, question: str) -> None:
        self.asked.append(question)
        if self.failures:
            self.failures -= 1
            raise Transient("the warehouse is away")

    def config(self) -> EngineConfig:
        self._answer("config")
        return EngineConfig(enter=self.enter)

    def starts(self, partitions: Sequence[int], config: EngineConfig) -> dict[int, Start]:
        self._answer("starts")
        newest = self.saved[-1] if self.saved else None
        if newest is None or newest.revision != self.revision:
            return dict.fromkeys(partitions, Start(None, 0, 0, self.revision, is_own=False))
        start = Start(newest.state, newest.next_offset, newest.since_offset, newest.revision, is_own=True)
        return dict.fromkeys(partitions, start)

    def revisions(self, partitions: Sequence[int]) -> dict[int, int]:
        self._answer("revisions")
        return dict.fromkeys(partitions, self.revision)

    def write(self, told: Sequence[Told], revisions: Mapping[int, int], config: EngineConfig) -> bool:
        self._answer("write")
        if set(revisions.values()) != {self.revision}:
            return False
        self.told += told
        return True

    def save(self, saved: Saved, config: EngineConfig) -> None:
        self._answer("save")
        self.saved.append(saved)

    def watch(self, watermarks: Mapping[str, int]) -> None:
        self._answer("watch")


@dataclass
class Scene:
    """A loop and what it works on; its clock stands still but for ``later``."""

    broker: Broker = field(default_factory=Broker)
    warehouse: MemoryWarehouse = field(default_factory=MemoryWarehouse)
    stop: Stop = field(default_factory=Stop)
    clock: float = 0.0
    attempts: int = 3

    def start(self) -> Loop:
        self.loop = Loop(
            self.broker,
            self.warehouse,
            10.0,
            Backoff(self.attempts, lambda: 0.0),
            Health(clock=lambda: self.clock),
            self.stop,
            clock=lambda: self.clock,
            now=lambda: 1_000.0,
        )
        self.stop.request()
        self.loop.run()
        return self.loop

    def later(self, seconds: float) -> None:
        self.clock += seconds
        self.loop.run_once()

    @property
    def steps(self) -> list[str]:
        return [step.state for told in self.warehouse.told for step in told.steps]


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.start()
    scene.warehouse.saved.clear()
    return scene


def send(scene: Scene, first: int = 0, end: int | None = None) -> None:
    scene.broker.send(0, *VALUES[first:end])


def test_an_alert_is_written_in_the_round_in_which_its_trade_comes(scene: Scene) -> None:
    scene.loop.assign([0])
    send(scene)
    scene.loop.run_once()
    assert scene.steps[0] == "OPEN"
    assert scene.warehouse.told[0].reached == len(VALUES)


def test_a_state_is_saved_when_it_is_due_and_only_what_is_new(scene: Scene) -> None:
    scene.loop.assign([0])
    send(scene, 0, 100)
    scene.later(9.0)
    assert scene.warehouse.saved == []
    scene.later(1.0)
    assert [saved.next_offset for saved in scene.warehouse.saved] == [100]
    assert scene.broker.committed[0] == 100
    scene.later(60.0)
    assert len(scene.warehouse.saved) == 1


def test_a_warehouse_that_is_away_is_asked_again_and_nothing_is_left_out(scene: Scene) -> None:
    scene.loop.assign([0])
    send(scene)
    scene.warehouse.failures = 2
    scene.loop.run_once()
    assert scene.warehouse.asked[-3:] == ["write", "write", "write"]
    assert scene.steps[0] == "OPEN"


def test_what_cannot_be_written_is_not_saved_as_if_it_were(scene: Scene) -> None:
    scene.loop.assign([0])
    send(scene)
    scene.warehouse.failures = 100
    with pytest.raises(Transient):
        scene.loop.run_once()
    assert scene.warehouse.saved == []


def test_a_rebuild_takes_the_engines_back_to_the_state_it_has_made(scene: Scene) -> None:
    scene.loop.assign([0])
    scene.warehouse.revision = 1
    send(scene)
    scene.loop.run_once()
    assert (scene.steps, scene.broker.seeks) == ([], [(0, 0)])


def test_other_settings_take_them_back_too_and_the_look_is_not_taken_all_the_time(scene: Scene) -> None:
    scene.loop.assign([0])
    scene.warehouse.enter = 5.0
    scene.later(9.0)
    assert scene.broker.seeks == []
    scene.later(1.0)
    assert scene.broker.seeks == [(0, 0)]
    assert scene.warehouse.asked[-1] == "watch"


def test_partitions_that_are_taken_away_are_saved_and_those_that_are_lost_forgotten(scene: Scene) -> None:
    scene.loop.assign([0])
    send(scene, 0, 50)
    scene.loop.run_once()
    scene.loop.revoke([0])
    assert [saved.next_offset for saved in scene.warehouse.saved] == [50]
    scene.loop.assign([0])
    scene.loop.lose([0])
    scene.loop.revoke([0])
    assert len(scene.warehouse.saved) == 1


def test_one_that_stops_saves_its_states_and_leaves_the_group() -> None:
    scene = Scene()
    send(scene, 0, 20)
    scene.start()
    assert not scene.broker.open
