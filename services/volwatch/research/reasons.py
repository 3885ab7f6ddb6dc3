"""Why values are NULL, as a table and a line on standard error say it."""

import numpy as np
import numpy.typing as npt

from volwatch.analytics.volatility import NULL_REASONS


def told(reason: npt.NDArray[np.int8]) -> str:
    """Return how many values there are and how many are NULL for which reason, given the code of each."""
    counts = np.bincount(reason, minlength=len(NULL_REASONS)).tolist()
    nulls = [f"{count:,} {name}" for name, count in list(zip(NULL_REASONS, counts, strict=True))[1:] if count]
    return f"{counts[0]:,} values, {len(reason) - counts[0]:,} NULL" + (f" ({', '.join(nulls)})" if nulls else "")


def named(reason: npt.NDArray[np.int8]) -> npt.NDArray[np.object_]:
    """Return the names of NULL reasons, None where a value is defined."""
    return np.array([None, *NULL_REASONS[1:]], dtype=object)[reason]
