"""What a fault run found at one hop: how much was counted there, lost and doubled."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_MOST_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Check:
    """The figures of one hop, or of one table.

    Attributes
    ----------
    counted : int
        How much there was to compare; a check of nothing is not good.
    lost, doubled : int
        What is missing, and what is there and should not be.
    examples : tuple of str
        Some of both, for people.
    """

    name: str
    counted: int
    lost: int
    doubled: int
    examples: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether there was something to compare, and no difference."""
        return self.counted > 0 and not self.lost and not self.doubled


def compare(name: str, expected: Sequence[str], found: Sequence[str]) -> Check:
    """Return how the rows that were found differ from those that must be there; their order is no matter."""
    lost, doubled = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    examples = [f"lost: {row}" for row in sorted(lost)[:_MOST_EXAMPLES]]
    examples += [f"doubled: {row}" for row in sorted(doubled)[:_MOST_EXAMPLES]]
    return Check(name, len(expected), lost.total(), doubled.total(), tuple(examples))
