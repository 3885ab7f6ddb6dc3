"""What the object store holds before its first use: buckets, rules by which objects expire, users with least rights.

Buckets and rules are plain S3. Users and their policies are MinIO's own, made only where their keys are given.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from minio import Minio, MinioAdmin
from minio.commonconfig import ENABLED, Filter
from minio.credentials import StaticProvider
from minio.error import MinioAdminException, S3Error
from minio.lifecycleconfig import AbortIncompleteMultipartUpload, Expiration, LifecycleConfig, Rule
from pydantic import SecretStr

from volwatch.errors import Misconfigured, Transient
from volwatch.rawzone.keys import PREFIX
from volwatch.rawzone.store import Rawzone, http_client, s3_client, store_errors
from volwatch.settings import RawzoneProvisionSettings, RawzoneSettings

_log = structlog.get_logger()

# Every rule of ours begins so; a bucket with another one is governed by somebody else.
_OURS = "volwatch-"
_UPLOAD_DAYS = 1
# MinIO knows no rule for uploads that were cut short: it clears them away by itself, after a day too.
_UNKNOWN_RULE = {"InvalidArgument", "MalformedXML", "NotImplemented"}

_READ = ["s3:GetObject"]
_WRITE = [*_READ, "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
_LIST = ["s3:ListBucket", "s3:GetBucketLocation"]


class Admin(Protocol):
    """The part of ``minio.MinioAdmin`` that is used here."""

    def user_add(self, access_key: str, secret_key: str) -> str:
        """Make a user, or give it another secret key."""

    def policy_add(self, policy_name: str, *, policy: dict[str, Any]) -> str:
        """Make a policy, or replace it."""

    def policy_set(self, policy_name: str, *, user: str) -> str:
        """Give a user this policy and no other."""


@dataclass(frozen=True, slots=True)
class User:
    """A user that is wanted: its keys, and what it may do with the objects of one bucket."""

    policy: str
    access_key: str
    secret_key: SecretStr
    bucket: str
    actions: list[str]


def provision(
    settings: RawzoneSettings,
    wanted: RawzoneProvisionSettings,
    client: Minio | None = None,
    connect_admin: Callable[[RawzoneSettings], Admin] | None = None,
) -> None:
    """Make what is wanted, as the administrator that the settings name; running it again changes nothing.

    Raises
    ------
    Misconfigured
        Names or keys collide, or a bucket that somebody else governs shall have rules of ours.
    Transient
        The store did not do its part.
    """
    users = wanted_users(settings, wanted)
    client = client or s3_client(settings)
    rules = {settings.bucket: (PREFIX, wanted.retention_days)}
    if wanted.log_bucket:
        rules[wanted.log_bucket] = ("", wanted.log_retention_days)
    for bucket, (prefix, days) in rules.items():
        Rawzone(client, bucket).ensure_bucket()
        with store_errors():
            _set_rules(client, bucket, prefix, days)
    if users:
        _ensure_users((connect_admin or _admin)(settings), users)


def wanted_users(settings: RawzoneSettings, wanted: RawzoneProvisionSettings) -> list[User]:
    """Return the users whose keys are given.

    Raises
    ------
    Misconfigured
        Two buckets or two users have one name.
    """
    raw, logs = settings.bucket, wanted.log_bucket
    pairs = [
        ("volwatch-consumer", wanted.consumer_access_key, wanted.consumer_secret_key, raw, _WRITE),
        ("volwatch-pipeline", wanted.pipeline_access_key, wanted.pipeline_secret_key, raw, _READ),
        ("volwatch-airflow", wanted.airflow_access_key, wanted.airflow_secret_key, logs, [*_WRITE, "s3:DeleteObject"]),
    ]
    users = [
        User(policy, access.get_secret_value(), secret, bucket, actions)
        for policy, access, secret, bucket, actions in pairs
        if access is not None and secret is not None
    ]
    faults = [f"the raw bucket and the log bucket are both called {raw}"] if logs == raw else []
    names = [settings.access_key.get_secret_value(), *(user.access_key for user in users)]
    faults += [
        f"the access key of {user.policy} is that of another user" for user in users if names.count(user.access_key) > 1
    ]
    if faults:
        raise Misconfigured(faults)
    return users


def policy_document(user: User) -> dict[str, Any]:
    """Return the policy of a user, in the words of S3."""
    bucket = f"arn:aws:s3:::{user.bucket}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": _LIST, "Resource": [bucket]},
            {"Effect": "Allow", "Action": user.actions, "Resource": [f"{bucket}/*"]},
        ],
    }


def _set_rules(client: Minio, bucket: str, prefix: str, days: int) -> None:
    """Let objects expire after so many days (0: never), and uploads that were cut short after one."""
    try:
        if not _is_ours(client, bucket):
            if days:
                raise Misconfigured(
                    [f"bucket {bucket} has lifecycle rules of somebody else's: add yours there, and set its days to 0"]
                )
            return
        _put_rules(client, bucket, list(_expiry(prefix, days)))
    except S3Error as error:
        if days or error.code != "AccessDenied":
            raise
        # Nobody asked for a rule: a store that lets us set none still does all that we need.
        _log.warning("bucket_rules_refused", bucket=bucket, error=str(error))


def _is_ours(client: Minio, bucket: str) -> bool:
    try:
        found = client.get_bucket_lifecycle(bucket)
    except ValueError:  # a rule that this client cannot read is none of ours
        return False
    return found is None or all((rule.rule_id or "").startswith(_OURS) for rule in found.rules)


def _expiry(prefix: str, days: int) -> Iterator[Rule]:
    if days:
        expiration = Expiration(days=days)
        yield Rule(ENABLED, rule_filter=Filter(prefix=prefix), rule_id=f"{_OURS}expiry", expiration=expiration)


def _put_rules(client: Minio, bucket: str, rules: list[Rule]) -> None:
    abort = AbortIncompleteMultipartUpload(days_after_initiation=_UPLOAD_DAYS)
    uploads = Rule(
        ENABLED, rule_filter=Filter(prefix=""), rule_id=f"{_OURS}uploads", abort_incomplete_multipart_upload=abort
    )
    try:
        client.set_bucket_lifecycle(bucket, LifecycleConfig([*rules, uploads]))
    except S3Error as error:
        if error.code not in _UNKNOWN_RULE:
            raise
        if rules:
            client.set_bucket_lifecycle(bucket, LifecycleConfig(rules))
        else:
            client.delete_bucket_lifecycle(bucket)


def _ensure_users(admin: Admin, users: Iterable[User]) -> None:
    try:
        with store_errors():
            for user in users:
                admin.policy_add(user.policy, policy=policy_document(user))
                admin.user_add(user.access_key, user.secret_key.get_secret_value())
                admin.policy_set(user.policy, user=user.access_key)
                _log.info("user_provisioned", policy=user.policy, bucket=user.bucket)
    except MinioAdminException as error:
        raise Transient(f"raw zone, users of MinIO: {error}") from error


def _admin(settings: RawzoneSettings) -> Admin:
    return MinioAdmin(
        endpoint=settings.endpoint,
        credentials=StaticProvider(settings.access_key.get_secret_value(), settings.secret_key.get_secret_value()),
        region=settings.region,
        secure=settings.secure,
        http_client=http_client(settings.ca_file),
    )
