"""What recurs linearly from row to row: x ← d·x + a, over all series at once, a rank of rows at a time."""

import numpy as np

from volwatch.analytics.groups import Groups
from volwatch.analytics.trades import Float64


def linear(groups: Groups, start: Float64, decay: Float64, added: Float64) -> tuple[Float64, Float64]:
    """Return x after each row, in the packed order of ``groups``, and after each series' last.

    Parameters
    ----------
    start : float64, shape (columns, k)
        x before the first row of each series that occurs.
    decay : float64, shape (n,)
        d of each row, packed.
    added : float64, shape (columns, n)
        a of each row, packed.
    """
    held, values = groups.pack_series(start).copy(), np.empty_like(added)
    for begin, end in groups.ranks():
        now = values[:, begin:end]
        np.multiply(held[:, : end - begin], decay[begin:end], out=now)
        now += added[:, begin:end]
        held[:, : end - begin] = now
    return values, groups.unpack_series(held)
