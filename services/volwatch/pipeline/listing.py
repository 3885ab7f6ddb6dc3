"""Which objects a run has to load: those behind the positions, found without listing what was loaded long ago."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import Rawzone
from volwatch.warehouse.writer import Position

LOOK_BACK = timedelta(hours=48)
"""How far behind the newest position every run looks; a silent partition must not make it list its whole silence."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Objects to load, each partition's in order of offsets, and the offsets that no object has."""

    objects: dict[int, list[ObjectKey]] = field(default_factory=dict)
    gaps: dict[int, int] = field(default_factory=dict)


def unloaded(rawzone: Rawzone, positions: Mapping[int, Position]) -> Plan:
    """Return what is not loaded yet.

    A gap, or a partition that was never loaded, calls for a second listing, which goes further back. What is missing
    may have been stored while the first listing was under way, behind its back, or under an earlier hour: a consumer
    that restarts goes on where it last committed. Objects of a partition are stored in order, so what the second
    listing does not show is not there.
    """
    plan = make_plan(_keys(rawzone, list_start(positions)), positions)
    if plan.gaps or plan.objects.keys() - positions.keys():
        return make_plan(_keys(rawzone, furthest_start(positions)), positions)
    return plan


def list_start(positions: Mapping[int, Position]) -> ObjectKey | None:
    """Return the key behind which listing starts: the hour of the partition that is furthest behind."""
    if not positions:
        return None
    hours = [position.hour for position in positions.values()]
    return last_key_before(max(min(hours), max(hours) - LOOK_BACK).astimezone(UTC))


def furthest_start(positions: Mapping[int, Position]) -> ObjectKey | None:
    """Return the key behind which no object of these partitions can be missing: a consumer that was stuck for days
    stores under the hours of then."""
    if not positions:
        return None
    hours = [position.hour for position in positions.values()]
    return last_key_before(min(*hours, max(hours) - LOOK_BACK).astimezone(UTC))


def last_key_before(hour: datetime) -> ObjectKey:
    """Return a key that sorts behind every object before an hour."""
    return ObjectKey(hour - timedelta(hours=1), 99_999, 2**63 - 1, 2**63 - 1)


def make_plan(keys: Iterable[ObjectKey], positions: Mapping[int, Position]) -> Plan:
    """Return the objects that hold offsets at or behind the positions, and the gaps between them."""
    plan = Plan()
    for key in keys:
        position = positions.get(key.partition)
        if position is None or key.last_offset >= position.next_offset:
            plan.objects.setdefault(key.partition, []).append(key)
    for partition, objects in plan.objects.items():
        objects.sort(key=lambda key: (key.first_offset, key.last_offset))
        missing = _missing(objects, positions.get(partition))
        if missing:
            plan.gaps[partition] = missing
    return plan


def _missing(objects: list[ObjectKey], position: Position | None) -> int:
    """Return how many offsets behind the position, and before the last object, no object has."""
    return missing_offsets(objects, position.next_offset if position is not None else objects[0].first_offset)


def missing_offsets(objects: list[ObjectKey], start: int) -> int:
    """Return how many offsets from ``start`` to the end of the last object are in none of them."""
    missing, reached = 0, start
    for key in objects:
        missing += max(0, key.first_offset - reached)
        reached = max(reached, key.last_offset + 1)
    return missing


def take(objects: list[ObjectKey], rows: int) -> list[ObjectKey]:
    """Return the first objects that hold together about as many rows, at least one object."""
    taken: list[ObjectKey] = []
    held = 0
    for key in objects:
        if taken and held + key.last_offset - key.first_offset + 1 > rows:
            break
        taken.append(key)
        held += key.last_offset - key.first_offset + 1
    return taken


def _keys(rawzone: Rawzone, start: ObjectKey | None) -> Iterator[ObjectKey]:
    return (info.key for info in rawzone.list_all(start))
