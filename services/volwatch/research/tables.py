"""Tables in files: CSV, gzipped CSV or Parquet, by suffix. What a file must be is checked before anybody computes.

An empty field of a column of numbers is an undefined value: NaN in the frame, null in Parquet. Numbers are read and
written so that each float64 comes back bit for bit.
"""

import csv
import gzip
import importlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pandas as pd

from volwatch.errors import BadInput

SUFFIXES = (".csv", ".csv.gz", ".parquet")
_UNDEFINED = ["", "NULL", "null", "NaN", "nan", "NA"]
_NO_PARQUET = "Parquet needs pyarrow: install volwatch[research], or use .csv or .csv.gz"


def read_table(
    path: Path, required: Sequence[str], optional: Sequence[str] = (), *, numbers: Sequence[str]
) -> pd.DataFrame:
    """Return the named columns of a file, as float64 those of ``numbers`` and as text the others.

    Duplicate or unsorted times are for the caller to judge; ``times_of`` helps.

    Parameters
    ----------
    path : Path
        A file with a header; ``.csv``, ``.csv.gz`` or ``.parquet``.
    required : sequence of str
        Columns that must be there. ``"date|ts_utc"`` asks for exactly one of these.
    optional : sequence of str
        Columns that are read where they are there. All others are ignored.
    numbers : sequence of str
        Columns of numbers; an empty field is NaN.

    Raises
    ------
    BadInput
        No such file, no table, a column missing, text where a number must be, no row: each is named.
    """
    suffix = _suffix(path)
    if not path.is_file():
        raise BadInput([f"{path} is no file"])
    try:
        found = _parquet_header(path) if suffix == ".parquet" else _csv_header(path)
        columns = _chosen(path, found, required, optional)
        wanted = [name for name in columns if name in set(numbers)]
        frame = _read_parquet(path, columns, wanted) if suffix == ".parquet" else _read_csv(path, columns, wanted)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput([f"{path} cannot be read: {error}"]) from error
    if frame.empty:
        raise BadInput([f"{path} has no row"])
    return frame


def times_of(frame: pd.DataFrame, column: str, path: Path) -> pd.Series:
    """Return a column of ISO dates or times as UTC timestamps, each later than the one before.

    Raises
    ------
    BadInput
        A text is no time, or times are unsorted or given twice: the first line of each fault is named.
    """
    times = pd.to_datetime(frame[column], errors="coerce", utc=True, format="ISO8601")
    faults = []
    if times.isna().any():
        row = int(times.isna().to_numpy().argmax())
        faults.append(f"{path} row {row + 1}: {column} {frame[column].iloc[row]!r} is no ISO date or time")
    steps = times.diff().dt.total_seconds().to_numpy()
    for wrong, what in ((steps == 0, "is there twice"), (steps < 0, "is before that of the row above")):
        if wrong.any():
            row = int(wrong.argmax())
            faults.append(f"{path} row {row + 1}: {column} {frame[column].iloc[row]!r} {what}")
    if faults:
        raise BadInput(faults)
    return times


