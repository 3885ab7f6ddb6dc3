from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from threading import Semaphore, Thread
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.producer.fakes import MemoryLease
from volwatch.errors import Transient
from volwatch.producer.lease import Election, Record

DURATION = 10.0

_T = TypeVar("_T")


def candidate(lease: MemoryLease, name: str = "a", clock_ahead: float = 0.0, chance: float = 0.0) -> Election:
    return Election(lease, name, DURATION, lambda: lease.now + clock_ahead, lambda: chance)


def leader(lease: MemoryLease, name: str = "a") -> Election:
    election = candidate(lease, name)
    election.step()
    assert election.leading
    return election


def go_on(election: Election, lease: MemoryLease) -> None:
    """Take a step, and wait as told."""
    wait_seconds = election.step()  # moves the clock itself
    lease.now += wait_seconds


def lead_in(election: Election, lease: MemoryLease, most_seconds: float) -> float:
    """Step as told until the candidate leads; return how long that took."""
    began = lease.now
    while not election.leading:
        assert lease.now - began <= most_seconds
        go_on(election, lease)
    return lease.now - began


def test_who_finds_the_lease_free_takes_it_at_once_and_renews_every_fifth_of_it() -> None:
    lease = MemoryLease()
    election = candidate(lease)
    assert (election.leading, election.step(), election.leading) == (False, 2.0, True)
    lease.now += 2.0
    assert election.step() == 2.0
    assert lease.requests == ["read", "take", "renew"]
    assert (lease.holder, election.seen) == ("a", lease.record())


def test_who_comes_second_stands_by_and_looks_every_so_often_not_as_often_as_others() -> None:
    lease = MemoryLease()
    leader(lease)
    waits = {candidate(lease, "b", chance=chance).step() for chance in (0.0, 0.5)}
    assert waits == {1.5, 1.75}


def test_a_record_that_changes_is_left_alone_however_old_it_says_it_is() -> None:
    lease = MemoryLease()
    first, second = leader(lease), candidate(lease, "b", clock_ahead=1e6)
    for _ in range(60):
        lease.now += 2.0
        first.step()
        second.step()
    assert (first.leading, second.leading) == (True, False)


def test_a_record_that_stands_still_for_the_duration_is_taken_at_that_moment() -> None:
    lease = MemoryLease()
    leader(lease)
    assert lead_in(candidate(lease, "b"), lease, 12.0) == 10.0 + 2.0  # the last wait is the new leader's own
    assert lease.holder == "b"


def test_the_holder_may_send_for_two_thirds_of_the_duration_counted_from_before_it_asked() -> None:
    lease = MemoryLease()
    lease.latency = 1.0
    election = candidate(lease)
    assert election.step() == 1.0  # asked at 1, after the reading; answered at 2; renewed at 3
    lease.now = 1_001.0 + DURATION * 2 / 3 - 0.001
    assert election.leading
    assert election.seconds_left == pytest.approx(DURATION / 3 + 0.001)
    lease.now += 0.002
    assert not election.leading


def test_a_renewal_that_failed_is_tried_again_soon_and_a_holder_without_one_stops_in_time() -> None:
    lease = MemoryLease()
    election = leader(lease)
    lease.now += 2.0
    lease.away = True
    began = lease.now - 2.0
    while election.leading:
        go_on(election, lease)
    assert lease.now - began == pytest.approx(DURATION * 2 / 3, abs=0.01)  # no request takes it beyond that
    assert (election.trouble, lease.requests.count("renew")) == ("no answer", 2)
    assert election.seconds_left == pytest.approx(DURATION / 3, abs=0.01)


def test_one_answer_after_the_trouble_makes_it_good_again() -> None:
    lease = MemoryLease()
    election = leader(lease)
    lease.away = True
    assert election.step() == 0.5
    lease.away = False
    assert (election.step(), election.trouble, election.leading) == (2.0, "", True)


@pytest.mark.parametrize("heard", [False, True])
def test_a_lost_answer_to_a_renewal_costs_no_leadership(heard: bool) -> None:
    lease = MemoryLease()
    election = leader(lease)
    lease.away, lease.heard = True, heard
    election.step()
    lease.away = False
    go_on(election, lease)
    election.step()
    assert (election.leading, election.seconds_left >= DURATION - 2.0) == (True, True)


def test_a_lost_answer_to_the_taking_is_found_out_at_the_next_look() -> None:
    lease = MemoryLease()
    election = candidate(lease)
    lease.try_take(lease.record(), "a", 1.0)  # as if the process had asked and not been told
    election.step()
    assert election.leading


def test_a_label_put_on_the_lease_costs_no_leadership() -> None:
    lease = MemoryLease()
    election = leader(lease)
    lease.touch()
    assert (election.step(), election.leading) == (0.0, True)
    assert (election.step(), election.leading) == (2.0, True)


def test_who_finds_another_in_the_lease_is_deposed_at_once() -> None:
    lease = MemoryLease()
    election = leader(lease)
    lease.holder = "b"
    lease.touch()
    election.step()
    assert (election.leading, election.seconds_left) == (False, float("-inf"))
    assert election.seen == Record("b", lease.record().version)


def test_a_lease_given_back_is_anothers_at_its_next_look() -> None:
    lease = MemoryLease()
    first, second = leader(lease), candidate(lease, "b")
    second.step()
    first.release()
    assert (first.leading, lease.holder) == (False, "")
    second.step()
    assert second.leading


def test_who_holds_nothing_gives_nothing_back() -> None:
    lease = MemoryLease()
    leader(lease)
    candidate(lease, "b").release()
    assert (lease.holder, "release" in lease.requests) == ("a", False)


