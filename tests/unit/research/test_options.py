"""What is wrong with the options of a tool is gathered."""

import math

import pytest

from volwatch.errors import BadInput
from volwatch.research.options import Faults


def test_numbers_that_keep_the_rule_are_taken() -> None:
    faults = Faults()
    assert faults.number("--decay", "0.94", "between 0 and 1", lambda x: 0 < x < 1) == 0.94
    assert faults.whole("--window", "20", 2) == 20
    faults.tell()


@pytest.mark.parametrize("text", ["1", "abc", "nan", "inf", ""])
def test_a_number_that_breaks_the_rule_is_a_fault(text: str) -> None:
    faults = Faults()
    assert math.isnan(faults.number("--decay", text, "between 0 and 1", lambda x: 0 < x < 1))
    assert faults.found == [f"--decay: between 0 and 1, not {text!r}"]


@pytest.mark.parametrize("text", ["1", "2.5", "abc", "-3", ""])
def test_what_is_no_whole_number_or_too_small_is_a_fault(text: str) -> None:
    faults = Faults()
    assert faults.whole("--window", text, 2) == 2
    assert faults.found == [f"--window: a whole number of at least 2, not {text!r}"]


def test_all_faults_are_told_at_once() -> None:
    faults = Faults()
    faults.whole("--window", "x", 2)
    with faults.gathering():
        raise BadInput(["no file", "no output"])
    with pytest.raises(BadInput) as told:
        faults.tell()
    assert told.value.faults == ["--window: a whole number of at least 2, not 'x'", "no file", "no output"]


def test_another_error_is_not_gathered() -> None:
    with pytest.raises(KeyError), Faults().gathering():
        raise KeyError("close")
