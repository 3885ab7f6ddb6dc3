"""A fault run: real processes on real servers, killed and taken away by a schedule, and the verdict on what is left.

A producer sends a simulated market, two consumers store it, loaders run one after another as their scheduler would
start them. Whatever is killed is started again at once. When the schedule is over the source is stopped, everything is
left to drain, and marks make the last bars final. Then the same topic goes through one undisturbed consumer and one
undisturbed loader into a raw zone and a warehouse of their own, and both are compared.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.check import Check
from tests.faults.disturbance import Disturbance, Tell
from tests.faults.options import Options
from tests.faults.outages import Outages, own_servers
from tests.faults.parts import CONSUMERS, DETECTOR, LOADER, PRODUCER, Part, parts
from tests.faults.platform import Outcome, Platform, own_platform, own_topics
from tests.faults.supervisor import Supervisor, has_session
from tests.faults.verdict import judge
from tests.faults.waiting import wait_until
from volwatch.local.stack import Stack

_DRAIN_SECONDS = 180.0
_ONE_RUN = {"VOLWATCH_PIPELINE_TIME_BUDGET_SECONDS": "600"}


@dataclass(frozen=True, slots=True)
class Report:
    """What a fault run did and found.

    Attributes
    ----------
    tally : Counter of (str, str)
        What was done to each part and server, and how often.
    reasons : Counter of (str, str)
        Why parts ended by themselves.
    records : int
        On the topic at the end, marks included.
    """

    checks: Sequence[Check]
    tally: Counter[tuple[str, str]]
    reasons: Counter[tuple[str, str]]
    records: int
    seconds: float

    @property
    def good(self) -> bool:
        """Whether nothing differs anywhere."""
        return all(check.good for check in self.checks)


def run(stack: Stack, options: Options, tell: Tell) -> Report:
    """Do a fault run on the servers of a stack; return the verdict.

    Raises
    ------
    Stuck
        Something did not start, or did not come to its end in time.
    """
    began = time.monotonic()
    with own_topics(stack) as kafka, own_platform(stack, kafka) as disturbed, own_platform(stack, kafka) as calm:
        supervisor = Supervisor(stack, parts(options.market), disturbed.environment, disturbed.world.warehouse.database)
        outages = Outages(own_servers(stack))
        try:
            tally = Disturbance(supervisor, outages, options, tell).run()
            tell("draining")
            stopped = drain(stack, supervisor, disturbed)
        finally:
            outages.close()
            supervisor.stop()
        tell("the same topic again, undisturbed")
        outcome = undisturbed(stack, calm)
        tell("comparing")
        checks = [stopped, *judge(options.market, disturbed, supervisor.samples, outcome)]
        records = sum(disturbed.ends().values())
    return Report(checks, supervisor.tally + tally, supervisor.reasons, records, time.monotonic() - began)


def drain(stack: Stack, supervisor: Supervisor, platform: Platform) -> Check:
    """Stop the source, send the marks, and let everything come to its end; return whether all did so in good order."""
    wait_until(lambda: bool(supervisor.delivered), supervisor, "the producer delivers", _DRAIN_SECONDS)
    supervisor.leave(PRODUCER)
    wait_until(lambda: not supervisor.runs(PRODUCER), supervisor, "the producer has stopped", _DRAIN_SECONDS)
    platform.send_marks(platform.log())
    ends = platform.ends()
    wait_until(lambda: platform.committed() == ends, supervisor, "the consumers have stored all", _DRAIN_SECONDS)
    wait_until(lambda: platform.detected() == ends, supervisor, "the detector has taken all", _DRAIN_SECONDS)
    for name in (*CONSUMERS, DETECTOR):
        supervisor.leave(name)
    wait_until(lambda: platform.loaded() == ends, supervisor, "the loaders have loaded all", _DRAIN_SECONDS)
    supervisor.rest(LOADER)
    idle = (*CONSUMERS, DETECTOR, LOADER)
    wait_until(lambda: not any(map(supervisor.runs, idle)), supervisor, "everything has stopped", _DRAIN_SECONDS)
    database = platform.world.warehouse.database
    wait_until(lambda: not has_session(stack.postgres, database), supervisor, "no loader is left", _DRAIN_SECONDS)
    failed = [name for name in (PRODUCER, *idle) if not supervisor.ended_well(name)]
    return Check("stopped in good order", 1 + len(idle), len(failed), 0, tuple(failed))


def undisturbed(stack: Stack, platform: Platform) -> Outcome:
    """Take the topic through one consumer and one run of the loader; return what comes of it."""
    kept = (
        Part("calm-consumer", ("consumer",), "minio", {"VOLWATCH_CONSUMER_FLUSH_SECONDS": "1"}),
        Part("calm-loader", ("pipeline", "run"), "postgres", _ONE_RUN, pause_seconds=600.0),
    )
    consumer = Supervisor(stack, kept[:1], platform.environment, platform.world.warehouse.database)
    loader = Supervisor(stack, kept[1:], platform.environment, platform.world.warehouse.database)
    ends = platform.ends()
    try:
        wait_until(lambda: platform.committed() == ends, consumer, "the consumer has stored all", _DRAIN_SECONDS)
        wait_until(lambda: platform.loaded() == ends, loader, "the loader has loaded all", _DRAIN_SECONDS)
    finally:
        consumer.stop()
        loader.stop()
    return platform.outcome()
