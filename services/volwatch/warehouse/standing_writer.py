"""Writes how each series stands, a row each."""

from datetime import UTC, datetime

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case
from psycopg2.extras import execute_values

from volwatch.analytics.standing import STANDINGS, Standings
from volwatch.analytics.trades import Series

_UPSERT = """
INSERT INTO series_standing (source, symbol, standing, since, watermark) VALUES %s
ON CONFLICT (source, symbol) DO UPDATE SET standing = excluded.standing, since = excluded.since,
    watermark = excluded.watermark, updated_at = now()
"""


def write_standings(cursor: Cursor, series: list[Series], standings: Standings) -> None:
    """Set how some series stand; ``series`` names what the rows index."""
    columns = (standings.series, standings.standing, standings.since, standings.watermark)
    rows = [
        (*series[index], STANDINGS[standing], _time(since), _time(watermark))
        for index, standing, since, watermark in zip(*(column.tolist() for column in columns), strict=True)
    ]
    execute_values(cursor, _UPSERT, rows)


def _time(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)
