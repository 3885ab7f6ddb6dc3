import tomllib
from pathlib import Path
from stat import S_IMODE

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.provider_file import provider_file, provider_text
from tests.fakes import PROVIDER
from volwatch.settings import DashboardSettings


def settings(**changed: str) -> DashboardSettings:
    return DashboardSettings.model_validate({name.lower(): value for name, value in PROVIDER.items()} | changed)


def test_the_file_says_who_the_provider_is_to_us_alone_and_goes_when_we_go() -> None:
    with provider_file(settings()) as path:
        assert path is not None
        assert (S_IMODE(path.stat().st_mode), S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
        assert tomllib.loads(path.read_text("utf-8")) == {
            "auth": {
                "server_metadata_url": PROVIDER["OIDC_METADATA_URL"],
                "client_id": PROVIDER["OIDC_CLIENT_ID"],
                "client_secret": PROVIDER["OIDC_CLIENT_SECRET"],
                "redirect_uri": PROVIDER["OIDC_REDIRECT_URI"],
                "cookie_secret": PROVIDER["COOKIE_SECRET"],
            }
        }
    assert not path.parent.exists()


def fail_while_serving(seen: list[Path]) -> None:
    with provider_file(settings()) as path:
        assert path is not None
        seen.append(path)
        raise OSError("port in use")


def test_it_goes_when_something_fails_too() -> None:
    seen: list[Path] = []
    with pytest.raises(OSError, match="in use"):
        fail_while_serving(seen)
    assert [path.exists() for path in seen] == [False]


def test_without_a_provider_there_is_no_file() -> None:
    with provider_file(DashboardSettings()) as path:
        assert path is None


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_secret_may_hold_any_character(secret: str) -> None:
    assert tomllib.loads(provider_text(settings(oidc_client_secret=secret)))["auth"]["client_secret"] == secret
