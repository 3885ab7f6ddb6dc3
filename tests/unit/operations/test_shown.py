"""Rows as a table and as CSV; what came from outside moves nothing."""

import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.errors import BadInput
from volwatch.operations import shown


def test_csv_quotes_and_escapes() -> None:
    out = io.StringIO()
    at = datetime(2026, 1, 5, 15, tzinfo=UTC)
    shown.write(("id", "at", "text"), [(1, at, 'a,"b"\n\x1b[2J'), (2, None, None)], "csv", out)
    assert out.getvalue() == 'id,at,text\n1,2026-01-05 15:00:00Z,"a,""b""\\n\\x1b[2J"\n2,,\n'


def test_a_table_takes_nothing_for_markup() -> None:
    out = io.StringIO()
    shown.write(("text",), [("[red]x[/red]",)], "table", out)
    assert "[red]x[/red]" in out.getvalue()


def test_a_table_has_a_line_a_row_with_words_above() -> None:
    out = io.StringIO()
    shown.write(("raw_rows", "text"), [(607, "a"), (5, None)], "table", out)
    assert [line.split() for line in out.getvalue().splitlines() if line.strip(" ─")] == [
        ["raw"],
        ["rows", "text"],
        ["607", "a"],
        ["5"],
    ]


def test_a_number_in_a_narrow_table_is_not_cut_in_two() -> None:
    out = io.StringIO()
    shown.write([f"column_{each}" for each in range(8)] + ["text"], [[*[123_456] * 8, "x" * 60]], "table", out)
    assert out.getvalue().count("123456") == 8


@given(st.text())
def test_what_is_shown_is_printable(text: str) -> None:
    assert shown.escaped(text).isprintable()


def test_printable_text_is_shown_as_it_is() -> None:
    assert shown.escaped("BRK.B £ é 株 {}") == "BRK.B £ é 株 {}"


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "", "²", "9" * 19])
def test_a_number_is_whole_and_above_zero(text: str) -> None:
    faults: list[str] = []
    assert shown.number_of("ID", text, faults) == 1
    assert faults == [f"ID: a whole number above 0, not {text!r}"]


def test_without_a_terminal_the_format_is_csv() -> None:
    assert shown.form_of(None, io.StringIO()) == "csv"
    assert shown.form_of("table", io.StringIO()) == "table"


def test_all_faults_are_told_at_once() -> None:
    shown.tell([])
    with pytest.raises(BadInput) as raised:
        shown.tell(["one", "two"])
    assert raised.value.faults == ["one", "two"]
