"""The object store under the raw zone: any S3, through the minio client."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

import certifi
import structlog
import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from volwatch.errors import BadObject, Transient
from volwatch.rawzone.keys import PREFIX, ObjectKey, hour_prefix
from volwatch.settings import RawzoneSettings

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a listing tells of an object."""

    key: ObjectKey
    size_bytes: int
    etag: str
    modified_at: datetime


class Rawzone:
    """The objects of one bucket. Every method raises ``Transient`` when the store does not do its part."""

    def __init__(self, client: Minio, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    @classmethod
    def connect(cls, settings: RawzoneSettings) -> "Rawzone":
        """Return the raw zone that the settings name; nothing is sent yet."""
        return cls(s3_client(settings), settings.bucket)

    def ensure_bucket(self) -> None:
        """Make the bucket where it does not exist."""
        with store_errors():
            if not self._client.bucket_exists(self._bucket):
                self._make_bucket()

    def _make_bucket(self) -> None:
        try:
            self._client.make_bucket(self._bucket)
        except S3Error as error:
            if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):  # another one was faster
                raise

    def check(self) -> None:
        """Return when the bucket is there and these keys may list it."""
        with store_errors():
            found = self._client.bucket_exists(self._bucket)
        if not found:
            raise Transient(f"raw zone: there is no bucket {self._bucket}")

    def put(self, key: ObjectKey, data: bytes) -> None:
        """Store an object; return only when the store shows it whole."""
        with store_errors():
            put = self._client.put_object(
                self._bucket, str(key), BytesIO(data), len(data), content_type="application/gzip"
            )
            found = self._client.stat_object(self._bucket, str(key))
        if (found.etag, found.size) != (put.etag, len(data)):
            raise Transient(f"{key}: stored {len(data)} bytes as {put.etag}, found {found.size} as {found.etag}")

    def read(self, key: ObjectKey) -> bytes:
        """Return an object's bytes."""
        with store_errors():
            response = self._client.get_object(self._bucket, str(key))
            try:
                return response.read()
            finally:
                response.close()
                response.release_conn()

    def list_objects(self, hour: datetime, start_after: ObjectKey | None = None) -> Iterator[ObjectInfo]:
        """Yield the objects of one hour behind a key, in the order of their keys, a page at a time."""
        yield from self._list(hour_prefix(hour), start_after)

    def list_all(self, start_after: ObjectKey | None = None) -> Iterator[ObjectInfo]:
        """Yield every object behind a key, a page at a time: for a full reconcile, never for a load."""
        yield from self._list(PREFIX, start_after)

    def _list(self, prefix: str, start_after: ObjectKey | None) -> Iterator[ObjectInfo]:
        behind = None if start_after is None else str(start_after)
        with store_errors():
            listing = self._client.list_objects(self._bucket, prefix=prefix, recursive=True, start_after=behind)
            for found in listing:
                info = _object_info(found)
                if info is not None:
                    yield info


def _object_info(found: Any) -> ObjectInfo | None:
    try:
        key = ObjectKey.parse(found.object_name)
    except BadObject as error:
        # Somebody else's file must not stop the platform, nor be taken for trades.
        _log.warning("foreign_object_skipped", object=found.object_name, reason=error.reason)
        return None
    return ObjectInfo(key, found.size, found.etag, found.last_modified)


def s3_client(settings: RawzoneSettings) -> Minio:
    """Return a client of the store; nothing is sent yet."""
    return Minio(
        settings.endpoint,
        access_key=settings.access_key.get_secret_value(),
        secret_key=settings.secret_key.get_secret_value(),
        secure=settings.secure,
        region=settings.region,
        http_client=http_client(settings.ca_file),
    )


def http_client(ca_file: str | None) -> urllib3.PoolManager:
    """Return the connections under a client."""
    # The client's own default waits five minutes for each answer; here a store that hangs must be noticed and retried.
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=5.0, read=30.0),
        maxsize=10,
        cert_reqs="CERT_REQUIRED",
        ca_certs=ca_file or certifi.where(),
        retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)),
    )


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn every fault of the store into ``Transient``."""
    try:
        yield
    except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
        raise Transient(f"raw zone: {error}") from error
