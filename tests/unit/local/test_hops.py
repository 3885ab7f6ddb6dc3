import pytest

from volwatch.local.hops import HOPS, Watch

BY_NAME = {hop.name: hop for hop in HOPS}
NAMES = list(BY_NAME)


def flowing(now: float, until: int, counts: dict[str, int] | None = None) -> Watch:
    """Return a watch begun at 0 that has just seen the first hops grow."""
    watch = Watch(0.0)
    watch.note(counts or dict.fromkeys(NAMES[:until], 1), now)
    return watch


def test_nothing_is_stuck_before_its_patience_ends() -> None:
    watch = Watch(100.0)
    first = HOPS[0]
    assert watch.stuck(100.0 + first.patience_seconds) is None
    assert watch.stuck(100.0 + first.patience_seconds + 0.1) is first


@pytest.mark.parametrize("broken", range(len(HOPS)))
def test_the_first_hop_on_the_way_that_stands_still_is_named(broken: int) -> None:
    """What lies behind it stands still too, for want of anything to do."""
    stuck = flowing(1_000.0, until=broken).stuck(1_000.0)
    assert stuck is HOPS[broken]


def test_nothing_is_stuck_while_every_count_grows() -> None:
    assert flowing(1_000.0, until=len(HOPS)).stuck(1_000.0) is None


def test_a_count_that_stands_still_or_falls_has_not_grown() -> None:
    watch = flowing(10.0, until=len(HOPS))
    watch.note(dict.fromkeys(NAMES, 1), 50.0)
    watch.note({NAMES[0]: 0}, 60.0)
    assert watch.idle_seconds(HOPS[0], 60.0) == 50.0
    assert watch.counts[NAMES[0]] == 1
    assert watch.stuck(60.0) is HOPS[0]


def test_a_hop_that_could_not_be_asked_is_left_as_it_was() -> None:
    watch = flowing(10.0, until=len(HOPS))
    watch.note({NAMES[1]: 5}, 20.0)
    assert [watch.idle_seconds(hop, 20.0) for hop in HOPS[:3]] == [10.0, 0.0, 10.0]


def test_a_hop_that_grows_again_is_no_longer_stuck() -> None:
    watch = flowing(0.0, until=len(HOPS))
    assert watch.stuck(40.0) is HOPS[0]
    watch.note({NAMES[0]: 2}, 41.0)
    assert watch.stuck(42.0) is None


@pytest.mark.parametrize("passed", range(len(HOPS)))
def test_the_first_hop_that_nothing_has_passed_is_told(passed: int) -> None:
    assert flowing(1.0, until=passed).empty() is HOPS[passed]


def test_no_hop_is_empty_once_all_have_counted() -> None:
    assert flowing(1.0, until=len(HOPS)).empty() is None


def test_a_market_that_may_rest_is_never_stuck() -> None:
    watch = Watch(0.0, may_rest=True)
    assert watch.stuck(1e6) is None
    assert watch.empty() is HOPS[0]
