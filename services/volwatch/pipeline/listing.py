"""Which objects a run has to load: those behind the positions, found without listing what was loaded long ago."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from volwatch.rawzone.keys import ObjectKey, last_key_before
from volwatch.rawzone.store import Rawzone
from volwatch.warehouse.writer import Position

RECENT = timedelta(hours=6)
"""How far behind the newest position every run looks; a silent partition must not make it list its whole silence."""
LOOK_BACK = timedelta(hours=48)
"""How far a run looks that found nothing, or the first object of an hour: then there is time for it."""
OVERLAP = timedelta(hours=1)
"""How much earlier than the last loaded object one may begin that goes beyond it: a consumer that takes over from a
dead one begins where that one last committed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Objects to load, each partition's in order of offsets, and the offsets that no object has."""

    objects: dict[int, list[ObjectKey]] = field(default_factory=dict)
    gaps: dict[int, int] = field(default_factory=dict)


def unloaded(rawzone: Rawzone, positions: Mapping[int, Position]) -> Plan:
    """Return what is not loaded yet, after one listing of a few hours, or a second one that goes further back.

    What is missing may have been stored while the first listing was under way, behind its back, or under an earlier
    hour: a consumer that was stuck stores under the hours of then. Objects of a partition are stored in order, so what
    the second listing does not show is not there.
    """
    start = list_start(positions)
    plan = make_plan(_keys(rawzone, start), positions)
    if plan.gaps or _begins_late(plan, positions):
        return make_plan(_keys(rawzone, furthest_start(plan, positions)), positions)
    further = list_start(positions, LOOK_BACK)
    if further != start and not _is_within_hour(plan, positions):
        return make_plan(_keys(rawzone, further), positions)
    return plan


def list_start(positions: Mapping[int, Position], back: timedelta = RECENT) -> ObjectKey | None:
    """Return the key behind which listing starts: a little before the partition that is furthest behind, and no further
    back than so much."""
    if not positions:
        return None
    hours = [position.hour for position in positions.values()]
    return last_key_before(max(min(hours), max(hours) - back) - OVERLAP)


def furthest_start(plan: Plan, positions: Mapping[int, Position]) -> ObjectKey | None:
    """Return the key behind which nothing can be missing that a plan lacks: a consumer that was stuck for days stores
    under the hours of then. A partition that is new may have been stuck as long as any other."""
    if not positions:
        return None
    newest = max(position.hour for position in positions.values())
    lacking = plan.gaps if plan.gaps.keys() <= positions.keys() and not _begins_late(plan, positions) else positions
    hours = [positions[partition].hour for partition in lacking]
    return last_key_before(min(*hours, newest - LOOK_BACK) - OVERLAP)


def _begins_late(plan: Plan, positions: Mapping[int, Position]) -> bool:
    """Return whether a partition that was never loaded has offsets before its first object."""
    return any(objects[0].first_offset > 0 for partition, objects in plan.objects.items() if partition not in positions)


def _is_within_hour(plan: Plan, positions: Mapping[int, Position]) -> bool:
    """Return whether a plan has objects, and none of an hour that no position has reached."""
    newest = max(position.hour for position in positions.values())
    found = [key.hour for objects in plan.objects.values() for key in objects]
    return bool(found) and max(found) <= newest


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


def missing_offsets(objects: Sequence[ObjectKey], start: int) -> int:
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


def share(objects: Mapping[int, list[ObjectKey]], rows: int) -> dict[int, list[ObjectKey]]:
    """Return the first objects of each partition, all of them together of about as many rows.

    Each has the same share; what a partition does not need is for the others.
    """
    shared: dict[int, list[ObjectKey]] = {}
    for partition in sorted(objects, key=lambda partition: _rows(objects[partition])):
        shared[partition] = take(objects[partition], max(0, rows) // (len(objects) - len(shared)))
        rows -= _rows(shared[partition])
    return dict(sorted(shared.items()))


def _rows(objects: Iterable[ObjectKey]) -> int:
    return sum(key.last_offset - key.first_offset + 1 for key in objects)


def _keys(rawzone: Rawzone, start: ObjectKey | None) -> Iterator[ObjectKey]:
    return (info.key for info in rawzone.list_all(start))
