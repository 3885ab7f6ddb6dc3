"""The file of alerts."""

import csv
import io
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.alert_export import alerts_csv

BEGAN = datetime(2026, 1, 5, 14, 56, tzinfo=UTC)


def rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def test_every_column_is_written_with_times_in_utc() -> None:
    alerts = pd.DataFrame({"onset_bar": [BEGAN], "symbol": ["AAPL"], "statistic": [6.2], "note": [None]})
    assert rows(alerts_csv(alerts)) == [
        ["onset_bar", "symbol", "statistic", "note"],
        ["2026-01-05T14:56:00Z", "AAPL", "6.2", ""],
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_a_text_that_a_spreadsheet_would_compute_stays_a_text(text: str) -> None:
    [_, [symbol]] = rows(alerts_csv(pd.DataFrame({"symbol": [text]})))
    assert symbol == f"'{text}"


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"))), min_size=1, max_size=8))
def test_a_text_comes_back_as_it_was_but_for_the_sign_before_a_formula(notes: list[str]) -> None:
    found = [cells[1].removeprefix("'") for cells in rows(alerts_csv(pd.DataFrame({"place": 1, "note": notes})))[1:]]
    assert found == [note.removeprefix("'") for note in notes]


def test_no_alert_makes_a_file_of_a_heading() -> None:
    assert alerts_csv(pd.DataFrame({"symbol": []})) == b"symbol\n"
