import re
from pathlib import Path

import numpy as np
import pytest

from volwatch.errors import BadInput
from volwatch.market.labels import Labels
from volwatch.market.scoring import Tally
from volwatch.research.sweep import LEVELS, Point, curve_faults, point, table_of, write_curve

MINUTE_MS = 60_000


def labels() -> Labels:
    """Return a symbol with an event in its minutes 100 to 110, and one without events; five days of each."""
    event = np.array([[100, 110]], np.int64) * MINUTE_MS
    return Labels({"A": "jump", "B": "null_gbm"}, {"A": event, "B": np.empty((0, 2), np.int64)}, 0, 5)


ONSETS = {"A": np.array([103, 300]) * MINUTE_MS, "B": np.array([7, 9]) * MINUTE_MS}


def test_a_point_counts_what_the_onsets_are_worth() -> None:
    made = point(3.7, ONSETS, 20, 390, labels())
    assert made == Point(3.7, 4, 0.2, 390, Tally(1, 1, 3, 0, 10, (3,)), Tally(0, 0, 2, 0, 5))
    # Five days of 390 bars, two false alarms.
    assert made.arl0 == pytest.approx(975.0)


def test_without_a_false_alarm_there_is_no_run_length() -> None:
    assert point(9.0, {}, 20, 390, labels()).arl0 is None
    assert point(3.7, ONSETS, 20, 390, None) == Point(3.7, 4, 0.2, 390, Tally(), Tally())


def test_a_table_has_a_line_per_level() -> None:
    lines = table_of([point(3.7, ONSETS, 20, 390, labels()), point(9.0, {}, 20, 390, labels())], labelled=True)
    header, first, last = lines.splitlines()
    assert header.split()[:4] == ["enter", "onsets", "per", "day"]
    bare = "9 0 0.000 0.000 [0.000, 0.369] 0.000 [0.000, 0.738] none 0.000 none 0.000 none"
    expected = "3.7 4 0.200 0.300 [0.062, 0.877] 0.400 [0.048, 1.445] 975 1.000 0.250 0.400 3"
    assert first.split() == expected.split()
    assert last.split() == bare.split()
    assert len({len(line) for line in (header, first, last)}) == 1


def test_without_labels_a_table_counts_onsets_only() -> None:
    table = table_of([point(3.7, ONSETS, 20, 390, None)], labelled=False)
    assert [line.split() for line in table.splitlines()] == [["enter", "onsets", "per", "day"], ["3.7", "4", "0.200"]]


@pytest.mark.parametrize("labelled", [True, False])
def test_a_curve_is_a_page_that_asks_nobody_for_anything(tmp_path: Path, labelled: bool) -> None:
    given = labels() if labelled else None
    points = [point(level, ONSETS if level < 4 else {}, 20, 390, given) for level in LEVELS]
    write_curve(points, tmp_path / "curve.html", labelled=labelled)
    page = (tmp_path / "curve.html").read_text("utf-8")
    assert re.findall(r"<script[^>]*\bsrc\s*=|<link\b|<img\b|<iframe\b", page) == []
    assert ("false alarms per symbol-day" in page) == labelled
    assert [path.name for path in tmp_path.iterdir()] == ["curve.html"]


def test_a_curve_is_written_to_html_only(tmp_path: Path) -> None:
    assert curve_faults(tmp_path / "curve.html") == []
    assert "suffix must be .html" in curve_faults(tmp_path / "curve.png")[0]
    assert "cannot be written" in curve_faults(tmp_path / "nowhere" / "curve.html")[0]
    with pytest.raises(BadInput, match="cannot be written"):
        write_curve([point(3.7, {}, 1, 390, None)], tmp_path / "nowhere" / "curve.html", labelled=False)
