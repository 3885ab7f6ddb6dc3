"""The disturbed part of a fault run: the schedule, carried out while the processes are kept running."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import schedule
from tests.faults.options import Options
from tests.faults.outages import Outages
from tests.faults.parts import PRODUCER
from tests.faults.schedule import Fault
from tests.faults.supervisor import Supervisor
from tests.faults.waiting import Stuck, wait_until

Tell = Callable[[str], None]

_TICK_SECONDS = 0.02
_START_SECONDS = 90.0
_STRIKE_SECONDS = 60.0


class Disturbance:
    """The faults of a run, one after another, while the processes are kept running."""

    def __init__(self, supervisor: Supervisor, outages: Outages, options: Options, tell: Tell) -> None:
        self._supervisor = supervisor
        self._outages = outages
        self._options = options
        self._tell = tell
        self._ahead = options.schedule(outages.servers)
        self._kills: list[_Strike] = []
        self._absent: list[tuple[float, str]] = []
        self._tally: Counter[tuple[str, str]] = Counter()
        self._struck = 0

    def run(self) -> Counter[tuple[str, str]]:
        """Let the platform run, then do all faults; return what was done to the servers."""
        self._wait_until_warm()
        began = time.monotonic()
        while self._ahead or self._kills or self._absent or not self._outages.over:
            now = time.monotonic() - began
            self._supervisor.look()
            while self._ahead and self._ahead[0].at_seconds <= now:
                self._begin(self._ahead.pop(0), now)
            self._kills = [strike for strike in self._kills if not self._struck_now(strike, now)]
            self._rejoin(now)
            time.sleep(_TICK_SECONDS)  # the schedule goes by the clock
        self._outages.settle()
        return self._tally

    def _wait_until_warm(self) -> None:
        """Return when the history is sent, and what comes is of now."""
        metric = "volwatch_producer_event_lag_seconds"
        wait_until(
            lambda: (self._supervisor.metric(PRODUCER, metric) or 60.0) < 5.0,
            self._supervisor,
            "the history is sent",
            _START_SECONDS,
        )

    def _begin(self, fault: Fault, now: float) -> None:
        if fault.act == schedule.KILL:
            self._kills.append(_Strike(fault, now))
            return
        self._tell(f"{fault.act} {fault.target}" + (f" {fault.for_seconds:.0f} s" if fault.for_seconds else ""))
        if fault.act == schedule.LEAVE:
            self._supervisor.leave(fault.target)
            self._absent.append((now + fault.for_seconds, fault.target))
            return
        self._tally[fault.target, fault.act] += 1
        if fault.act == schedule.RESTART:
            self._outages.restart(fault.target)
        else:
            self._outages.away(fault.target, fault.for_seconds)

    def _struck_now(self, strike: "_Strike", now: float) -> bool:
        """Kill the target if it is time to; return whether it is done. Time counts from when the target works."""
        target = strike.fault.target
        if not self._supervisor.runs(target):
            strike.at_work_since = None
            if now - strike.due_at > _STRIKE_SECONDS + self._options.away_seconds:
                raise Stuck(f"{target} did not run for so long that it could not be killed")
            return False
        if strike.at_work_since is None:
            strike.at_work_since = now if self._supervisor.is_at_work(target) else None
        if strike.at_work_since is None or now - strike.at_work_since < strike.fault.for_seconds:
            return False
        self._supervisor.kill(target)
        self._struck += 1
        self._tell(f"kill {target} ({self._struck} of {self._options.kills})")
        return True

    def _rejoin(self, now: float) -> None:
        for _, name in [absent for absent in self._absent if absent[0] <= now]:
            self._supervisor.join(name)
        self._absent = [absent for absent in self._absent if absent[0] > now]


@dataclass(slots=True)
class _Strike:
    """A kill that is due, and since when its target has been at work."""

    fault: Fault
    due_at: float
    at_work_since: float | None = None
