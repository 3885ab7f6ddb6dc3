"""What a tool was told, judged: everything that is wrong with it is gathered and told at once."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from volwatch.errors import BadInput


class Faults:
    """Gathers what is wrong with the options and files of a tool."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def number(self, option: str, text: str, rule: str, holds: Callable[[float], bool]) -> float:
        """Return the number that an option gives; NaN and a fault where the text breaks the rule."""
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if math.isfinite(number) and holds(number):
            return number
        self.found.append(f"{option}: {rule}, not {text!r}")
        return math.nan

    def whole(self, option: str, text: str, least: int) -> int:
        """Return the whole number that an option gives; ``least`` and a fault where it gives none of at least that."""
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number >= least:
            return number
        self.found.append(f"{option}: a whole number of at least {least}, not {text!r}")
        return least

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Take note of a ``BadInput`` that is raised within, and go on."""
        try:
            yield
        except BadInput as error:
            self.found += error.faults

    def tell(self) -> None:
        """Go on only if there is no fault.

        Raises
        ------
        BadInput
            There are some; all are in it.
        """
        if self.found:
            raise BadInput(self.found)
