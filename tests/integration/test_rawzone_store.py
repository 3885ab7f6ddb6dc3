"""What the raw zone asks of an S3 store, on MinIO, on a second store, and on any that the environment names."""

import hashlib
import http.client
import os
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from confluent_kafka import Producer
from minio.credentials import Credentials
from minio.signer import sign_v4_s3
from pydantic import SecretStr

from tests.integration.stores import Gateway, GivenStore, gateway_program
from tests.integration.worlds import World, end_mark, own_world, simulated
from volwatch.errors import Transient
from volwatch.local.ports import free_port
from volwatch.local.process import Processes
from volwatch.local.stack import Stack
from volwatch.rawzone.keys import ObjectKey, hour_prefix
from volwatch.rawzone.store import Rawzone, s3_client
from volwatch.settings import KafkaSettings, RawzoneSettings, WarehouseSettings, as_environment, inherited_environment
from volwatch.trade import Trade, encode

HOUR = datetime(2026, 1, 5, 15, tzinfo=UTC)
KEY = ObjectKey(HOUR, 3, 120, 179)
GIVEN = ["given"] if "VOLWATCH_TEST_S3_ENDPOINT" in os.environ else []
WAIT_SECONDS = 90.0


@pytest.fixture(scope="module")
def gateway(scratch: Path) -> Iterator[RawzoneSettings]:
    """The second store, started once for the module."""
    processes = Processes(scratch / "gateway")
    server = Gateway(processes, gateway_program(), free_port(random.SystemRandom()))
    try:
        server.start()
        yield server.settings
    finally:
        processes.release()


@pytest.fixture(scope="module", params=["minio", "versitygw", *GIVEN])
def store(request: pytest.FixtureRequest) -> RawzoneSettings:
    """How a store is reached."""
    return _store(request, request.param)


@pytest.fixture(scope="module", params=["versitygw", *GIVEN])
def second_store(request: pytest.FixtureRequest) -> RawzoneSettings:
    """How a store that is not MinIO is reached."""
    return _store(request, request.param)


def _store(request: pytest.FixtureRequest, name: str) -> RawzoneSettings:
    if name == "minio":
        stack: Stack = request.getfixturevalue("stack")
        return stack.rawzone_settings
    if name == "versitygw":
        settings: RawzoneSettings = request.getfixturevalue("gateway")
        return settings
    return GivenStore()


def own_bucket(store: RawzoneSettings) -> RawzoneSettings:
    return RawzoneSettings(**{**store.model_dump(), "bucket": f"raw-{uuid.uuid4().hex[:8]}"})


@pytest.fixture
def settings(store: RawzoneSettings) -> Iterator[RawzoneSettings]:
    """A bucket of the test's own, which is not there yet."""
    own = own_bucket(store)
    yield own
    drop_bucket(own)


def drop_bucket(settings: RawzoneSettings) -> None:
    client = s3_client(settings)
    if client.bucket_exists(settings.bucket):
        names = [found.object_name for found in client.list_objects(settings.bucket, recursive=True)]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda name: client.remove_object(settings.bucket, str(name)), names))
        client.remove_bucket(settings.bucket)


@pytest.fixture
def rawzone(settings: RawzoneSettings) -> Rawzone:
    made = Rawzone.connect(settings)
    made.ensure_bucket()
    return made


def numbered(number: int, hour: datetime = HOUR, partition: int = 0) -> ObjectKey:
    return ObjectKey(hour, partition, number * 10, number * 10 + 9)


@pytest.mark.parametrize("size_bytes", [1, 100_000, 12 * 2**20], ids=["a byte", "usual", "sent in parts"])
def test_what_is_put_is_read_back_and_listed_whole(rawzone: Rawzone, size_bytes: int) -> None:
    data = random.Random(1).randbytes(size_bytes)
    before = datetime.now(UTC) - timedelta(minutes=1)
    rawzone.put(KEY, data)
    assert rawzone.read(KEY) == data
    [found] = rawzone.list_objects(HOUR)
    assert (found.key, found.size_bytes, found.modified_at > before) == (KEY, size_bytes, True)


def test_an_object_that_is_put_again_is_the_newer_one(rawzone: Rawzone) -> None:
    """A consumer that was killed before it committed stores the same records again."""
    for data in (b"first" * 100, b"second"):
        rawzone.put(KEY, data)
    assert rawzone.read(KEY) == b"second"
    assert [(found.key, found.size_bytes) for found in rawzone.list_all()] == [(KEY, 6)]


