"""Buckets, rules and users on an object store in memory."""

from typing import Any, cast

import pytest
from minio import Minio
from minio.commonconfig import ENABLED, Filter
from minio.error import MinioAdminException, S3Error
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule
from pydantic import SecretStr
from structlog.testing import capture_logs

from volwatch.errors import Misconfigured, Transient
from volwatch.rawzone.provision import policy_document, provision, wanted_users
from volwatch.settings import RawzoneProvisionSettings, RawzoneSettings

SETTINGS = RawzoneSettings(endpoint="store:9000", access_key=SecretStr("root"), secret_key=SecretStr("root secret"))


def error(code: str) -> S3Error:
    return S3Error(cast("Any", None), code, "no", None, None, None)


class Store:
    """Buckets and their rules; some of what is asked of it is refused."""

    def __init__(self, *, aborts_uploads: bool = True, refuses: str = "") -> None:
        self.rules: dict[str, LifecycleConfig | None] = {}
        self.aborts_uploads = aborts_uploads
        self.refuses = refuses

    def bucket_exists(self, bucket: str) -> bool:
        return bucket in self.rules

    def make_bucket(self, bucket: str) -> None:
        self.rules[bucket] = None

    def get_bucket_lifecycle(self, bucket: str) -> LifecycleConfig | None:
        if self.refuses:
            raise error(self.refuses)
        return self.rules[bucket]

    def set_bucket_lifecycle(self, bucket: str, config: LifecycleConfig) -> None:
        if not self.aborts_uploads and any(rule.expiration is None for rule in config.rules):
            raise error("InvalidArgument")
        self.rules[bucket] = config

    def delete_bucket_lifecycle(self, bucket: str) -> None:
        self.rules[bucket] = None

    def expiry(self, bucket: str) -> list[tuple[str | None, int | None]]:
        config = self.rules[bucket]
        return [
            (rule.rule_filter.prefix, rule.expiration.days)
            for rule in (config.rules if config else [])
            if rule.rule_filter and rule.expiration
        ]


class Admin:
    """Users by access key: secret key and policy."""

    def __init__(self) -> None:
        self.policies: dict[str, dict[str, Any]] = {}
        self.users: dict[str, list[str]] = {}
        self.failure: Exception | None = None

    def policy_add(self, policy_name: str, *, policy: dict[str, Any]) -> str:
        if self.failure is not None:
            raise self.failure
        self.policies[policy_name] = policy
        return ""

    def user_add(self, access_key: str, secret_key: str) -> str:
        self.users[access_key] = [secret_key]
        return ""

    def policy_set(self, policy_name: str, *, user: str) -> str:
        self.users[user].append(policy_name)
        return ""


def run(store: Store, admin: Admin | None = None, **wanted: object) -> None:
    def connect(_settings: RawzoneSettings) -> Admin:
        assert admin is not None, "the store was asked for users"
        return admin

    provision(SETTINGS, RawzoneProvisionSettings.model_validate(wanted), cast("Minio", store), connect)


def test_plain_s3_gets_a_bucket_and_nobody_asks_minio_for_users() -> None:
    store = Store()
    run(store)
    assert list(store.rules) == ["raw"]
    assert store.expiry("raw") == []


def test_objects_and_logs_expire_each_in_its_time() -> None:
    store = Store()
    for _turn in range(2):
        run(store, log_bucket="logs", retention_days=400)
        assert {bucket: store.expiry(bucket) for bucket in store.rules} == {
            "raw": [("trades/", 400)],
            "logs": [("", 14)],
        }
    run(store, log_bucket="logs", log_retention_days=0)
    assert {bucket: store.expiry(bucket) for bucket in store.rules} == {"raw": [], "logs": []}


def test_uploads_that_were_cut_short_are_cleared_away_after_a_day() -> None:
    store = Store()
    run(store, retention_days=3)
    config = store.rules["raw"]
    assert config is not None
    aborts = [rule.abort_incomplete_multipart_upload for rule in config.rules]
    assert [abort.days_after_initiation for abort in aborts if abort is not None] == [1]


