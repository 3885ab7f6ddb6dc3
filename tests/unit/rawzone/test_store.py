from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, cast

import pytest
import urllib3
from minio import Minio
from minio.error import ServerError

from volwatch.errors import Transient
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import ObjectInfo, Rawzone

HOUR = datetime(2026, 1, 5, 15, tzinfo=UTC)
KEY = ObjectKey(HOUR, 3, 120, 179)


@dataclass
class Found:
    object_name: str
    size: int
    etag: str = "e1"
    last_modified: datetime = HOUR


class Client:
    """Enough of an S3 client to see what the raw zone asks of it."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.failure: Exception | None = None
        self.loses_bytes = 0
        self.pages: list[tuple[str, str | None]] = []

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    def put_object(self, _bucket: str, name: str, data: BytesIO, _length: int, content_type: str) -> Found:
        self._fail()
        self.objects[name] = data.read()
        return Found(name, len(self.objects[name]))

    def stat_object(self, _bucket: str, name: str) -> Found:
        return Found(name, len(self.objects[name]) - self.loses_bytes)

    def get_object(self, _bucket: str, name: str) -> urllib3.HTTPResponse:
        self._fail()
        return urllib3.HTTPResponse(BytesIO(self.objects[name]), preload_content=False)

    def list_objects(self, _bucket: str, prefix: str, recursive: bool, start_after: str | None) -> Iterator[Found]:
        assert recursive
        self.pages.append((prefix, start_after))
        for name in sorted(self.objects):
            if name.startswith(prefix) and name > (start_after or ""):
                self._fail()
                yield Found(name, len(self.objects[name]))


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def rawzone(client: Client) -> Rawzone:
    return Rawzone(cast("Minio", client), "raw")


def key(hour: int, partition: int, first_offset: int) -> ObjectKey:
    return ObjectKey(HOUR.replace(hour=hour), partition, first_offset, first_offset + 9)


def test_what_is_put_is_read_back(rawzone: Rawzone) -> None:
    rawzone.put(KEY, b"bytes")
    assert rawzone.read(KEY) == b"bytes"


def test_a_put_that_the_store_does_not_show_whole_failed(rawzone: Rawzone, client: Client) -> None:
    client.loses_bytes = 1
    with pytest.raises(Transient, match="found 4"):
        rawzone.put(KEY, b"bytes")


def test_an_hour_lists_its_own_objects_behind_the_one_named(rawzone: Rawzone, client: Client) -> None:
    for some in (key(15, 0, 0), key(15, 0, 10), key(15, 1, 0), key(16, 0, 20)):
        rawzone.put(some, b"bytes")
    assert list(rawzone.list_objects(HOUR, key(15, 0, 0))) == [
        ObjectInfo(key(15, 0, 10), 5, "e1", HOUR),
        ObjectInfo(key(15, 1, 0), 5, "e1", HOUR),
    ]
    assert client.pages == [("trades/date=2026-01-05/hour=15/", str(key(15, 0, 0)))]


def test_a_full_listing_has_every_hour(rawzone: Rawzone) -> None:
    keys = [key(15, 0, 0), key(16, 0, 20)]
    for some in keys:
        rawzone.put(some, b"bytes")
    assert [info.key for info in rawzone.list_all()] == keys
    assert [info.key for info in rawzone.list_all(keys[0])] == keys[1:]


def test_a_file_that_is_not_ours_is_passed_over(rawzone: Rawzone, client: Client) -> None:
    rawzone.put(KEY, b"bytes")
    client.objects["trades/date=2026-01-05/hour=15/README.md"] = b"hello"
    assert [info.key for info in rawzone.list_objects(HOUR)] == [KEY]


@pytest.mark.parametrize(
    "failure",
    [
        cast("Any", urllib3.exceptions.MaxRetryError)(None, "/raw", None),
        ServerError("server failed with HTTP status code 500", 500),
        ConnectionResetError("gone"),
    ],
)
def test_every_fault_of_the_store_is_transient(rawzone: Rawzone, client: Client, failure: Exception) -> None:
    rawzone.put(KEY, b"bytes")
    client.failure = failure
    with pytest.raises(Transient):
        rawzone.put(KEY, b"bytes")
    with pytest.raises(Transient):
        rawzone.read(KEY)
    with pytest.raises(Transient):
        list(rawzone.list_objects(HOUR))
