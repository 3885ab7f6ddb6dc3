"""The processes of the platform under test. A further stage is one more line of ``parts``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults.source import Market


@dataclass(frozen=True, slots=True)
class Part:
    """A process of ours: ``volwatch`` and some words.

    Attributes
    ----------
    writes_to : str
        The server that has what it did.
    pause_seconds : float or None
        A task is run again so long after its end; None for a service, which never ends by itself.
    leaves : bool
        Whether it leaves and comes back, as when the number of replicas changes.
    role : str
        Under which it works in the warehouse.
    """

    name: str
    words: tuple[str, ...]
    writes_to: str
    environment: Mapping[str, str] = field(default_factory=dict)
    pause_seconds: float | None = None
    leaves: bool = False
    role: str = "pipeline"


PRODUCER, CONSUMERS, LOADER, DETECTOR = "producer", ("consumer-1", "consumer-2"), "loader", "detector"

# Small objects, soon: a kill is to find some stored, some on their way and some not yet made.
_CONSUMER = {"VOLWATCH_CONSUMER_FLUSH_SECONDS": "2", "VOLWATCH_CONSUMER_FLUSH_ROWS": "2000"}
_DETECTOR = {"VOLWATCH_DETECTOR_SNAPSHOT_SECONDS": "2"}
_LOADER = {"VOLWATCH_PIPELINE_ROWS_PER_TRANSACTION": "20000"}


def parts(market: Market) -> Sequence[Part]:
    """Return what runs, in the order in which it is started."""
    return (
        Part(CONSUMERS[0], ("consumer",), "minio", _CONSUMER),
        Part(CONSUMERS[1], ("consumer",), "minio", _CONSUMER, leaves=True),
        Part(LOADER, ("pipeline", "run"), "postgres", _LOADER, pause_seconds=2.0),
        Part(DETECTOR, ("detector",), "postgres", _DETECTOR, role="detector"),
        Part(PRODUCER, ("producer", *market.words), "kafka"),
    )