def test_of_two_that_put_an_object_at_once_one_is_there_whole(rawzone: Rawzone, settings: RawzoneSettings) -> None:
    """Two consumers that both take themselves for the partition's store the same records."""
    client = s3_client(settings)
    bodies = [bytes([65 + number]) * 300_000 for number in range(4)]
    with ThreadPoolExecutor(len(bodies)) as threads:
        for body in bodies:
            threads.submit(client.put_object, settings.bucket, str(KEY), BytesIO(body), len(body))
    assert rawzone.read(KEY) in bodies


def test_a_listing_goes_over_its_pages_in_the_order_of_the_keys(rawzone: Rawzone, settings: RawzoneSettings) -> None:
    """Stores give at most a thousand names at once."""
    keys = [numbered(number, partition=number % 3) for number in range(1_200)]
    client = s3_client(settings)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: client.put_object(settings.bucket, str(key), BytesIO(b"x"), 1), keys))
    ordered = sorted(keys)
    assert [found.key for found in rawzone.list_objects(HOUR)] == ordered
    assert [found.key for found in rawzone.list_all(ordered[1_050])] == ordered[1_051:]
    assert [found.key for found in rawzone.list_objects(HOUR, ordered[99])] == ordered[100:]


def test_an_hour_lists_its_own_and_all_begins_behind_a_key_that_need_not_exist(rawzone: Rawzone) -> None:
    hours = [HOUR - timedelta(hours=1), HOUR, HOUR + timedelta(hours=1), HOUR + timedelta(days=1)]
    for number, hour in enumerate(hours):
        for partition in (10, 0, 2):
            rawzone.put(numbered(number, hour, partition), b"data")
    assert [found.key for found in rawzone.list_objects(HOUR)] == [numbered(1, HOUR, each) for each in (0, 2, 10)]
    behind = ObjectKey(HOUR, 99_999, 2**63 - 1, 2**63 - 1)
    assert [found.key.hour for found in rawzone.list_all(behind)] == [hours[2]] * 3 + [hours[3]] * 3
    assert list(rawzone.list_objects(HOUR + timedelta(hours=7))) == []


ODD_NAMES = (
    "README.md",
    "00003-1 2+3&4=5.csv.gz",
    "größe-€-取引.csv.gz",
    "a%2Fb%20c.csv.gz",
    "00000-00000000000000000000-00000000000000000009.csv.gz.part",
    "in a folder/00000-00000000000000000000-00000000000000000009.csv.gz",
)


def test_files_of_others_are_passed_over_whatever_they_are_called(rawzone: Rawzone, settings: RawzoneSettings) -> None:
    client = s3_client(settings)
    for name in ODD_NAMES:
        client.put_object(settings.bucket, hour_prefix(HOUR) + name, BytesIO(b"x"), 1)
    rawzone.put(KEY, b"data")
    held = {str(found.object_name) for found in client.list_objects(settings.bucket, recursive=True)}
    assert held == {str(KEY), *(hour_prefix(HOUR) + name for name in ODD_NAMES)}
    assert [found.key for found in rawzone.list_objects(HOUR)] == [KEY]
    assert [found.key for found in rawzone.list_all()] == [KEY]


def test_an_upload_that_breaks_off_leaves_nothing(rawzone: Rawzone, settings: RawzoneSettings) -> None:
    """A process that is killed while it stores: half of an object must not be there to load."""
    body = b"x" * 200_000
    upload(settings, numbered(1), body, len(body) // 2).close()
    answer = upload(settings, numbered(2), body, len(body)).getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    assert {found.key: found.size_bytes for found in rawzone.list_all()} == {numbered(2): len(body)}
    with pytest.raises(Transient):
        rawzone.read(numbered(1))


def upload(settings: RawzoneSettings, key: ObjectKey, body: bytes, sent_bytes: int) -> http.client.HTTPConnection:
    """Begin a put as the client does, with the digest of the whole body, and send so much of it."""
    path = quote(f"/{settings.bucket}/{key}")
    digest, now = hashlib.sha256(body).hexdigest(), datetime.now(UTC)
    headers = sign_v4_s3(
        method="PUT",
        url=urlsplit(f"http://{settings.endpoint}{path}"),
        region=settings.region,
        headers={"Host": settings.endpoint, "x-amz-content-sha256": digest, "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}"},
        credentials=Credentials(settings.access_key.get_secret_value(), settings.secret_key.get_secret_value()),
        content_sha256=digest,
        date=now,
    )
    make = http.client.HTTPSConnection if settings.secure else http.client.HTTPConnection
    connection = make(settings.endpoint, timeout=10)
    connection.putrequest("PUT", path, skip_host=True)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        connection.putheader(name, str(value))
    connection.endheaders(body[:sent_bytes])
    return connection


def test_a_bucket_is_made_once_by_however_many(settings: RawzoneSettings) -> None:
    with pytest.raises(Transient, match=f"there is no bucket {settings.bucket}"):
        Rawzone.connect(settings).check()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _turn: Rawzone.connect(settings).ensure_bucket(), range(4)))
    Rawzone.connect(settings).put(KEY, b"data")
    Rawzone.connect(settings).ensure_bucket()
    Rawzone.connect(settings).check()
    assert Rawzone.connect(settings).read(KEY) == b"data"


