"""What is read comes back bit for bit; what is no table is told, all at once; nothing is written by half."""

import gzip
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.errors import BadInput
from volwatch.research import tables
from volwatch.research.tables import SUFFIXES, output_faults, read_table, times_of, write_table


def read(path: Path, text: str, required: Sequence[str] = ("date", "open")) -> pd.DataFrame:
    path.write_text(text, "utf-8")
    return read_table(path, required, numbers=("open",))


def faults(path: Path, text: str, required: Sequence[str] = ("date", "open")) -> list[str]:
    with pytest.raises(BadInput) as refused:
        read(path, text, required)
    return [fault.removeprefix(f"{path}").strip(": ") for fault in refused.value.faults]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bars.csv"


def test_numbers_are_read_as_written_and_other_columns_are_left_out(path: Path) -> None:
    frame = read(path, "volume,open,date\n1,0.1,2024-01-02\n2, 1e-3 ,2024-01-03\n")
    assert frame.to_dict("list") == {"date": ["2024-01-02", "2024-01-03"], "open": [0.1, 0.001]}


def test_optional_columns_are_read_where_they_are_there(path: Path) -> None:
    path.write_text("date,open,symbol\nx,1,NA\n", "utf-8")
    frame = read_table(path, ("date",), ("symbol", "volume"), numbers=("open", "volume"))
    assert frame.to_dict("list") == {"date": ["x"], "symbol": ["NA"]}


@pytest.mark.parametrize("text", ["", "NaN", "nan", "NULL", "null", "NA"])
def test_an_undefined_number_is_nan(path: Path, text: str) -> None:
    assert np.isnan(read(path, f"date,open\nx,{text}\n")["open"]).tolist() == [True]


@pytest.mark.parametrize("text", ["inf", "-inf", "1e400"])
def test_what_is_not_finite_is_for_the_caller_to_judge(path: Path, text: str) -> None:
    assert np.isinf(read(path, f"date,open\nx,{text}\n")["open"]).tolist() == [True]


