"""The producer's loop: read what is due, send it, tell how it goes."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from volwatch.errors import Transient
from volwatch.producer.publisher import Publisher
from volwatch.producer.source import Batch, Label, Source
from volwatch.runtime import Health, Stop

_log = structlog.get_logger()

_TICK_SECONDS = 0.05
_REPORT_SECONDS = 10.0
_PATIENCE_SECONDS = 15.0


class Progress:
    """Logs how much of the history is sent, a line per tenth.

    Parameters
    ----------
    expected : float
        About how many trades the history has; 0 where there is none.
    """

    def __init__(self, expected: float) -> None:
        self._expected = expected
        self._tenths = 0

    def advance(self, sent: int, caught_up: bool) -> None:
        """Take note of all trades sent so far, and of whether the history has ended."""
        if not self._expected or self._tenths == 10:
            return
        tenths = 10 if caught_up else min(int(sent / self._expected * 10), 9)
        if tenths > self._tenths:
            self._tenths = tenths
            _log.info("history_sent", percent=tenths * 10, trades=sent)


class Patience:
    """What to do while the queue is full: go on for as long as nobody wants to stop, and a little longer."""

    def __init__(self, health: Health, stop: Stop, clock: Callable[[], float]) -> None:
        self._health = health
        self._stop = stop
        self._clock = clock
        self._stop_noticed_at: float | None = None

    def wait(self) -> None:
        """Take note of one more wait.

        Raises
        ------
        Transient
            It is time to stop and the broker does not take what is queued.
        """
        self._health.beat()
        if not self._stop.requested:
            return
        if self._stop_noticed_at is None:
            self._stop_noticed_at = self._clock()
        elif self._clock() - self._stop_noticed_at > _PATIENCE_SECONDS:
            raise Transient("asked to stop, but the send queue stays full")


class Loop:
    """Carries trades from a source to the publisher until the source ends or a stop is wanted."""

    def __init__(
        self,
        source: Source,
        publisher: Publisher,
        health: Health,
        clock: Callable[[], float],
        progress: Progress,
        labels_path: Path | None = None,
    ) -> None:
        self._source = source
        self._publisher = publisher
        self._health = health
        self._clock = clock
        self._progress = progress
        self._labels_path = labels_path
        self._reported_at = clock()
        self._reported_delivered = 0
        self._lag_seconds: float | None = None
        self.trades = 0

    def run(self, stop: Stop) -> None:
        """Go round until the end; the wall clock decides what is due, so that no tick's lateness adds up."""
        while not stop.requested:
            batch = self._source.read(int(self._clock() * 1_000))
            if batch is None:
                return
            self._hand_over(batch)
            self._health.beat()
            self._health.set_ready(self._publisher.delivered > 0)
            self._report()
            if not batch.more:
                stop.wait(_TICK_SECONDS)

    def _hand_over(self, batch: Batch) -> None:
        self._publisher.send(batch.trades)
        self._publisher.send_values(batch.garbage)
        self._publisher.quarantine(batch.rejected)
        self._publisher.poll()
        self.trades += len(batch.trades)
        if batch.trades:
            self._lag_seconds = self._clock() - batch.trades[-1].event_time / 1_000
        if batch.labels and self._labels_path is not None:
            append_labels(self._labels_path, batch.labels)
        self._progress.advance(self.trades, caught_up=not batch.more)

    def _report(self) -> None:
        now = self._clock()
        if now - self._reported_at < _REPORT_SECONDS:
            return
        publisher = self._publisher
        _log.info(
            "trades_sent",
            trades=self.trades,
            delivered_per_second=round((publisher.delivered - self._reported_delivered) / (now - self._reported_at), 1),
            queued=publisher.sent - publisher.delivered - publisher.failed,
            lag_seconds=None if self._lag_seconds is None else round(self._lag_seconds, 3),
            backpressure=publisher.waits,
        )
        self._reported_at, self._reported_delivered = now, publisher.delivered


def append_labels(path: Path, labels: tuple[Label, ...]) -> None:
    """Append labels as JSON lines."""
    with path.open("ab") as file:
        file.write(msgspec.json.Encoder().encode_lines(labels))
