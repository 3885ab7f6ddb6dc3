"""How operations show rows: a table for who looks, CSV for what reads. What came from outside is shown escaped."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TextIO

from volwatch.errors import BadInput

FORMATS = ("table", "csv")
_WHOLE_CHARACTERS = 12


def form_of(asked: str | None, out: TextIO) -> str:
    """Return the format that is asked for; without one, a table on a terminal and CSV elsewhere."""
    return asked or ("table" if out.isatty() else "csv")


def write(columns: Sequence[str], rows: Sequence[Sequence[object]], form: str, out: TextIO) -> None:
    """Write rows of any values under their columns; times in UTC to the second, None as nothing."""
    texts = [[_text(value) for value in row] for row in rows]
    if form == "csv":
        csv.writer(out, lineterminator="\n").writerows([columns, *texts])
        return
    from rich import box  # CSV needs no rich
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for place, column in enumerate(columns):
        # A number that is cut in two is read as two: what is short stays whole, headings fold instead.
        longest = max((len(word) for row in texts for word in row[place].split()), default=1)
        table.add_column(column.replace("_", "\n"), min_width=min(longest, _WHOLE_CHARACTERS), overflow="fold")
    for row in texts:
        table.add_row(*(Text(text, overflow="fold") for text in row))  # a Text is never markup
    Console(file=out).print(table)


def escaped(text: str) -> str:
    """Return a text in which nothing moves a cursor, turns a line around or hides."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def json_value(value: object) -> str:
    """Return a time, which JSON has not, as text in UTC with its offset."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} is no value of JSON")


def number_of(option: str, text: str, faults: list[str]) -> int:
    """Return the whole number above 0 that an option gives; 1 and a fault where it gives none."""
    if text.isascii() and text.isdigit() and 0 < int(text[:20]) < 2**63:
        return int(text)
    faults.append(f"{option}: a whole number above 0, not {text!r}")
    return 1


def format_of(text: str | None, faults: list[str]) -> str | None:
    """Return the format that the option gives, with a fault where there is no such."""
    if text is not None and text not in FORMATS:
        faults.append(f"--format: {' or '.join(FORMATS)}, not {text!r}")
    return text


def tell(faults: list[str]) -> None:
    """Go on only if there is no fault.

    Raises
    ------
    BadInput
        There are some; all are in it.
    """
    if faults:
        raise BadInput(faults)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return escaped(str(value))