def test_an_absent_bucket_is_worth_waiting_for(settings: RawzoneSettings) -> None:
    absent = Rawzone.connect(settings)
    for attempt in (
        absent.check,
        lambda: absent.put(KEY, b"data"),
        lambda: absent.read(KEY),
        lambda: list(absent.list_all()),
    ):
        with pytest.raises(Transient):
            attempt()


@pytest.mark.parametrize("wrong", ["access_key", "secret_key"])
def test_wrong_keys_see_and_store_nothing(rawzone: Rawzone, settings: RawzoneSettings, wrong: str) -> None:
    rawzone.put(KEY, b"data")
    stranger = Rawzone.connect(settings.model_copy(update={wrong: SecretStr("not-a-key-of-this-store")}))
    for attempt in (
        stranger.check,
        lambda: stranger.put(KEY, b"theirs"),
        lambda: stranger.read(KEY),
        lambda: list(stranger.list_all()),
    ):
        with pytest.raises(Transient):
            attempt()
    assert rawzone.read(KEY) == b"data"


def test_an_object_that_is_not_there_is_named_as_missing(rawzone: Rawzone) -> None:
    with pytest.raises(Transient, match=r"NoSuchKey|does not exist"):
        rawzone.read(KEY)


QUICK = {"VOLWATCH_SERVICE_HOST": "127.0.0.1", "VOLWATCH_SERVICE_PORT": "0", "VOLWATCH_CONSUMER_FLUSH_SECONDS": "0.5"}


def test_trades_go_from_kafka_over_the_second_store_into_the_same_bars(
    stack: Stack, second_store: RawzoneSettings, platform: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rawzone = own_bucket(second_store)
    environment = {**platform, **as_environment(rawzone), **QUICK}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    world = World(rawzone, WarehouseSettings())
    trades = simulated(minutes=20, symbols=2, spike_minute=15)
    trades.append(end_mark(trades[-1]))
    try:
        with consumer(environment):
            produce(KafkaSettings(), trades)
            wait_until_loaded(world, len(trades))
        for bounded in ([], ["--since", "2020-01-01T00:00Z"]):
            reconciled = volwatch(environment, "reconcile", *bounded)
            assert reconciled.returncode == 0, reconciled.stdout + reconciled.stderr
        counted = world.select(
            "SELECT since IS NULL, sum(raw_rows)::int, sum(loaded_rows)::int FROM reconciliations GROUP BY 1"
        )
        assert sorted(counted) == [(False, len(trades), len(trades)), (True, len(trades), len(trades))]
    finally:
        drop_bucket(rawzone)
    with own_world(stack) as on_minio:
        on_minio.put_all(trades)
        on_minio.run()
        for table in ("stock_prices", "stock_volatility", "stock_signals", "quarantine"):
            own = ("updated_at", "quarantined_at", "quarantine_id")
            assert world.rows(table, *own) == on_minio.rows(table, *own)
        assert len(on_minio.rows("stock_prices")) > 20


def produce(kafka: KafkaSettings, trades: list[Trade]) -> None:
    producer = Producer({**kafka.client_config()})
    for trade in trades:
        producer.produce(kafka.topic, encode(trade), partition=0)
    assert producer.flush(30) == 0


def wait_until_loaded(world: World, rows: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while world.select("SELECT coalesce(sum(rows_loaded), 0)::bigint FROM raw_objects") != [(rows,)]:
        assert time.monotonic() < deadline, world.select("SELECT object_key, rows_loaded, fault FROM raw_objects")
        try:
            world.run()
        except Transient:  # the consumer makes the bucket
            time.sleep(0.1)


@contextmanager
def consumer(environment: Mapping[str, str]) -> Iterator[None]:
    """Run ``volwatch consumer`` beside the test, and have it stop as it should."""
    command = [sys.executable, "-m", "volwatch.cli", "consumer"]
    process = subprocess.Popen(command, env={**inherited_environment(), **environment})
    try:
        yield
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def volwatch(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "volwatch.cli", *arguments],
        env={**inherited_environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
