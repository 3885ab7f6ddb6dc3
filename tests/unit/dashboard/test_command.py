import argparse
import socket
from pathlib import Path

import pytest
from pydantic import SecretStr
from streamlit.config import get_config_options

from dashboard import command
from volwatch.errors import Misconfigured
from volwatch.runtime import Health
from volwatch.settings import DashboardSettings


def test_missing_settings_are_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "USER"):
        monkeypatch.delenv(f"VOLWATCH_WAREHOUSE_{name}", raising=False)
    monkeypatch.setenv("VOLWATCH_DASHBOARD_REFRESH_SECONDS", "0")
    with pytest.raises(Misconfigured) as raised:
        command.run(argparse.Namespace())
    assert [fault.split(":")[0] for fault in raised.value.faults] == [
        "VOLWATCH_DASHBOARD_REFRESH_SECONDS",
        "VOLWATCH_WAREHOUSE_HOST is not set",
        "VOLWATCH_WAREHOUSE_USER is not set",
    ]


def test_streamlit_serves_where_the_settings_say_and_tells_nobody() -> None:
    options = command.streamlit_options(DashboardSettings(host="127.0.0.1", port=8600, base_path="/vol/watch/"))
    asked = ("server.address", "server.port", "server.baseUrlPath", "browser.gatherUsageStats", "server.headless")
    assert [options[name] for name in asked] == ["127.0.0.1", 8600, "vol/watch", False, True]
    assert options["server.websocketPingInterval"] == 20
    assert "server.cookieSecret" not in options  # Streamlit draws one


def test_replicas_that_share_a_secret_know_each_others_cookies() -> None:
    options = command.streamlit_options(DashboardSettings(cookie_secret=SecretStr("a secret")))
    assert options["server.cookieSecret"] == "a secret"
    assert set(options) <= set(get_config_options())


def test_streamlit_knows_the_provider_that_we_tell_and_no_other() -> None:
    told = command.streamlit_options(DashboardSettings(), Path("/run/volwatch/secrets.toml"))
    assert told["secrets.files"] == ["/run/volwatch/secrets.toml"]
    assert command.streamlit_options(DashboardSettings())["secrets.files"] == []


@pytest.mark.parametrize(
    ("host", "base_path", "address"),
    [
        ("0.0.0.0", "", "http://127.0.0.1:8501/_stcore/health"),  # noqa: S104 - what a container listens on
        ("10.0.0.7", "/vol/", "http://10.0.0.7:8501/vol/_stcore/health"),
    ],
)
def test_the_probe_asks_streamlit_itself(host: str, base_path: str, address: str) -> None:
    assert command.probe_address(DashboardSettings(host=host, base_path=base_path)) == address


def test_a_dashboard_that_does_not_answer_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    health = Health()
    health.set_ready(True)
    command.probe("http://127.0.0.1:9/_stcore/health", health)
    assert not health.ready