def output_faults(path: Path, *inputs: Path) -> list[str]:
    """Return why no table can be written there, to be asked before long work; nor over what it is made of."""
    folder = path.resolve().parent
    if not path.name.lower().endswith(SUFFIXES):
        return [f"{path}: the suffix must be one of {', '.join(SUFFIXES)}"]
    if not folder.is_dir():
        return [f"{path}: there is no directory {folder}"]
    if path.is_dir() or not os.access(folder, os.W_OK):
        return [f"{path} cannot be written"]
    if path.resolve() in [given.resolve() for given in inputs]:
        return [f"{path} is the input: it would be lost"]
    return []


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame without its index; the file appears whole or not at all, and equal frames give equal bytes.

    Raises
    ------
    BadInput
        The file cannot be written.
    """
    faults = output_faults(path)
    if faults:
        raise BadInput(faults)
    target = path.resolve()
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _write(frame, part, _suffix(path))
        part.replace(target)
    except OSError as error:
        raise BadInput([f"{path} cannot be written: {error}"]) from error
    finally:
        part.unlink(missing_ok=True)


def _suffix(path: Path) -> str:
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise BadInput([f"{path}: the suffix must be one of {', '.join(SUFFIXES)}"])


def _write(frame: pd.DataFrame, path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        try:
            frame.to_parquet(path, engine="pyarrow", index=False)
        except ImportError as error:
            raise BadInput([_NO_PARQUET]) from error
    elif suffix == ".csv.gz":
        # No name and no time in its header: equal tables give equal bytes.
        with path.open("wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
            frame.to_csv(packed, index=False, lineterminator="\n")
    else:
        frame.to_csv(path, index=False, lineterminator="\n")


def _chosen(path: Path, found: Sequence[str], required: Sequence[str], optional: Sequence[str]) -> list[str]:
    """Return the columns to read, in the order asked for."""
    faults = []
    columns = []
    for wanted in required:
        there = [name for name in wanted.split("|") if name in found]
        columns += there[:1]
        if len(there) != 1:
            names = " or ".join(repr(name) for name in wanted.split("|"))
            faults.append(f"{path} has {'no column' if not there else 'both columns'} {names}")
    columns += [name for name in optional if name in found and name not in columns]
    faults += [f"{path} has the column {name!r} twice" for name in columns if found.count(name) > 1]
    if faults:
        raise BadInput([*faults, f"{path} has the columns {', '.join(found) or '(none)'}"])
    return columns


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """Open a CSV as text; a byte order mark, as spreadsheets write it, is no part of the first name."""
    if path.suffix.lower() == ".gz":
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as lines:
            yield lines
    else:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield lines


def _csv_header(path: Path) -> list[str]:
    with _opened(path) as lines:
        return next(csv.reader(lines), [])


def _read_csv(path: Path, columns: list[str], numbers: list[str]) -> pd.DataFrame:
    try:
        with _opened(path) as lines:
            # All columns, though few are wanted: told to take some, pandas lets a row be longer than the header, and
            # a thousands' comma would shift the numbers behind it unseen.
            frame = pd.read_csv(
                lines,
                dtype=defaultdict(lambda: "str", dict.fromkeys(numbers, "float64")),
                keep_default_na=False,
                na_values=dict.fromkeys(numbers, _UNDEFINED),
            )
    except UnicodeDecodeError:
        raise  # a ValueError too, which says itself where it is
    except ValueError as error:
        raise BadInput(_row_faults(path, numbers) or [f"{path} cannot be read: {error}".strip()]) from error
    # A row that is too long makes an index of the first column, one that is too short ends in nothing.
    if not isinstance(frame.index, pd.RangeIndex) or (len(frame) and frame.iloc[:, -1].isna().any()):
        faults = _row_faults(path, numbers)
        if faults:
            raise BadInput(faults)
    return frame[columns]


def _row_faults(path: Path, numbers: list[str]) -> list[str]:
    """Return the first line of another length than the header, and for each column the first that is no number."""
    first: dict[str, str] = {}
    with _opened(path) as lines:
        reader = csv.reader(lines)
        header = next(reader)
        places = {name: header.index(name) for name in numbers}
        for row in reader:
            where = f"{path} line {reader.line_num}"
            if row and len(row) != len(header):
                first.setdefault("", f"{where} has {len(row)} fields, the header has {len(header)}")
                continue
            for name in [name for name, place in places.items() if row and not _is_number(row[place])]:
                first.setdefault(name, f"{where}: {name} is {row[places[name]]!r}, which is no number")
    return list(first.values())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in _UNDEFINED
    return "_" not in text


def _parquet_header(path: Path) -> list[str]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise BadInput([_NO_PARQUET]) from error
    try:
        return list(parquet.read_schema(path).names)
    except ValueError as error:  # what pyarrow says of a file that is none of its
        raise BadInput([f"{path} cannot be read: {error}"]) from error


def _read_parquet(path: Path, columns: list[str], numbers: list[str]) -> pd.DataFrame:
    frame = pd.read_parquet(path, engine="pyarrow", columns=columns)
    wrong = [name for name in numbers if not pd.api.types.is_numeric_dtype(frame[name])]
    if wrong:
        raise BadInput([f"{path}: {name} is of type {frame[name].dtype}, which is no number" for name in wrong])
    frame[numbers] = frame[numbers].astype("float64")
    return frame