def test_a_release_that_is_not_heard_leaves_the_others_waiting_and_us_silent() -> None:
    lease = MemoryLease()
    election = leader(lease)
    lease.away = True
    with pytest.raises(Transient):
        election.release()
    assert (election.leading, lease.holder) == (False, "a")


def test_what_a_dead_process_left_is_taken_once_its_last_words_must_have_arrived() -> None:
    lease = MemoryLease()
    lease.holder, lease.changes = "dead", 7
    election = candidate(lease, "b")
    assert election.step() == 1.5
    lease.abandoned = True
    assert lead_in(election, lease, 4.0) == 1.0 + 2.0


def test_a_lease_that_lasts_is_kept_through_any_silence() -> None:
    lease = MemoryLease()
    lease.lasts = True
    election = leader(lease)
    lease.now += 1e6
    assert (election.leading, election.step(), election.leading) == (True, 2.0, True)
    lease.holder = "b"
    lease.touch()
    election.step()
    assert not election.leading


@settings(max_examples=200)
@given(
    renewed_ago=st.floats(0.0, 2.0),
    looked_ago=st.floats(0.0, 2.0),
    latency=st.floats(0.0, 0.5),
    chance=st.floats(0.0, 1.0, exclude_max=True),
)
def test_a_killed_leader_is_followed_within_fifteen_seconds(
    renewed_ago: float, looked_ago: float, latency: float, chance: float
) -> None:
    lease = MemoryLease()
    lease.holder, lease.changes, lease.latency = "killed", 1, latency
    killed_at = lease.now
    lease.now = killed_at - looked_ago
    standby = candidate(lease, "b", chance=chance)
    wait_seconds = standby.step()
    if renewed_ago < looked_ago:
        lease.touch()
    lease.now = max(lease.now + wait_seconds, killed_at)
    while not standby.leading:
        assert lease.now - killed_at < 15.0
        go_on(standby, lease)
    assert lease.now - 2.0 - killed_at < 15.0


class Interleaving:
    """Two candidates in threads, of which one runs at a time, up to the next point at which it speaks or listens.

    Chance says which, how much time passes between, who sleeps for long, and what is lost on the way.
    """

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.lease = MemoryLease()
        clocks = [lambda: self.lease.now, lambda: self.lease.now + 512.0]
        self.elections = [
            Election(Channel(self, number), "ab"[number], DURATION, clock, chance.random)
            for number, clock in enumerate(clocks)
        ]
        self.lossy = False
        self.releasing: set[int] = set()
        self.terms = [0, 0]
        self._goes = [Semaphore(0), Semaphore(0)]
        self._stopped = Semaphore(0)
        self._ended = False
        self._threads = [Thread(target=self._run, args=[number], daemon=True) for number in range(2)]
        for thread in self._threads:
            thread.start()

    def go_on(self, moves: int) -> Iterator[tuple[Election, Election]]:
        """Let so many things happen; yield the candidates after each."""
        awake_at = [0, 0]
        for move in range(moves):
            self.lease.now += self.chance.choice([0.0, 0.25, 0.5])  # exact as binary numbers
            number = self.chance.randrange(2)
            what = self.chance.random()
            if what < 0.02:
                awake_at[number] = move + self.chance.randrange(10, 80)
            elif what < 0.03:
                self.lossy = not self.lossy
            elif what < 0.04:
                self.lease.touch()
            elif what < 0.05:
                self.releasing.add(number)
            elif awake_at[number] <= move:
                led = self.elections[number].leading
                self._goes[number].release()
                self._stopped.acquire()
                self.terms[number] += self.elections[number].leading and not led
            yield self.elections[0], self.elections[1]

    def pause(self, number: int) -> None:
        """Be such a point."""
        self._stopped.release()
        self._goes[number].acquire()
        if self._ended:
            raise _End

    def end(self) -> None:
        self._ended = True
        for go, thread in zip(self._goes, self._threads, strict=True):
            go.release()
            thread.join(5)

    def _run(self, number: int) -> None:
        self._goes[number].acquire()
        while not self._ended:
            try:
                self._act(number)
                self.pause(number)
            except _End:
                return

    def _act(self, number: int) -> None:
        if number in self.releasing:
            self.releasing.discard(number)
            with suppress(Transient):
                self.elections[number].release()
        else:
            self.elections[number].step()


class _End(BaseException):
    """The example is over."""


class Channel:
    """A candidate's way to the lease, on which requests and answers are slow and get lost."""

    lasts = False

    def __init__(self, world: Interleaving, number: int) -> None:
        self._world = world
        self._number = number

    def read(self, timeout_seconds: float) -> Record:
        return self._ask(lambda: self._world.lease.read(timeout_seconds))

    def try_take(self, seen: Record, holder: str, timeout_seconds: float) -> Record | None:
        return self._ask(lambda: self._world.lease.try_take(seen, holder, timeout_seconds))

    def renew(self, own: Record, timeout_seconds: float) -> Record | None:
        return self._ask(lambda: self._world.lease.renew(own, timeout_seconds))

    def release(self, own: Record, timeout_seconds: float) -> None:
        self._ask(lambda: self._world.lease.release(own, timeout_seconds))

    def _ask(self, request: Callable[[], _T]) -> _T:
        lost = self._world.chance.random() if self._world.lossy else 1.0
        self._world.pause(self._number)
        if lost < 0.2:
            raise Transient("the request was lost")
        answer = request()
        self._world.pause(self._number)
        if lost < 0.4:
            raise Transient("the answer was lost")
        return answer


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_two_candidates_never_lead_at_once_nor_before_the_others_lease_is_over(seed: int) -> None:
    world = Interleaving(Random(seed))
    try:
        for first, second in world.go_on(600):
            assert not (first.leading and second.seconds_left > 0)
            assert not (second.leading and first.seconds_left > 0)
    finally:
        world.end()
    assert sum(world.terms) > 0
