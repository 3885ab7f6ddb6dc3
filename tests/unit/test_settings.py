import pytest

from volwatch.errors import Misconfigured
from volwatch.settings import (
    ConsumerSettings,
    DashboardSettings,
    FinnhubSettings,
    KafkaSettings,
    RawzoneProvisionSettings,
    RawzoneSettings,
    ServiceSettings,
    WarehouseProvisionSettings,
    WarehouseSettings,
    as_environment,
    describe,
    load,
    load_one,
)

RAWZONE = {
    "VOLWATCH_RAWZONE_ENDPOINT": "localhost:9000",
    "VOLWATCH_RAWZONE_ACCESS_KEY": "an access key",
    "VOLWATCH_RAWZONE_SECRET_KEY": "a secret key",
}


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_groups_are_read_from_their_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {**RAWZONE, "VOLWATCH_CONSUMER_FLUSH_ROWS": "7"})
    rawzone, consumer = load(RawzoneSettings, ConsumerSettings)
    assert (rawzone.endpoint, rawzone.secret_key.get_secret_value()) == ("localhost:9000", "a secret key")
    assert (consumer.flush_rows, consumer.flush_seconds) == (7, 15.0)


def test_all_faults_of_all_groups_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"VOLWATCH_CONSUMER_FLUSH_ROWS": "0", "VOLWATCH_SERVICE_PORT": "http"})
    monkeypatch.delenv("VOLWATCH_KAFKA_BOOTSTRAP", raising=False)
    with pytest.raises(Misconfigured) as caught:
        load(KafkaSettings, ConsumerSettings, ServiceSettings)
    assert caught.value.faults == [
        "VOLWATCH_KAFKA_BOOTSTRAP is not set",
        "VOLWATCH_CONSUMER_FLUSH_ROWS: Input should be greater than or equal to 1",
        "VOLWATCH_SERVICE_PORT: Input should be a valid integer, unable to parse string as an integer",
    ]


def test_secrets_print_as_stars(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, RAWZONE)
    shown = repr(load_one(RawzoneSettings))
    assert "secret_key=SecretStr('**********')" in shown
    assert "a secret key" not in shown


def test_what_is_given_to_a_process_loads_there_as_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, RAWZONE)
    rawzone = load_one(RawzoneSettings)
    variables = as_environment(rawzone)
    assert variables.items() >= RAWZONE.items()
    set_all(monkeypatch, variables)
    assert load_one(RawzoneSettings) == rawzone


def test_a_plain_connection_needs_only_its_address() -> None:
    assert KafkaSettings(bootstrap="kafka:9092").client_config() == {
        "bootstrap.servers": "kafka:9092",
        "security.protocol": "PLAINTEXT",
    }


def test_an_authenticated_connection_has_its_name_password_and_authority() -> None:
    settings = KafkaSettings.model_validate(
        {
            "bootstrap": "kafka:9093",
            "security_protocol": "SASL_SSL",
            "username": "consumer",
            "password": "a password",
            "ca_file": "/etc/ca.pem",
        }
    )
    assert settings.client_config() == {
        "bootstrap.servers": "kafka:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "consumer",
        "sasl.password": "a password",
        "ssl.ca.location": "/etc/ca.pem",
    }


def test_a_group_describes_each_variable() -> None:
    told = describe(WarehouseSettings)
    assert "  VOLWATCH_WAREHOUSE_HOST\n      host name, or the folder of a Unix socket; required\n" in told
    assert "  VOLWATCH_WAREHOUSE_PORT\n      default 5432\n" in told
    assert told.count("VOLWATCH_WAREHOUSE_") == len(WarehouseSettings.model_fields)


PROVISION = "VOLWATCH_RAWZONE_PROVISION_"


def test_keys_of_users_come_in_pairs_and_every_half_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "CONSUMER_ACCESS_KEY": "consumer",
        "PIPELINE_SECRET_KEY": "a secret key",
        "AIRFLOW_ACCESS_KEY": "airflow",
        "AIRFLOW_SECRET_KEY": "short",
    }
    set_all(monkeypatch, {PROVISION + name: value for name, value in given.items()})
    with pytest.raises(Misconfigured) as caught:
        load_one(RawzoneProvisionSettings)
    assert caught.value.faults == [
        f"{PROVISION}CONSUMER_SECRET_KEY: set both or none: it belongs to {PROVISION}CONSUMER_ACCESS_KEY",
        f"{PROVISION}PIPELINE_SECRET_KEY: set both or none: it belongs to {PROVISION}PIPELINE_ACCESS_KEY",
        f"{PROVISION}AIRFLOW_ACCESS_KEY: is of no use without {PROVISION}LOG_BUCKET",
        f"{PROVISION}AIRFLOW_SECRET_KEY: Value should have at least 8 items after validation, not 5",
    ]


def test_an_empty_secret_of_a_provisioning_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{PROVISION}CONSUMER_ACCESS_KEY", f"{PROVISION}CONSUMER_SECRET_KEY"]
    set_all(monkeypatch, dict.fromkeys([*names, "VOLWATCH_WAREHOUSE_PROVISION_READONLY_PASSWORD"], ""))
    rawzone, warehouse = load(RawzoneProvisionSettings, WarehouseProvisionSettings)
    assert (rawzone.consumer_access_key, rawzone.consumer_secret_key, warehouse.readonly_password) == (None, None, None)


def test_the_address_of_a_stream_is_one_of_a_websocket_and_holds_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"VOLWATCH_FINNHUB_TOKEN": "t0ken", "VOLWATCH_FINNHUB_SYMBOLS": "AAPL"})
    assert load_one(FinnhubSettings).url == "wss://ws.finnhub.io"
    assert "t0ken" not in repr(load_one(FinnhubSettings))
    for url in ("https://ws.finnhub.io", "wss://ws.finnhub.io?token=t0ken"):
        with pytest.raises(Misconfigured) as caught:
            load_one(FinnhubSettings, url=url)
        assert [fault.partition(":")[0] for fault in caught.value.faults] == ["VOLWATCH_FINNHUB_URL"]
        assert "t0ken" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "https://minio.example/browser/raw/{key}", "http://a:9001/?prefix={key}#view"])
def test_raw_objects_are_seen_at_an_address_with_a_place_for_their_key(url: str) -> None:
    assert load_one(DashboardSettings, rawzone_browser=url).rawzone_browser == url


@pytest.mark.parametrize(
    "url", ["https://minio.example/raw", "javascript:alert(1)/{key}", "https://{key}", "https://a/{key}/{name}", "a b"]
)
def test_an_address_of_raw_objects_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        load_one(DashboardSettings, rawzone_browser=url)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["VOLWATCH_DASHBOARD_RAWZONE_BROWSER"]
