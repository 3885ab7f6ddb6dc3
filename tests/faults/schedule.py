"""What happens when in a fault run: kills, servers away, a consumer that leaves. Pure: one seed, one schedule."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

KILL = "kill"
"""SIGKILL to a process, which is started again at once."""
RESTART = "restart"
"""SIGKILL to a server, which is started again at once."""
AWAY = "away"
"""A server is stopped in good order and comes back after a while."""
LEAVE = "leave"
"""SIGTERM to a process, which comes back after a while."""

_OUTAGES_A_SERVER = 2
_RECOVERY_SECONDS = 8.0
_LEAST_LEAVE_SECONDS, _MOST_LEAVE_SECONDS = 2.0, 12.0
_KILLS_PER_LEAVE = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes
    ----------
    at_seconds : float
        When, since the platform ran.
    act : str
        ``KILL``, ``RESTART``, ``AWAY`` or ``LEAVE``.
    target : str
        The name of a part or of a server.
    for_seconds : float
        How long it stays away; of a kill, how long the target may work before it is killed.
    """

    at_seconds: float
    act: str
    target: str
    for_seconds: float = 0.0


def seconds_of(servers: int, kills: int, away_seconds: float) -> float:
    """Return how long a run takes in which so much happens without hurry."""
    return servers * (away_seconds + _OUTAGES_A_SERVER * _RECOVERY_SECONDS) + 4.0 * kills


def plan(
    seed: int,
    *,
    killed: Mapping[str, str],
    leaving: Sequence[str],
    servers: Sequence[str],
    kills: int,
    seconds: float,
    away_seconds: float,
    most_work_seconds: float = 0.6,
) -> list[Fault]:
    """Return the faults in order of time.

    Parameters
    ----------
    killed : mapping of str to str
        The processes over which the kills are spread evenly, and the server into which each writes. Once while that
        server is away one of them is killed: then it holds most of what it must not lose.
    leaving : sequence of str
        Those that leave and come back, each once for every five kills.
    servers : sequence of str
        Those that are each restarted once, and away once for ``away_seconds``.
    seconds : float
        Length of the run.
    most_work_seconds : float
        How long a process may work at most before its kill takes place.
    """
    choice = random.Random(seed)
    outages = _outages(choice, servers, seconds, away_seconds)
    targets = list(islice(cycle(choice.sample(list(killed), len(killed))), kills))
    kill_faults = [
        Fault(at, KILL, target, choice.uniform(0, most_work_seconds))
        for target, at in _moments(choice, targets, killed, outages, seconds)
    ]
    leaves = [
        Fault(choice.uniform(0, seconds), LEAVE, target, choice.uniform(_LEAST_LEAVE_SECONDS, _MOST_LEAVE_SECONDS))
        for target in leaving
        for _ in range(max(1, kills // _KILLS_PER_LEAVE))
    ]
    return sorted([*kill_faults, *leaves, *outages], key=lambda fault: fault.at_seconds)


def _moments(
    choice: random.Random, targets: list[str], killed: Mapping[str, str], outages: list[Fault], seconds: float
) -> Iterator[tuple[str, float]]:
    """Yield each target with its moment: one late in each outage of its server, the others at any time."""
    left = list(targets)
    for outage in outages:
        held = [target for target in left if killed[target] == outage.target]
        if outage.act == AWAY and held:
            left.remove(held[0])
            yield held[0], outage.at_seconds + choice.uniform(0.7, 1.0) * outage.for_seconds
    for target in left:
        yield target, choice.uniform(0, seconds)


def _outages(choice: random.Random, servers: Sequence[str], seconds: float, away_seconds: float) -> list[Fault]:
    """Return the servers' faults, spread at random, each when the one before it should be over."""
    faults = [(RESTART, name, 0.0) for name in servers] + [(AWAY, name, away_seconds) for name in servers]
    choice.shuffle(faults)
    left = seconds - len(servers) * away_seconds
    recovery = min(_RECOVERY_SECONDS, 0.75 * left / max(1, len(faults)))
    slack = left - len(faults) * recovery
    pauses = sorted(choice.uniform(0, slack) for _ in faults)
    placed, busy = [], 0.0
    for pause, (act, name, away) in zip(pauses, faults, strict=True):
        placed.append(Fault(pause + busy, act, name, away))
        busy += away + recovery
    return placed
