"""Writes the steps in the lives of alerts: one row per alert, one audit row per step; then those of whole markets.

The minute path is the record, the detector the fast path; both find the same alerts, the one later and for good, the
other at once. Which of them says how a row stands: ``transition_statements``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case
from psycopg2.extras import Json

from volwatch.alerts import explain, id_of
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.market_wide import MEMBER_KINDS
from volwatch.analytics.results import Facts, Transition
from volwatch.analytics.rules.rule import KIND as RULE
from volwatch.warehouse import transition_statements as statements
from volwatch.warehouse.market_reader import Since, utc
from volwatch.warehouse.market_statements import EVENT
from volwatch.warehouse.market_writer import write_market_alerts
from volwatch.warehouse.writer import objects_with

UNSETTLED = timedelta(minutes=10)
"""How far before a watermark bars may still change: beyond any lateness."""

Path = Literal["pipeline", "detector"]

_Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Told:
    """What an engine told of alerts when it took some records of a partition.

    Attributes
    ----------
    first_offset, reached : of the first record taken, and one more than that of the last.
    steps : in their order.
    final_before : by source, epoch ms: bars that start before are final. What the fast path opened on such a bar and
        no step confirmed is taken back; only the record says so.
    """

    partition: int
    first_offset: int
    reached: int
    steps: Sequence[Transition]
    final_before: Mapping[str, int] = field(default_factory=dict)


def lock(cursor: Cursor) -> None:
    """Wait until nobody else writes alerts, and let nobody until the transaction ends: a long one does this last."""
    cursor.execute(statements.LOCK, (statements.LOCK_KEY,))


def changed_since(cursor: Cursor, partitions: Sequence[int]) -> datetime:
    """Return since when bars may have changed, once some partitions are loaded; to be asked before they are."""
    cursor.execute(
        """SELECT min(coalesce(watermark, 'epoch')) FROM unnest(%s::integer[]) AS asked (kafka_partition)
           LEFT JOIN engine_state USING (kafka_partition)""",
        (list(partitions),),
    )
    row = cursor.fetchone()
    first_day = datetime(1970, 1, 2, tzinfo=UTC)
    return first_day if row is None or row[0] is None else max(row[0] - UNSETTLED, first_day)


def write_transitions(
    cursor: Cursor, told: Sequence[Told], path: Path, *, bars_since: datetime, threshold: float, config_hash: str
) -> int:
    """Apply steps in their order, then what follows for markets; return how many alerts were opened for the first time.

    Parameters
    ----------
    bars_since : datetime
        Since when bars have changed (``changed_since``); what changed no bars says now.
    """
    lock(cursor)
    opened = 0
    onsets: dict[str, datetime] = {}
    for each in told:
        writer = _Writer(cursor, each, path, threshold, config_hash)
        opened += writer.write()
        for source, onset in writer.onsets.items():
            onsets[source] = min(onset, onsets.get(source, onset))
    return opened + write_market_alerts(cursor, Since(bars_since, onsets), config_hash, path)


class _Writer:
    """Writes what one engine told; ``onsets`` has the first onset of the alerts that stand or fall by it, by source."""

    def __init__(self, cursor: Cursor, told: Told, path: Path, threshold: float, config_hash: str) -> None:
        self._cursor, self._told, self._path = cursor, told, path
        self._threshold, self._config_hash = threshold, config_hash
        self.onsets: dict[str, datetime] = {}

    def write(self) -> int:
        """Write all; return how many alerts are new."""
        opened = sum([self._step(step) for step in self._told.steps])
        for source, final_before in self._told.final_before.items():
            self._retract_unborne(source, final_before)
        return opened

    def _step(self, step: Transition) -> int:
        row = self._row(step)
        if step.final and step.state != "RETRACTED":
            self._cursor.execute(statements.STEP, row)
        if step.state == "OPEN" and step.facts is not None:
            return self._open(step, step.facts, row)
        statement = {"ESCALATED": statements.ESCALATE, "CLOSED": statements.CLOSE}.get(step.state, statements.RETRACT)
        self._cursor.execute(statement, row)
        if self._cursor.rowcount:
            self._audit(row, step.state)
            if step.state == "RETRACTED":
                self._note_onset(step.source, utc(step.onset))
        return 0

    def _row(self, step: Transition) -> dict[str, object]:
        closes = step.bar + MINUTE_MS if step.state == "CLOSED" else step.watermark
        return {
            "alert_id": str(id_of(step)),
            "event": step.state,
            "severity": step.severity,
            "statistic": step.peak,
            "bar_start": utc(step.bar),
            "closed_at": utc(closes),
            "final": step.final,
            **self._place(),
        }

    def _place(self) -> dict[str, object]:
        return {
            "path": self._path,
            "actor": self._path,
            "is_record": self._path == "pipeline",
            "partition": self._told.partition,
            "first_offset": self._told.first_offset,
            "reached": self._told.reached,
        }

    def _open(self, step: Transition, facts: Facts, row: dict[str, object]) -> int:
        objects = objects_with(self._cursor, self._told.partition, facts.first_offset, facts.last_offset)
        row |= _opening(step, facts, self._threshold, self._config_hash)
        row["confirmed"] = step.final and row["is_record"]
        row["why"] = Json({**_dict(row["why"]), "partition": self._told.partition, "raw_objects": objects})
        self._give_way(row)
        self._cursor.execute(statements.OPEN, row)
        applied = self._cursor.fetchone()
        fresh = applied == (True,)
        if fresh:
            self._audit(row, "OPEN")
        if step.final and row["is_record"]:
            self._cursor.execute(statements.CONFIRM, row)
            self._audit(row, "CONFIRMED")
        if objects and row["is_record"]:
            self._cursor.execute(statements.OBJECTS, row | {"raw_objects": Json(objects)})
        if applied is not None:
            self._note_onset(step.source, utc(step.onset))
        return int(fresh)

    def _give_way(self, row: _Row) -> None:
        self._cursor.execute(statements.GIVE_WAY, row)
        for other, state, severity in self._cursor.fetchall():
            self._audit({**row, "alert_id": other, "severity": severity}, state)

    def _retract_unborne(self, source: str, final_before: int) -> None:
        asked = {"source": source, "final_before": utc(final_before), "kinds": [*MEMBER_KINDS, RULE], **self._place()}
        self._cursor.execute(statements.UNBORNE, asked)
        for name, severity, onset in self._cursor.fetchall():
            self._audit({**asked, "alert_id": name, "severity": severity, "bar_start": onset}, "RETRACTED")
            self._note_onset(source, onset)

    def _audit(self, row: _Row, event: str) -> None:
        self._cursor.execute(EVENT, {**row, "event": event})

    def _note_onset(self, source: str, onset: datetime) -> None:
        self.onsets[source] = min(onset, self.onsets.get(source, onset))


def _opening(step: Transition, facts: Facts, threshold: float, config_hash: str) -> dict[str, object]:
    """Return the columns that only an opening sets."""
    told = explain(step, facts, threshold, config_hash)
    return {
        "source": step.source,
        "symbol": step.symbol,
        "kind": step.kind,
        "detector": step.detector,
        "detector_version": step.detector_version,
        "onset_bar": utc(step.onset),
        "state": step.state,
        "threshold": threshold if step.threshold is None else step.threshold,
        "volatility": told.volatility,
        "expected_volatility": told.expected_volatility,
        "ratio": told.ratio,
        "sentence": told.sentence,
        "why": told.why,
        "config_hash": config_hash,
        "detected_at": utc(step.watermark),
    }


def _dict(value: object) -> dict[str, object]:
    assert isinstance(value, dict)  # noqa: S101 - narrows the type: it is the why of an opening
    return value
