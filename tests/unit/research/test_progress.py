"""Long work is told of, short work is not."""

import io
from collections.abc import Callable, Iterator

import pytest
from rich.console import Console

from volwatch.research.progress import progress


def ticking(seconds: float) -> Callable[[], float]:
    """Return a clock that is so much later at each look."""
    now = iter(range(10_000))
    return lambda: next(now) * seconds


def told(
    count: int,
    seconds: float,
    *,
    terminal: bool,
    total: int | None = None,
    sized: bool = True,
    kind: str = "xterm",
) -> str:
    """Return what is said of work of so many items, each of so many seconds."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=80, _environ={"TERM": kind})
    items: range | Iterator[int] = range(count) if sized else iter(range(count))
    assert list(progress(items, "working", total=total, console=console, clock=ticking(seconds))) == list(range(count))
    return out.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_short_work_is_silent(terminal: bool) -> None:
    assert told(4, 0.1, terminal=terminal) == ""


def test_long_work_has_a_bar_on_a_terminal() -> None:
    assert "working" in told(10, 1.0, terminal=True)


def test_long_work_has_a_line_every_few_seconds_elsewhere() -> None:
    assert told(2_000, 1.0, terminal=False).splitlines()[:2] == [
        "working: 4 of 2,000 (0%)",
        "working: 9 of 2,000 (0%)",
    ]


def test_a_total_that_is_not_known_is_left_out() -> None:
    assert told(12, 1.0, terminal=False, sized=False).splitlines() == ["working: 4", "working: 9"]
    assert told(12, 1.0, terminal=False, sized=False, total=16).splitlines()[0] == "working: 4 of 16 (25%)"


@pytest.mark.parametrize("terminal", [True, False])
def test_an_error_in_the_work_comes_through(terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal)

    def failing() -> Iterator[int]:
        yield 1
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        list(progress(failing(), "working", console=console, clock=ticking(1.0)))


def test_a_terminal_that_cannot_draw_is_told_in_lines() -> None:
    assert told(10, 3.0, terminal=True, kind="dumb") == told(10, 3.0, terminal=False)
