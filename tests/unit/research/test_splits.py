"""Suspected splits are told, and left out or adjusted for."""

import numpy as np
import pandas as pd
import pytest

from volwatch.research.splits import without_splits

DATES = pd.Series(["2005-02-24", "2005-02-25", "2005-02-28", "2005-03-01"])


def prices() -> dict[str, np.ndarray]:
    return {"open": np.array([88.0, 88.5, 44.7, 45.0]), "close": np.array([88.2, 89.0, 44.9, 45.2])}


def test_the_row_of_a_split_is_marked_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    made, rows = without_splits(prices(), DATES, adjust=False, tool="estimate")
    assert rows.tolist() == [False, False, True, False]
    assert made["close"].tolist() == prices()["close"].tolist()
    assert capsys.readouterr().err == (
        "volwatch estimate: suspected splits: 2005-02-28 (2:1); the return over each is left out (or --adjust-splits)\n"
    )


def test_adjusted_prices_have_no_row_to_leave_out(capsys: pytest.CaptureFixture[str]) -> None:
    made, rows = without_splits(prices(), DATES, adjust=True, tool="risk")
    assert rows.tolist() == [False] * 4
    assert made["close"].tolist() == [44.1, 44.5, 44.9, 45.2]
    assert capsys.readouterr().err == (
        "volwatch risk: suspected splits: 2005-02-28 (2:1); earlier prices are adjusted\n"
    )


def test_without_a_split_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    same = {"open": np.array([1.0, 1.1]), "close": np.array([1.1, 1.0])}
    made, rows = without_splits(same, DATES[:2], adjust=True, tool="risk")
    assert (made["close"].tolist(), rows.tolist()) == ([1.1, 1.0], [False, False])
    assert capsys.readouterr().err == ""


def test_shares_put_together_and_the_rest_of_many_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    price = np.where(np.arange(13) % 2, 10.0, 1.0)
    without_splits({"open": price, "close": price}, pd.Series(range(13)), adjust=False, tool="risk")
    assert "1 (1:10), 2 (10:1), 3 (1:10)" in (said := capsys.readouterr().err)
    assert "10 (10:1) and 2 more; " in said
