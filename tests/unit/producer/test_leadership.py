from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from tests.unit.producer.fakes import MemoryLease
from volwatch.errors import Misconfigured
from volwatch.metrics import REGISTRY
from volwatch.producer.leadership import Deposed, Leadership, Unopposed, boot_clock
from volwatch.producer.lease import Election, Record
from volwatch.runtime import Health, Stop

DURATION = 10.0


class Waiting(Stop):
    """A wish to stop whose waiting moves the lease's clock; it comes true at ``until``."""

    def __init__(self, lease: MemoryLease, until: float = 1e9) -> None:
        super().__init__()
        self._lease = lease
        self._until = until
        self.looks: list[Callable[[], None]] = []

    def wait(self, seconds: float) -> bool:
        for look in self.looks:
            look()
        self._lease.now += seconds
        if self._lease.now >= self._until:
            self.request()
        return self.requested


class Over(Waiting):
    """The event that a keeper waits for, in time of the lease."""

    def is_set(self) -> bool:
        return self.requested

    def set(self) -> None:
        self.request()


class Ended(Exception):
    """The process was ended by force."""


def end(code: int) -> None:
    raise Ended(code)


def leadership(lease: MemoryLease, name: str = "a") -> Leadership:
    made = Leadership(Election(lease, name, DURATION, lambda: lease.now, lambda: 1.0), DURATION, end)
    made._over = Over(lease)  # type: ignore[assignment]
    return made


def leading(lease: MemoryLease) -> Leadership:
    made = leadership(lease)
    assert made.wait(Waiting(lease), Health())
    return made


def metric(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0.0


def test_who_waits_is_alive_and_ready_and_says_once_for_whom() -> None:
    lease = MemoryLease()
    lease.holder, lease.changes = "other", 1
    health, stop = Health(clock=lambda: lease.now), Waiting(lease)
    seen: list[tuple[bool, bool]] = []
    stop.looks.append(lambda: seen.append((health.alive, health.ready)))
    before = metric("volwatch_producer_leadership_changes_total")
    with capture_logs() as logs:
        assert leadership(lease).wait(stop, health)
    assert seen == [(True, True)] * 5
    assert [(line["event"], line.get("holder")) for line in logs] == [
        ("standing_by", "other"),
        ("leadership_gained", None),
    ]
    assert metric("volwatch_producer_leader") == 1
    assert metric("volwatch_producer_leadership_changes_total") - before == 1


def test_who_waits_for_another_says_so() -> None:
    lease = MemoryLease()
    lease.holder, lease.changes = "first", 1
    stop = Waiting(lease, until=lease.now + 7)

    def change() -> None:
        if lease.now >= 1_004:
            lease.holder, lease.changes = "second", 2

    stop.looks.append(change)
    with capture_logs() as logs:
        assert not leadership(lease).wait(stop, Health())
    assert [line["holder"] for line in logs] == ["first", "second"]


def test_who_cannot_see_the_lease_is_alive_and_not_ready_and_says_so_once() -> None:
    lease = MemoryLease()
    lease.away = True
    health = Health(clock=lambda: lease.now)
    with capture_logs() as logs:
        leadership(lease).wait(Waiting(lease, until=lease.now + 600), health)
    assert (health.alive, health.ready) == (True, False)
    assert [(line["event"], line["reason"]) for line in logs] == [("lease_unreachable", "no answer")]


def test_a_leader_that_renews_goes_on_until_it_gives_back() -> None:
    lease = MemoryLease()
    made = leading(lease)
    over = made._over
    assert isinstance(over, Over)
    over._until = lease.now + 1_000
    made.run(lambda: pytest.fail("it was not lost"))
    assert lease.requests.count("renew") == 500
    with capture_logs() as logs:
        made.give_back()
    assert (lease.holder, metric("volwatch_producer_leader")) == ("", 0)
    assert [line["event"] for line in logs] == ["leadership_given_back"]
    with pytest.raises(Deposed):
        made.check()


def test_a_release_that_is_not_heard_is_told() -> None:
    lease = MemoryLease()
    made = leading(lease)
    lease.away = True
    with capture_logs() as logs:
        made.give_back()
    assert [(line["event"], line["reason"]) for line in logs] == [("lease_not_released", "no answer")]


def test_a_leader_without_renewals_halts_in_time_and_is_ended_before_another_begins() -> None:
    lease = MemoryLease()
    made = leading(lease)
    granted_at = lease.now
    lease.away = True
    halted_at: list[float] = []
    before = metric("volwatch_producer_leadership_changes_total")
    with capture_logs() as logs, pytest.raises(Ended, match="1"):
        made.run(lambda: halted_at.append(lease.now - granted_at))
    assert halted_at == [pytest.approx(DURATION * 2 / 3, abs=0.01)]
    assert lease.now - granted_at == pytest.approx(DURATION * 0.95, abs=0.01)
    assert [(line["event"], line["reason"]) for line in logs] == [
        ("lease_unreachable", "no answer"),
        ("leadership_lost", "no answer"),
    ]
    assert metric("volwatch_producer_leadership_changes_total") - before == 1
    assert metric("volwatch_producer_leader") == 0


def test_a_leader_that_another_has_replaced_is_ended_at_once() -> None:
    lease = MemoryLease()
    made = leading(lease)
    lease.holder, lease.changes = "other", lease.changes + 1
    lost_at = lease.now
    with capture_logs() as logs, pytest.raises(Ended):
        made.run(lambda: None)
    assert (lease.now, logs[-1]["reason"]) == (lost_at, "another has the lease")


def test_a_leader_that_may_no_longer_have_the_lease_is_deposed() -> None:
    lease = MemoryLease()
    made = leading(lease)

    def refuse(own: Record, timeout_seconds: float) -> Record | None:
        raise Misconfigured(["leases is forbidden"])

    lease.renew = refuse  # type: ignore[method-assign]
    with capture_logs() as logs, pytest.raises(Ended):
        made.run(lambda: None)
    assert [(line["event"], line["reason"]) for line in logs] == [("leadership_lost", "leases is forbidden")]
    with pytest.raises(Deposed):
        made.check()


def test_who_sends_looks_at_the_clock_whatever_the_keeper_is_at() -> None:
    lease = MemoryLease()
    made = leading(lease)
    lease.now += 6.0
    made.check()
    lease.now += 1.0
    with pytest.raises(Deposed) as caught:
        made.check()
    assert caught.value.answer_seconds == pytest.approx(1.5)  # half of the three that are left


def test_who_was_away_for_longer_than_the_lease_awaits_no_answers() -> None:
    lease = MemoryLease()
    made = leading(lease)
    lease.now += 60.0
    with pytest.raises(Deposed) as caught:
        made.check()
    assert caught.value.answer_seconds == 0.0


def test_who_shares_the_turn_with_nobody_has_it() -> None:
    stop = Stop()
    stop.request()
    unopposed = Unopposed()
    assert unopposed.wait(stop, Health())
    unopposed.keep(lambda: pytest.fail("it was not lost"))
    unopposed.check()
    unopposed.give_back()


def test_the_clock_never_runs_backwards() -> None:
    first, second = boot_clock(), boot_clock()
    assert 0 < first <= second
