"""Rows on their way into a table: turned into what PostgreSQL copies, without its help; then copied, and merged with
those that are there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from psycopg2 import sql
from psycopg2.errors import UniqueViolation
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case
from pyarrow import csv

PRICES, VOLATILITY, SIGNALS = "stock_prices", "stock_volatility", "stock_signals"
KEYS = {
    PRICES: ("source", "symbol", "bar_seconds", "bar_start"),
    VOLATILITY: ("source", "symbol", "bar_seconds", "bar_start", "estimator", "window_bars", "model_version"),
    SIGNALS: ("source", "symbol", "bar_start", "detector", "detector_version"),
}
"""The natural key of each table of bars."""

_ENSURE = "SELECT ensure_partitions(month, month) FROM unnest(%(months)s::timestamptz[]) AS month; SAVEPOINT copy"
_INSERT = "COPY {target} ({columns}) FROM STDIN (FORMAT csv)"
# One table a session and target: it is made once in a transaction, and empty again before each use.
_STAGE = """
SELECT ensure_partitions(month, month) FROM unnest(%(months)s::timestamptz[]) AS month;
CREATE TEMPORARY TABLE IF NOT EXISTS {staging} ON COMMIT DROP AS SELECT {columns} FROM {target} WITH NO DATA;
TRUNCATE {staging}
"""
_COPY = "COPY {staging} ({columns}) FROM STDIN (FORMAT csv)"
_MERGE = """
INSERT INTO {target} ({columns}) SELECT {columns} FROM {staging}
ON CONFLICT ({keys}) DO UPDATE SET ({updates}) = ROW ({new}), updated_at = now()
WHERE NOT {target}.final AND ({old}) IS DISTINCT FROM ({new})
"""

_NO_HEADER = csv.WriteOptions(include_header=False)

Columns = Mapping[str, Any]
"""Columns of a table by name: arrays of one length, or scalars. Times are of numpy's type, UTC; NaN and None are
NULL."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Rows of a table as CSV.

    Attributes
    ----------
    table : str
        Where they go.
    columns : tuple of str
        What the fields are.
    months : tuple of str
        First moments of the months that the rows are of.
    rows : int
        How many they are.
    is_new : bool
        None of them is in the table, as far as the caller knows.
    text : buffer
        The rows.
    """

    table: str
    columns: tuple[str, ...]
    months: tuple[str, ...]
    rows: int
    is_new: bool
    text: pa.Buffer


def copy_of(table: str, parts: Sequence[Columns], *, is_new: bool) -> Copy:
    """Return rows, part by part, as they are copied; every part has the same columns."""
    text = pa.BufferOutputStream()
    held = [part for part in parts if len(part["bar_start"])]
    for part in held:
        csv.write_csv(_arrow(part), text, _NO_HEADER)
    months = sorted({month for part in held for month in _months(part["bar_start"])})
    rows = sum(len(part["bar_start"]) for part in held)
    return Copy(table, tuple(parts[0]), tuple(months), rows, is_new, text.getvalue())


def columns_of(frame: pd.DataFrame) -> Columns:
    """Return the columns of a frame."""
    return {
        str(name): column.dt.tz_convert(None).to_numpy() if isinstance(column.dtype, pd.DatetimeTZDtype) else column
        for name, column in frame.items()
    }


def _arrow(part: Columns) -> pa.Table:
    return pa.table({name: _column(values, len(part["bar_start"])) for name, values in part.items()})


def _column(values: Any, rows: int) -> pa.Array:
    if np.ndim(values) == 0:
        return pa.repeat(values, rows)
    if getattr(values, "dtype", np.dtype(np.object_)).kind == "M":
        # Arrow takes as long for a time as for ten numbers, and most times occur in many rows.
        moments, place = np.unique(values, return_inverse=True)
        return pa.array(np.datetime_as_string(moments, timezone="UTC").tolist()).take(pa.array(place))
    array = pa.array(values, from_pandas=True)
    # Of texts that were joined pandas gives several pieces, and the writer makes NUL bytes of these.
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _months(times: npt.NDArray[np.datetime64]) -> list[str]:
    months = np.unique(times.astype("datetime64[M]")).astype("datetime64[s]")
    return np.datetime_as_string(months, timezone="UTC").tolist()  # type: ignore[no-any-return]  # of texts


def write(cursor: Cursor, copy: Copy) -> int:
    """Insert rows, or replace provisional ones; return how many rows that changed."""
    if not copy.rows:
        return 0
    return _insert(cursor, copy) if copy.is_new else _merge(cursor, copy)


def _insert(cursor: Cursor, copy: Copy) -> int:
    """Copy rows straight into their table: half the work for the server."""
    statement = sql.SQL(_INSERT).format(target=sql.Identifier(copy.table), columns=_listed(copy.columns))
    cursor.execute(_ENSURE, {"months": list(copy.months)})
    try:
        cursor.copy_expert(statement, pa.BufferReader(copy.text))
    except UniqueViolation:
        # Another partition had the series before: so it is where a topic was given more of them.
        cursor.execute("ROLLBACK TO SAVEPOINT copy")
        return _merge(cursor, copy)
    cursor.execute("RELEASE SAVEPOINT copy")
    return copy.rows


def _merge(cursor: Cursor, copy: Copy) -> int:
    """Copy rows beside their table, insert those that are new and let the others replace provisional ones."""
    keys = KEYS[copy.table]
    updates = [name for name in copy.columns if name not in keys]
    parts = {
        "target": sql.Identifier(copy.table),
        "staging": sql.Identifier(f"staging_{copy.table}"),
        "columns": _listed(copy.columns),
        "keys": _listed(keys),
        "updates": _listed(updates),
        "old": _listed(updates, copy.table),
        "new": _listed(updates, "excluded"),
    }
    cursor.execute(sql.SQL(_STAGE).format(**parts), {"months": list(copy.months)})
    cursor.copy_expert(sql.SQL(_COPY).format(**parts), pa.BufferReader(copy.text))
    cursor.execute(sql.SQL(_MERGE).format(**parts))
    changed: int = cursor.rowcount
    return changed


def _listed(names: Sequence[str], qualifier: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(*([qualifier] if qualifier else []), name) for name in names)