def test_a_store_that_knows_no_rule_for_uploads_gets_the_others() -> None:
    store = Store(aborts_uploads=False)
    run(store, retention_days=3)
    assert store.expiry("raw") == [("trades/", 3)]
    run(store)
    assert store.rules == {"raw": None}


def test_a_store_that_lets_nobody_set_rules_is_a_fault_only_where_one_is_wanted() -> None:
    with capture_logs() as logs:
        run(Store(refuses="AccessDenied"))
    assert [line["event"] for line in logs] == ["bucket_rules_refused"]
    with pytest.raises(Transient, match="AccessDenied"):
        run(Store(refuses="AccessDenied"), retention_days=3)


def test_rules_of_somebody_else_are_left_alone() -> None:
    theirs = LifecycleConfig(
        [Rule(ENABLED, rule_filter=Filter(prefix=""), rule_id="theirs", expiration=Expiration(days=9))]
    )
    store = Store()
    store.rules["raw"] = theirs
    run(store)
    with pytest.raises(Misconfigured, match="bucket raw has lifecycle rules of somebody else's"):
        run(store, retention_days=3)
    assert store.rules == {"raw": theirs}


KEYS = {
    "log_bucket": "logs",
    "consumer_access_key": "consumer",
    "consumer_secret_key": "consumer-secret",
    "pipeline_access_key": "pipeline",
    "pipeline_secret_key": "pipeline-secret",
    "airflow_access_key": "airflow",
    "airflow_secret_key": "airflow-secret",
}


def test_each_pair_becomes_a_user_with_its_own_policy() -> None:
    admin = Admin()
    run(Store(), admin, **KEYS)
    assert admin.users == {
        "consumer": ["consumer-secret", "volwatch-consumer"],
        "pipeline": ["pipeline-secret", "volwatch-pipeline"],
        "airflow": ["airflow-secret", "volwatch-airflow"],
    }
    assert set(admin.policies) == {"volwatch-consumer", "volwatch-pipeline", "volwatch-airflow"}


def test_a_policy_has_least_rights() -> None:
    users = wanted_users(SETTINGS, RawzoneProvisionSettings.model_validate(KEYS))
    allowed = {
        user.policy: [(part["Resource"], sorted(part["Action"])) for part in policy_document(user)["Statement"]]
        for user in users
    }
    listing = ["s3:GetBucketLocation", "s3:ListBucket"]
    writing = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
    assert allowed == {
        "volwatch-consumer": [(["arn:aws:s3:::raw"], listing), (["arn:aws:s3:::raw/*"], writing)],
        "volwatch-pipeline": [(["arn:aws:s3:::raw"], listing), (["arn:aws:s3:::raw/*"], ["s3:GetObject"])],
        "volwatch-airflow": [
            (["arn:aws:s3:::logs"], listing),
            (["arn:aws:s3:::logs/*"], sorted([*writing, "s3:DeleteObject"])),
        ],
    }


def test_names_that_collide_are_all_told() -> None:
    with pytest.raises(Misconfigured) as caught:
        run(
            Store(),
            Admin(),
            **{**KEYS, "log_bucket": "raw", "consumer_access_key": "root", "pipeline_access_key": "airflow"},
        )
    assert caught.value.faults == [
        "the raw bucket and the log bucket are both called raw",
        "the access key of volwatch-consumer is that of another user",
        "the access key of volwatch-pipeline is that of another user",
        "the access key of volwatch-airflow is that of another user",
    ]


def test_a_store_that_is_no_minio_makes_no_users() -> None:
    admin = Admin()
    admin.failure = MinioAdminException("404", "no such page")
    with pytest.raises(Transient, match="users of MinIO: admin request failed; Status: 404"):
        run(Store(), admin, **KEYS)
