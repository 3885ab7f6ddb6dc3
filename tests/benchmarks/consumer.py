"""Kafka to the raw zone: the consumer's own loop in one process, against peers that read the same messages.

Each side's clock runs from the first records it is given, so that joining the group is in no rate, to the moment when
the last record is committed (ours, the hand-written loop) or read (the reader that does nothing). That reader has our
settings of the client, for with its defaults it would wait most of the time; the hand-written loop has the defaults.
"""

import gc
import random
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

from tests.benchmarks.handwritten import HandWritten
from tests.benchmarks.market import MESSAGES, trades
from tests.benchmarks.measure import Measured, Timed, Unequal, measure
from tests.benchmarks.producer import connected, publish
from tests.benchmarks.reading import each_batch, each_message, subscribed
from tests.benchmarks.servers import Servers
from volwatch.analytics.trades import Trades, concatenate
from volwatch.backoff import Backoff
from volwatch.consumer.batch import Limits
from volwatch.consumer.loop import Loop
from volwatch.consumer.quarantine import Quarantine
from volwatch.consumer.storing import Storing
from volwatch.rawzone.decode import decode_object
from volwatch.rawzone.store import Rawzone
from volwatch.receiving import FETCHING, Run, Subscription
from volwatch.runtime import Health, Stop
from volwatch.settings import ConsumerSettings, KafkaSettings, RawzoneSettings

_MARKETS = 2  # with fewer messages the beginning and the end, when only one half of the work is done, weigh too much
_OBJECTS_HELD = 4  # as volwatch.consumer.main holds


class Watched:
    """The broker as the loop sees it, which stops the loop when it has read all there is.

    ``seconds`` runs from the first records to the last commit.
    """

    def __init__(self, subscription: Subscription, count: int, stop: Stop) -> None:
        self._subscription = subscription
        self._left = count
        self._stop = stop
        self._began: float | None = None
        self.seconds = 0.0
        self.subscribe = subscription.subscribe
        self.pause = subscription.pause
        self.resume = subscription.resume
        self.close = subscription.close

    def read(self, most_records: int, timeout_seconds: float) -> list[Run]:
        """Return what comes, and count it."""
        runs = self._subscription.read(most_records, timeout_seconds)
        if runs and self._began is None:
            self._began = time.perf_counter()
        self._left -= sum(len(run.offsets) for run in runs)
        if self._left <= 0:
            self._stop.request()
        return runs

    def commit(self, positions: Mapping[int, int]) -> None:
        """Commit, and note when that was."""
        self._subscription.commit(positions)
        if self._began is not None:
            self.seconds = time.perf_counter() - self._began


def run(servers: Servers, tell: Callable[[str], None]) -> Measured:
    """Measure the loop against a reader that does nothing with the messages."""
    tell("consumer: filling the topic")
    settings, count = _filled_topic(servers)

    def check(made: Trades, expected: int) -> None:
        if len(made) != expected:
            raise Unequal(f"consumer: {len(made)} rows are stored, {expected} were read")

    return measure(
        "consumer",
        "trades/s",
        count,
        lambda: consume(settings, servers.new_bucket(), count),
        lambda: read_only(settings, count),
        check,
        tell,
    )


def run_against_loop(servers: Servers, tell: Callable[[str], None]) -> Measured:
    """Measure the loop against ``json.loads`` and ``csv.writer`` for each message, into the same store."""
    tell("consumer: filling the topic")
    settings, count = _filled_topic(servers)
    return measure(
        "consumer_vs_loop",
        "trades/s",
        count,
        lambda: consume(settings, servers.new_bucket(), count),
        lambda: consume_by_hand(settings, servers.new_bucket(), count),
        check_stored,
        tell,
    )


def consume(kafka: KafkaSettings, rawzone: RawzoneSettings, count: int) -> Timed[Trades]:
    """Store the whole topic as the consumer does, with its default settings."""
    settings, stop = ConsumerSettings(), Stop()
    _freeze()
    broker = Watched(Subscription.connect(kafka, uuid.uuid4().hex, "bench"), count, stop)
    backoff = Backoff(settings.store_attempts, random.random)
    with ThreadPoolExecutor(1) as putter:
        Loop(
            broker,
            Storing(Rawzone.connect(rawzone), putter, backoff, stop.wait),
            Quarantine.connect(kafka),
            Limits(settings.flush_rows, settings.buffer_bytes // _OBJECTS_HELD, settings.flush_seconds),
            settings.buffer_bytes,
            backoff,
            Health(),
        ).run(stop)
    return broker.seconds, _stored(rawzone)


def consume_by_hand(kafka: KafkaSettings, rawzone: RawzoneSettings, count: int) -> Timed[Trades]:
    """Store the whole topic by the hand-written loop, in objects of as many rows."""
    _freeze()
    client = subscribed(kafka, uuid.uuid4().hex)
    writer = HandWritten(client, kafka.topic, Rawzone.connect(rawzone), ConsumerSettings().flush_rows)
    began = each_message(client, count, writer.take)
    writer.finish()
    seconds = time.perf_counter() - began
    client.close()
    return seconds, _stored(rawzone)


def read_only(kafka: KafkaSettings, count: int) -> Timed[int]:
    """Read the whole topic and do nothing with it."""
    _freeze()
    client = subscribed(kafka, uuid.uuid4().hex, FETCHING)
    sizes: list[int] = []
    began = each_batch(client, count, lambda messages: sizes.append(len(messages)))
    seconds = time.perf_counter() - began
    client.close()
    return seconds, sum(sizes)


def check_stored(made: Trades, expected: Trades) -> None:
    """Compare the rows of two raw zones, column by column."""
    columns = ("event_time", "received_at", "price", "size", "offset")
    same = all(np.array_equal(getattr(made, name), getattr(expected, name)) for name in columns)
    if not same or _series_of(made) != _series_of(expected):
        raise Unequal("consumer_vs_loop: the rows stored differ")


@cache
def _filled_topic(servers: Servers) -> tuple[KafkaSettings, int]:
    market = trades(MESSAGES)
    settings = servers.new_topic()
    for _ in range(_MARKETS):
        publish(connected(settings, market[0]), market[1:])
    return settings, _MARKETS * len(market)


def _freeze() -> None:
    """Keep the collector from what this process holds beside the consumer, as volwatch.consumer.main does."""
    gc.collect()
    gc.freeze()


def _stored(rawzone: RawzoneSettings) -> Trades:
    """Return the rows of all objects, in the order of partitions and offsets."""
    store = Rawzone.connect(rawzone)
    return concatenate([decode_object(store.read(found.key), found.key).trades for found in store.list_all()])


def _series_of(rows: Trades) -> list[tuple[str, str]]:
    return [rows.series[code] for code in rows.code.tolist()]