def test_a_byte_order_mark_is_no_part_of_a_name(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfdate,open\r\nx,2\r\n")
    assert read_table(path, ("date", "open"), numbers=("open",)).to_dict("list") == {"date": ["x"], "open": [2.0]}


def test_one_of_several_columns_can_be_asked_for(path: Path) -> None:
    assert list(read(path, "ts_utc,open\nx,1\n", ("date|ts_utc", "open"))) == ["ts_utc", "open"]
    assert faults(path, "date,ts_utc,open\nx,y,1\n", ("date|ts_utc", "open")) == [
        "has both columns 'date' or 'ts_utc'",
        "has the columns date, ts_utc, open",
    ]


def test_every_missing_column_is_named_and_what_was_found(path: Path) -> None:
    assert faults(path, "a,b\n1,2\n", ("date|ts_utc", "open", "close")) == [
        "has no column 'date' or 'ts_utc'",
        "has no column 'open'",
        "has no column 'close'",
        "has the columns a, b",
    ]


def test_a_column_that_is_there_twice_is_refused(path: Path) -> None:
    assert faults(path, "date,open,open\nx,1,2\n")[0] == "has the column 'open' twice"


def test_the_first_text_of_each_column_of_numbers_is_named_by_its_line(path: Path) -> None:
    path.write_text("date,open,close\nx,1,\n\ny,abc,1\nz,def,1_0\n", "utf-8")
    with pytest.raises(BadInput) as refused:
        read_table(path, ("date",), ("open", "close"), numbers=("open", "close"))
    assert refused.value.faults == [
        f"{path} line 4: open is 'abc', which is no number",
        f"{path} line 5: close is '1_0', which is no number",
    ]


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("x,1,234\n", "line 2 has 3 fields, the header has 2"),
        ("x,1\ny,1,234\n", "line 3 has 3 fields, the header has 2"),
        ("x,1\ny\n", "line 3 has 1 fields, the header has 2"),
    ],
)
def test_a_row_of_another_length_is_named(path: Path, rows: str, fault: str) -> None:
    assert faults(path, f"date,open\n{rows}") == [fault]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "has no column 'date'"),
        (b"date,open\n", "has no row"),
        (b"date,open\n\xff,1\n", "cannot be read: 'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_what_is_no_table_is_told(path: Path, content: bytes, fault: str) -> None:
    path.write_bytes(content)
    with pytest.raises(BadInput) as refused:
        read_table(path, ("date", "open"), numbers=("open",))
    assert refused.value.faults[0].startswith(f"{path} {fault}")


@pytest.mark.parametrize("name", ["bars.csv.gz", "bars.parquet"])
def test_a_file_that_is_not_what_its_suffix_says_is_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert "cannot be read: " in faults(path, "date,open\nx,1\n")[0]


def test_a_broken_gzip_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv.gz"
    path.write_bytes(gzip.compress(b"date,open\n" + b"x,1.5\n" * 1000)[:-20])
    with pytest.raises(BadInput, match="cannot be read"):
        read_table(path, ("date", "open"), numbers=("open",))


def test_a_file_that_is_not_there_and_a_suffix_that_nobody_reads_are_told(tmp_path: Path) -> None:
    for name, fault in (("none.csv", "is no file"), ("bars.xlsx", "the suffix must be one of .csv, .csv.gz, .parquet")):
        with pytest.raises(BadInput, match=fault):
            read_table(tmp_path / name, ("date",), numbers=())


def test_text_in_a_column_of_numbers_of_parquet_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    pd.DataFrame({"date": ["x"], "open": ["abc"]}).to_parquet(path)
    with pytest.raises(BadInput, match=r"open is of type .*, which is no number"):
        read_table(path, ("date", "open"), numbers=("open",))


def test_parquet_without_its_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bars.parquet"
    write_table(pd.DataFrame({"open": [1.0]}), path)
    for name in [name for name in sys.modules if name.split(".")[0] == "pyarrow"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BadInput, match=r"install volwatch\[research\]"):
        read_table(path, ("open",), numbers=("open",))


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_every_float_comes_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, values: list[float]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"floats{suffix}"
    write_table(pd.DataFrame({"x": values}), path)
    assert read_table(path, ("x",), numbers=("x",))["x"].to_numpy().tobytes() == np.array(values).tobytes()


def test_what_is_undefined_is_written_as_nothing(tmp_path: Path) -> None:
    frame = pd.DataFrame({"t": ["a", "b"], "value": [1.5, np.nan], "null_reason": np.array([None, "STALE"], object)})
    write_table(frame, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == b"t,value,null_reason\na,1.5,\nb,,STALE\n"
    write_table(frame, tmp_path / "out.parquet")
    held = pd.read_parquet(tmp_path / "out.parquet", dtype_backend="pyarrow").isna()
    assert held.to_numpy().tolist() == [[False, False, True], [False, True, False]]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_equal_tables_give_equal_bytes(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame({"t": ["a", "b"], "value": [1.5, np.nan]})
    one, other = tmp_path / f"one{suffix}", tmp_path / f"other{suffix}"
    write_table(frame, one)
    write_table(frame, other)
    assert one.read_bytes() == other.read_bytes()


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")

    def full(_frame: pd.DataFrame, part: Path, _suffix: str) -> None:
        part.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tables, "_write", full)
    with pytest.raises(BadInput, match=r"cannot be written: .*No space left on device"):
        write_table(pd.DataFrame({"x": [1.0]}), path)
    assert {held.name: held.read_text() for held in tmp_path.iterdir()} == {"out.csv": "old"}


def test_an_output_that_cannot_be_is_told_before_the_work(tmp_path: Path) -> None:
    directory = tmp_path / "made.csv"
    directory.mkdir()
    assert output_faults(tmp_path / "out.csv") == []
    assert output_faults(directory) == [f"{directory} cannot be written"]
    assert output_faults(tmp_path / "out.txt")[0].endswith("the suffix must be one of .csv, .csv.gz, .parquet")
    assert output_faults(tmp_path / "in.csv", tmp_path / "none" / ".." / "in.csv") == [
        f"{tmp_path / 'in.csv'} is the input: it would be lost"
    ]
    missing = tmp_path / "none" / "out.csv"
    assert output_faults(missing) == [f"{missing}: there is no directory {tmp_path / 'none'}"]
    with pytest.raises(BadInput, match="there is no directory"):
        write_table(pd.DataFrame({"x": [1.0]}), missing)


def test_dates_and_times_are_read_as_utc() -> None:
    times = ["2024-01-02", "2024-01-02T14:30:00Z", "2024-01-02T10:30:00-05:00"]
    made = times_of(pd.DataFrame({"ts_utc": times}), "ts_utc", Path("x.csv"))
    assert [str(time) for time in made] == [
        "2024-01-02 00:00:00+00:00",
        "2024-01-02 14:30:00+00:00",
        "2024-01-02 15:30:00+00:00",
    ]


def test_every_fault_of_the_times_is_told_at_its_first_row() -> None:
    times = ["2024-01-02", "2024-01-02", "2024-01-01", "later", "2024-01-01", "never"]
    with pytest.raises(BadInput) as refused:
        times_of(pd.DataFrame({"date": times}), "date", Path("x.csv"))
    assert refused.value.faults == [
        "x.csv row 4: date 'later' is no ISO date or time",
        "x.csv row 2: date '2024-01-02' is there twice",
        "x.csv row 3: date '2024-01-01' is before that of the row above",
    ]
