"""How often a server may be asked, and for how long: a bucket of calls and an end. The clock is an argument."""

from collections.abc import Callable, Iterable

from pyrate_limiter import InMemoryBucket, Rate, RateItem

from volwatch.errors import Transient

MINUTE_SECONDS = 60.0
CALLS_PER_SECOND = 10
"""A third of what Finnhub takes on every plan."""


class OutOfTime(Transient):
    """The next call would come after the end: leave the rest to the next run."""


class CallBudget:
    """Makes whoever takes a call wait until there is one.

    Parameters
    ----------
    per_minute : int
        Most calls in any minute; in any second there are at most ``CALLS_PER_SECOND``.
    seconds : float
        From now; what would have to wait longer is out of time.
    clock : callable
        Seconds of a clock that nobody sets.
    sleep : callable
        Waits for some seconds.
    spent : iterable of float
        How long ago, in seconds, calls were made by others, the oldest first.
    """

    def __init__(
        self,
        per_minute: int,
        seconds: float,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
        spent: Iterable[float] = (),
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._end = clock() + seconds
        self._of_minute = InMemoryBucket([Rate(per_minute, round(MINUTE_SECONDS * 1_000))])
        self._of_second = InMemoryBucket([Rate(CALLS_PER_SECOND, 1_000)])
        for ago in spent:
            self._of_minute.put(self._call(-ago))
        self.calls = 0

    def take(self) -> None:
        """Return when a call may be made.

        Raises
        ------
        OutOfTime
            That would be after the end.
        """
        for bucket in (self._of_second, self._of_minute):
            call = self._call()
            while not bucket.put(call):
                wait_ms = bucket.waiting(call)
                assert isinstance(wait_ms, int)  # noqa: S101 - only other kinds of buckets are asynchronous
                self.pause(max(wait_ms, 1) / 1_000)
                call = self._call()
        self.pause(0.0)
        self.calls += 1

    def pause(self, seconds: float) -> None:
        """Wait before the next call.

        Raises
        ------
        OutOfTime
            There is not so much time left; it has not waited.
        """
        if self._clock() + seconds >= self._end:
            raise OutOfTime("no time is left for further calls")
        if seconds > 0:
            self._sleep(seconds)

    def _call(self, after_seconds: float = 0.0) -> RateItem:
        return RateItem("call", round((self._clock() + after_seconds) * 1_000))
