from collections.abc import Mapping

import pytest

from tests.fakes import PROVIDER
from volwatch.errors import Misconfigured
from volwatch.settings import DashboardSettings, load_one

DASHBOARD = "VOLWATCH_DASHBOARD_"
TOO = "set this too, or none of VOLWATCH_DASHBOARD_OIDC_*"
COOKIES = "to sign in, set 32 random characters or more: it proves who people are"


def dashboard(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> DashboardSettings:
    for name in PROVIDER:
        monkeypatch.delenv(DASHBOARD + name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(DASHBOARD + name, value)
    return load_one(DashboardSettings)


def faults(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        dashboard(monkeypatch, variables)
    return [fault.removeprefix(DASHBOARD) for fault in caught.value.faults]


def test_nobody_signs_in_where_no_provider_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not dashboard(monkeypatch, {}).signs_in
    assert not dashboard(monkeypatch, {"COOKIE_SECRET": "a secret"}).signs_in
    assert dashboard(monkeypatch, dict.fromkeys(PROVIDER, "")).oidc_client_secret is None


def test_people_sign_in_where_all_of_a_provider_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = dashboard(monkeypatch, PROVIDER)
    assert settings.signs_in
    assert "a client secret" not in repr(settings)


@pytest.mark.parametrize("name", [name for name in PROVIDER if name.startswith("OIDC")])
def test_part_of_a_provider_asks_for_the_rest_all_of_it_at_once(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    others = [other for other in PROVIDER if other not in (name, "COOKIE_SECRET")]
    expected = [*(f"{other}: {TOO}" for other in others), f"COOKIE_SECRET: {COOKIES}"]
    assert faults(monkeypatch, {name: PROVIDER[name]}) == expected


@pytest.mark.parametrize("secret", ["", "short", "0123456789abcdef0123456789abcde"])
def test_a_cookie_that_proves_who_people_are_is_signed_with_a_long_secret(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    assert faults(monkeypatch, {**PROVIDER, "COOKIE_SECRET": secret}) == [f"COOKIE_SECRET: {COOKIES}"]


@pytest.mark.parametrize(
    "address",
    [
        "https://volwatch.example.org",
        "https://volwatch.example.org/oauth2callback/",
        "https://volwatch.example.org/?to=/oauth2callback",
        "volwatch.example.org/oauth2callback",
    ],
)
def test_the_provider_leads_back_to_where_streamlit_waits(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    (fault,) = faults(monkeypatch, {**PROVIDER, "OIDC_REDIRECT_URI": address})
    assert fault.startswith("OIDC_REDIRECT_URI: String should match pattern")


def test_a_time_zone_that_there_is_not_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    (fault,) = faults(monkeypatch, {"TIME_ZONE": "Berlin"})
    assert "no time zone of this name" in fault
