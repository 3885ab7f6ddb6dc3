"""Rows as PostgreSQL copies them; that it takes them so is tested on a real server."""

from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2.errors import UniqueViolation
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.warehouse import staging
from volwatch.warehouse.staging import Columns, Copy, columns_of, copy_of

TIMES = np.array(["2026-01-31T23:59:00.000", "2026-02-01T00:00:00.250"], "datetime64[ms]")


def text_of(*parts: Columns) -> str:
    return bytes(copy_of("stock_signals", parts, is_new=True).text).decode()


def test_rows_are_csv_with_scalars_in_every_row_and_nothing_for_null() -> None:
    part = {
        "symbol": np.array(["A", 'q"t,'], np.object_),
        "bar_start": TIMES,
        "detector": "lre",
        "threshold": 3.8,
        "null_reason": np.array([None, "STALE"], np.object_),
        "statistic": np.array([0.1 + 0.2, np.nan]),
        "final": np.array([True, False]),
        "input_revision": np.array([0, 7]),
        "flags": ["{}", "{ohlc,reopen}"],
    }
    assert text_of(part).splitlines() == [
        '"A","2026-01-31T23:59:00.000Z","lre",3.8,,0.30000000000000004,true,0,"{}"',
        '"q""t,","2026-02-01T00:00:00.250Z","lre",3.8,"STALE",,false,7,"{ohlc,reopen}"',
    ]


def test_parts_follow_each_other_and_tell_of_their_months() -> None:
    parts = [{"bar_start": TIMES[:0]}, {"bar_start": TIMES[1:]}, {"bar_start": TIMES}]
    copy = copy_of("stock_prices", parts, is_new=False)
    assert (copy.table, copy.columns, copy.rows, copy.is_new) == ("stock_prices", ("bar_start",), 3, False)
    assert copy.months == ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
    assert bytes(copy.text).decode().split() == [
        '"2026-02-01T00:00:00.250Z"',
        '"2026-01-31T23:59:00.000Z"',
        '"2026-02-01T00:00:00.250Z"',
    ]


def test_a_frame_has_the_same_columns() -> None:
    frame = pd.DataFrame({"bar_start": pd.to_datetime(TIMES, utc=True), "value": [1.5, None]})
    assert text_of(columns_of(frame)) == text_of({"bar_start": TIMES, "value": np.array([1.5, np.nan])})


def test_texts_of_joined_frames_are_whole() -> None:
    frame = pd.DataFrame({"bar_start": pd.to_datetime(TIMES, utc=True), "symbol": ["A", "B"]})
    joined = pd.concat([frame.iloc[:0], frame, frame], ignore_index=True)
    assert text_of(columns_of(joined)).splitlines() == 2 * text_of(columns_of(frame)).splitlines()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_have_all_their_digits(numbers: list[float]) -> None:
    lines = text_of({"bar_start": TIMES[:1].repeat(len(numbers)), "value": np.array(numbers)}).splitlines()
    assert [float(line.split(",")[1]) for line in lines] == numbers


class Server:
    """A cursor that says what it is asked, in short, and refuses rows that are there when told to."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.asked: list[str] = []
        self.rowcount = 1
        self._refuses = refuses

    def execute(self, statement: Any, parameters: object = None) -> None:
        words = statement if isinstance(statement, str) else "".join(part for part in _words(statement))
        self.asked.append(words.split("(")[0].strip().replace('"', ""))

    def copy_expert(self, statement: Any, rows: object) -> None:
        self.execute(statement)
        if self._refuses:
            self._refuses = False
            raise UniqueViolation


def _words(composed: Any) -> list[str]:
    """Return the words of a composed statement, which only a real connection can put into one text."""
    words: list[str] = []
    for part in composed.seq:
        if hasattr(part, "seq"):
            words += _words(part)
        else:
            words += [part.string] if hasattr(part, "string") else list(part.strings)
    return words


def some_rows(*, is_new: bool) -> Copy:
    return copy_of("stock_signals", [{"source": "s", "bar_start": TIMES, "final": True}], is_new=is_new)


def write(server: Server, copy: Copy) -> int:
    return staging.write(cast("Cursor", server), copy)


def test_new_rows_are_copied_straight_into_their_table() -> None:
    server = Server()
    assert write(server, some_rows(is_new=True)) == 2
    assert server.asked == ["SELECT ensure_partitions", "COPY stock_signals", "RELEASE SAVEPOINT copy"]


def test_other_rows_are_merged_with_those_that_are_there() -> None:
    server = Server()
    assert write(server, some_rows(is_new=False)) == 1
    assert server.asked == ["SELECT ensure_partitions", "COPY staging_stock_signals", "INSERT INTO stock_signals"]


def test_rows_that_were_thought_new_and_are_not_are_merged_after_all() -> None:
    server = Server(refuses=True)
    assert write(server, some_rows(is_new=True)) == 1
    assert server.asked == [
        "SELECT ensure_partitions",
        "COPY stock_signals",
        "ROLLBACK TO SAVEPOINT copy",
        "SELECT ensure_partitions",
        "COPY staging_stock_signals",
        "INSERT INTO stock_signals",
    ]


@pytest.mark.parametrize("is_new", [True, False])
def test_without_rows_the_server_is_asked_for_nothing(is_new: bool) -> None:
    server = Server()
    assert write(server, copy_of("stock_signals", [{"bar_start": TIMES[:0]}], is_new=is_new)) == 0
    assert server.asked == []
