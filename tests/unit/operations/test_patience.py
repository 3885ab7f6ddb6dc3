import argparse
from itertools import repeat

import pytest

from tests.unit.operations.fakes import Time
from volwatch.errors import Transient
from volwatch.operations.patience import add_option, growing


class Flaky:
    """Fails so many times, then answers."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise Transient(f"failure {self.calls}")
        return "answer"


def test_what_succeeds_at_once_waits_for_nothing() -> None:
    time = Time()
    assert time.patience(0).retry(Flaky(0), growing()) == "answer"
    assert time.pauses == []


def test_waits_grow_up_to_five_seconds_and_each_failure_is_told() -> None:
    time, told = Time(), list[str]()
    answer = time.patience(600).retry(Flaky(7), growing(), lambda error: told.append(str(error)))
    assert (answer, time.pauses) == ("answer", [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0])
    assert told == [f"failure {number}" for number in range(1, 8)]


def test_the_last_try_is_when_patience_ends() -> None:
    time, flaky = Time(), Flaky(100)
    patience = time.patience(5)
    with pytest.raises(Transient, match="failure 4"):
        patience.retry(flaky, repeat(2.0))
    assert (time.pauses, patience.spent_seconds, patience.left_seconds) == ([2.0, 2.0, 1.0], 5.0, 0.0)


def test_the_wish_to_stop_ends_patience() -> None:
    time, flaky = Time(stop_at=3), Flaky(100)
    with pytest.raises(Transient, match="failure 2"):
        time.patience(600).retry(flaky, repeat(2.0))


def test_other_errors_are_not_tried_again() -> None:
    time = Time()
    with pytest.raises(ZeroDivisionError):
        time.patience(600).retry(lambda: 1 // 0, growing())
    assert time.pauses == []


@pytest.mark.parametrize(("given", "seconds"), [([], 180.0), (["--patience", "0"], 0.0), (["--patience", "7.5"], 7.5)])
def test_patience_is_an_option(given: list[str], seconds: float) -> None:
    parser = argparse.ArgumentParser()
    add_option(parser, 180.0)
    assert parser.parse_args(given).patience == seconds


@pytest.mark.parametrize("given", ["-1", "inf", "nan", "long"])
def test_patience_is_a_length_of_time(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_option(parser, 180.0)
    with pytest.raises(SystemExit):
        parser.parse_args([f"--patience={given}"])
    assert "--patience" in capsys.readouterr().err
