"""A clock that goes on only while somebody waits."""

from volwatch.operations.patience import Patience


class Time:
    """Seconds, spent by pauses; ``stop_at`` is when the wish to stop comes."""

    def __init__(self, stop_at: float = float("inf")) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self._stop_at = stop_at

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.now += seconds
        return self.now >= self._stop_at

    def patience(self, seconds: float) -> Patience:
        return Patience(seconds, lambda: self.now, self.pause)
