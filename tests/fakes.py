"""Small real implementations of what the stages talk to, in memory."""

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from typing import Any

from hypothesis import strategies as st

from volwatch.errors import Transient
from volwatch.rawzone.keys import ObjectKey
from volwatch.receiving import Run, Taken
from volwatch.sifting import Reject
from volwatch.trade import MAX_TIME_MS, Trade, encode

TIMESTAMP_MS = 1_767_625_200_000  # 2026-01-05T15:00:00Z

PROVIDER: Mapping[str, str] = {
    "OIDC_METADATA_URL": "https://id.example.org/.well-known/openid-configuration",
    "OIDC_CLIENT_ID": "volwatch",
    "OIDC_CLIENT_SECRET": "a client secret",
    "OIDC_REDIRECT_URI": "https://volwatch.example.org/oauth2callback",
    "COOKIE_SECRET": "0123456789abcdef0123456789abcdef",
}
"""What tells the dashboard (VOLWATCH_DASHBOARD_*) by whom people sign in."""

_texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=[*map(chr, range(32)), "\x7f"]), min_size=1
)
_times = st.integers(0, MAX_TIME_MS)
_numbers = st.floats(allow_nan=False, allow_infinity=False)

trades = st.builds(
    Trade,
    source=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True),
    symbol=_texts.map(lambda text: text[:64]),
    event_time=_times,
    price=_numbers,
    size=_numbers,
    conditions=st.lists(_texts.map(lambda text: text[:32]), max_size=3).map(tuple),
    trade_id=st.none() | _texts.map(lambda text: text[:128]),
    received_at=_times,
    seq=st.integers(0, 2**63 - 1),
)
"""Every trade there can be."""


def some_trade(seq: int) -> Trade:
    return Trade("simulator", "AAPL", TIMESTAMP_MS + seq, 101.25, 10.0, (), None, TIMESTAMP_MS + seq + 3, seq)


class InlineExecutor(Executor):
    """Does its work at once, on the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # what a thread of an executor does too: the future tells it
            future.set_exception(error)
        return future


class HeldExecutor(Executor):
    """Does its work when told to, in the order of submission."""

    def __init__(self) -> None:
        self._held: deque[Callable[[], None]] = deque()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._held.append(lambda: future.set_result(fn(*args, **kwargs)))
        return future

    def work(self) -> None:
        while self._held:
            self._held.popleft()()


class MemoryStore:
    """An object store that fails the next so many puts."""

    def __init__(self) -> None:
        self.objects: dict[ObjectKey, bytes] = {}
        self.failures = 0
        self.puts = 0

    def put(self, key: ObjectKey, data: bytes) -> None:
        self.puts += 1
        if self.failures:
            self.failures -= 1
            raise Transient("the store is away")
        self.objects[key] = data


class MemoryQuarantine:
    """Records set aside; fails when told to."""

    def __init__(self) -> None:
        self.rejects: list[Reject] = []
        self.away = False

    def send(self, rejects: list[Reject]) -> None:
        if self.away and rejects:
            raise Transient("the quarantine is away")
        self.rejects += rejects


class MemoryBroker:
    """A topic and the committed positions of one group, whose only member may come and go."""

    def __init__(self) -> None:
        self.log: dict[int, list[bytes | None]] = {}
        self.committed: dict[int, int] = {}
        self.commit_failures = 0
        self.paused = False
        self.open = False
        self._positions: dict[int, int] = {}
        self.on_revoke: Taken
        self.on_lost: Taken

    def send(self, partition: int, *values: bytes | None) -> None:
        self.log.setdefault(partition, []).extend(values)

    def send_trades(self, partition: int, count: int) -> None:
        first = len(self.log.get(partition, []))
        self.send(partition, *(encode(some_trade(first + index)) for index in range(count)))

    def take_away(self, *partitions: int) -> None:
        """Revoke partitions and give them back at once."""
        self.on_revoke(list(partitions))
        for partition in partitions:
            self._positions.pop(partition, None)

    def subscribe(self, on_revoke: Taken, on_lost: Taken) -> None:
        self.on_revoke, self.on_lost, self.open = on_revoke, on_lost, True
        self._positions = {}

    def read(self, most_records: int, timeout_seconds: float) -> list[Run]:
        if self.paused:
            return []
        runs = []
        for partition, values in sorted(self.log.items()):
            first = self._positions.get(partition, self.committed.get(partition, 0))
            taken = values[first : first + most_records]
            if taken:
                offsets = list(range(first, first + len(taken)))
                runs.append(Run(partition, offsets, taken, TIMESTAMP_MS + first))
            self._positions[partition] = first + len(taken)
        return runs

    def commit(self, positions: Mapping[int, int]) -> None:
        if self.commit_failures:
            self.commit_failures -= 1
            raise Transient("the coordinator is away")
        self.committed.update(positions)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def close(self) -> None:
        if self.open:
            self.on_revoke(sorted(self._positions))
        self.open = False
