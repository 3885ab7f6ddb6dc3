from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.errors import BadObject
from volwatch.rawzone.keys import ObjectKey, hour_of, hour_prefix
from volwatch.trade import MAX_TIME_MS

HOUR = datetime(2026, 1, 5, 15, tzinfo=UTC)
NAME = "trades/date=2026-01-05/hour=15/00003-00000000000000000120-00000000000000000179.csv.gz"

hours = st.integers(0, MAX_TIME_MS).map(hour_of)
offsets = st.integers(0, 2**63 - 1)
keys = st.builds(
    lambda hour, partition, ends: ObjectKey(hour, partition, min(ends), max(ends)),
    hours,
    st.integers(0, 99_999),
    st.tuples(offsets, offsets),
)


def test_a_key_spells_hour_partition_and_offsets() -> None:
    key = ObjectKey(HOUR, 3, 120, 179)
    assert str(key) == NAME
    assert str(key).startswith(hour_prefix(HOUR))


@given(keys)
def test_a_key_reads_back_from_its_name(key: ObjectKey) -> None:
    assert ObjectKey.parse(str(key)) == key


@given(st.lists(keys, max_size=6))
def test_keys_sort_as_their_names_do(some: list[ObjectKey]) -> None:
    assert [str(key) for key in sorted(some)] == sorted(str(key) for key in some)


@pytest.mark.parametrize(
    "name",
    [
        "",
        NAME + "\n",
        NAME.replace("trades/", ""),
        NAME.replace("00003", "3"),
        NAME.replace("01-05", "02-30"),
        NAME.replace("hour=15", "hour=24"),
        NAME.replace("0120", "0180"),
        NAME.replace("00000000000000000179", "99999999999999999999"),
        NAME.replace("2026", "٢٠٢٦"),
    ],
)
def test_a_name_of_another_layout_is_no_key(name: str) -> None:
    with pytest.raises(BadObject) as caught:
        ObjectKey.parse(name)
    assert caught.value.reason == "BAD_KEY"


@pytest.mark.parametrize(
    "hour",
    [HOUR.replace(tzinfo=None), HOUR + timedelta(minutes=1), HOUR.astimezone(timezone(timedelta(hours=1)))],
)
def test_only_a_full_hour_of_utc_is_an_hour(hour: datetime) -> None:
    with pytest.raises(ValueError, match="full hour of UTC"):
        ObjectKey(hour, 0, 0, 0)


@pytest.mark.parametrize(
    ("timestamp_ms", "hour"),
    [
        (1_767_625_200_000, HOUR),
        (1_767_628_799_999, HOUR),
        (-1, datetime(1970, 1, 1, tzinfo=UTC)),
        (2**62, datetime(9999, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_any_timestamp_has_an_hour(timestamp_ms: int, hour: datetime) -> None:
    assert hour_of(timestamp_ms) == hour
