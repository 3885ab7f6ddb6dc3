"""What a rebuild did, added up."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from volwatch.warehouse.rebuild_alerts import Changes as AlertChanges
from volwatch.warehouse.rebuild_rows import Changes as RowChanges


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of what a rebuild read, and of the rows that are not as they were.

    ``lifted`` are trades in quarantine that are taken after all; ``states_replaced`` partitions whose running state of
    the engine was another one.
    """

    hours: int = 0
    rows_read: int = 0
    objects_mended: int = 0
    bars_added: int = 0
    bars_revised: int = 0
    bars_withdrawn: int = 0
    volatility: int = 0
    signals: int = 0
    quarantined: int = 0
    lifted: int = 0
    alerts_opened: int = 0
    alerts_corrected: int = 0
    alerts_retracted: int = 0
    market_alerts: int = 0
    states_replaced: int = 0

    def plus(self, other: "Report") -> "Report":
        """Return both added up."""
        return Report(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})

    @property
    def changes(self) -> dict[str, int]:
        """Return what is not as it was: nothing, where all was right."""
        return {name: count for name, count in asdict(self).items() if count and name not in ("hours", "rows_read")}

    @property
    def bars_changed(self) -> bool:
        """Whether a bar is not as it was."""
        return bool(self.bars_added or self.bars_revised or self.bars_withdrawn)


def of_rows(rows: int, changes: RowChanges, mended: int, set_aside: tuple[int, int]) -> Report:
    """Return the report of an hour."""
    return Report(
        rows_read=rows,
        objects_mended=mended,
        bars_added=changes.bars_added,
        bars_revised=changes.bars_revised,
        bars_withdrawn=changes.bars_withdrawn,
        volatility=changes.volatility,
        signals=changes.signals,
        quarantined=set_aside[0],
        lifted=set_aside[1],
    )


def of_alerts(changes: AlertChanges) -> Report:
    """Return the report of a partition's alerts."""
    return Report(alerts_opened=changes.opened, alerts_corrected=changes.corrected, alerts_retracted=changes.retracted)


def from_counts(counts: Mapping[str, int]) -> Report:
    """Return the report whose counts these are: what a task has told to the next."""
    return Report(**counts)
