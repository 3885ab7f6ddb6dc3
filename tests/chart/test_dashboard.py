"""The dashboard: it knows a provider only where one is told, and its secrets come from the Secret that is named."""

from typing import Any

import pytest

from tests.chart.pods import Pod, pods
from tests.chart.rendering import CASES, Case, render
from tests.chart.test_network import outside

DASHBOARD = "volwatch-dashboard"
PREFIX = "VOLWATCH_DASHBOARD_"
SIGN_IN = (
    "dashboard.existingSecret=mine",
    "dashboard.oidc.metadataUrl=https://id.example.com/.well-known/openid-configuration",
    "dashboard.oidc.clientId=volwatch",
    "dashboard.oidc.redirectUri=https://volwatch.example.com/oauth2callback",
    "dashboard.oidc.ports={8443}",
)


def dashboard(case: Case) -> Pod:
    (found,) = [pod for pod in pods(render(case)) if pod.owner == DASHBOARD]
    return found


def given(case: Case) -> dict[str, Any]:
    """Return the variables of the container: their values, or the key of the Secret that holds them."""
    (container,) = dashboard(case).spec["containers"]
    return {
        one["name"].removeprefix(PREFIX): one.get("value") or one["valueFrom"]["secretKeyRef"]
        for one in container["env"]
        if one["name"].startswith(PREFIX) and (one.get("value") or "valueFrom" in one)
    }


def test_a_provider_is_told_with_what_proves_who_we_are_from_the_secret() -> None:
    told = given(Case(sets=SIGN_IN))
    assert {name: value for name, value in told.items() if name.startswith(("OIDC_", "COOKIE_"))} == {
        "OIDC_METADATA_URL": "https://id.example.com/.well-known/openid-configuration",
        "OIDC_CLIENT_ID": "volwatch",
        "OIDC_REDIRECT_URI": "https://volwatch.example.com/oauth2callback",
        "OIDC_CLIENT_SECRET": {"name": "mine", "key": "client-secret"},
        "COOKIE_SECRET": {"name": "mine", "key": "cookie-secret"},
    }


def test_without_a_provider_nothing_of_one_is_told() -> None:
    assert [name for name in given(CASES["default"]) if name.startswith("OIDC_")] == []


def test_it_leaves_the_cluster_by_the_ports_of_the_provider_alone() -> None:
    assert outside(render(Case()), DASHBOARD) == []
    assert outside(render(Case(sets=SIGN_IN)), DASHBOARD) == [8443]


@pytest.mark.parametrize(("sets", "told"), [((), "false"), (("dashboard.readOnly=true",), "true")])
def test_it_is_read_only_where_it_shall_be(sets: tuple[str, ...], told: str) -> None:
    assert given(Case(sets=sets))["READ_ONLY"] == told
