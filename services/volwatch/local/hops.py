"""The hops of a price on its way, as the demo watches them: how much has passed each, and which one is stuck."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop.

    Attributes
    ----------
    name : str
        What is counted.
    server : str
        Who has to do it: named when it does not happen.
    patience_seconds : float
        How long its count may stand still while trades flow.
    """

    name: str
    server: str
    patience_seconds: float


# A minute-path run is due every minute: the hops behind it may stand still for two, and a start in between.
HOPS = (
    Hop("trades produced", "producer → Kafka", 30.0),
    Hop("trades watched", "detector", 45.0),
    Hop("trades stored raw", "consumer → raw zone (MinIO)", 45.0),
    Hop("trades loaded", "market_pipeline (Airflow) → warehouse (PostgreSQL)", 180.0),
    Hop("bars", "market_pipeline (Airflow) → warehouse (PostgreSQL)", 180.0),
    Hop("volatility rows", "market_pipeline (Airflow) → warehouse (PostgreSQL)", 180.0),
    Hop("quotes published", "quote_fetch (Airflow) → Kafka", 240.0),
)

# The server or service that ended -> what of the way it carries.
CARRIES = {
    "kafka": "Kafka",
    "minio": "raw zone (MinIO)",
    "postgresql": "warehouse (PostgreSQL)",
    "airflow": "market_pipeline (Airflow)",
    "producer": "producer",
    "detector": "detector",
    "notifier": "notifier",
    "consumer": "consumer",
    "dashboard": "dashboard",
    "finnhub": "Finnhub's double",
}


class Watch:
    """Notes when each hop's count last grew.

    Parameters
    ----------
    now : float
        Seconds on a monotonic clock: from here on the hops' patience counts.
    may_rest : bool
        Whether trades may stop for a while, as a real market closes: then no hop is stuck.
    """

    def __init__(self, now: float, *, may_rest: bool = False) -> None:
        self._may_rest = may_rest
        self.counts: dict[str, int] = {hop.name: 0 for hop in HOPS}
        self._grown_at = {hop.name: now for hop in HOPS}

    def note(self, counts: Mapping[str, int], now: float) -> None:
        """Take note of the counts of now; a hop that could not be asked is left out."""
        for name, count in counts.items():
            if count > self.counts[name]:
                self._grown_at[name] = now
                self.counts[name] = count

    def stuck(self, now: float) -> Hop | None:
        """Return the first hop on the way whose count has stood still for longer than it may."""
        if self._may_rest:
            return None
        return next((hop for hop in HOPS if self.idle_seconds(hop, now) > hop.patience_seconds), None)

    def idle_seconds(self, hop: Hop, now: float) -> float:
        """Return for how long a hop's count has stood still."""
        return now - self._grown_at[hop.name]

    def empty(self) -> Hop | None:
        """Return the first hop on the way that nothing has passed yet."""
        return next((hop for hop in HOPS if not self.counts[hop.name]), None)
