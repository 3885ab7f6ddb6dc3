"""What a fault run is told, and what follows from it: the market and the schedule."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults import schedule
from tests.faults.parts import parts
from tests.faults.schedule import Fault
from tests.faults.source import Market


@dataclass(frozen=True, slots=True)
class Options:
    """What a fault run is told.

    Attributes
    ----------
    rate : float
        Trades per second.
    seconds : float
        How long the faults go on.
    away_seconds : float
        For how long each server is away once.
    history_minutes : int
        Market before the live one: without it no detector would be warm.
    """

    seed: int
    kills: int
    rate: float
    seconds: float
    away_seconds: float
    history_minutes: int
    history_rate: float = 8.0

    @property
    def market(self) -> Market:
        """What the producer simulates."""
        return Market(self.seed, self.rate, self.history_minutes, self.history_rate)

    def schedule(self, servers: Sequence[str]) -> list[Fault]:
        """Return what happens when."""
        kept = parts(self.market)
        return schedule.plan(
            self.seed,
            killed={part.name: part.writes_to for part in kept},
            leaving=[part.name for part in kept if part.leaves],
            servers=servers,
            kills=self.kills,
            seconds=self.seconds,
            away_seconds=self.away_seconds,
        )
