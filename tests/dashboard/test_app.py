"""The script that Streamlit runs, with the warehouse's reader replaced."""

from collections.abc import Iterator

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import signing_in, wording
from dashboard.command import APP
from tests.dashboard.drawing import texts
from tests.dashboard.fakes import FakeReader, market
from tests.fakes import PROVIDER
from volwatch.warehouse import reader as warehouse_reader


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakeReader]]:
    """Open readers in memory, and list those that were asked for."""
    readers: list[FakeReader] = []

    def open_reader(*_: object, **__: object) -> FakeReader:
        readers.append(market())
        return readers[-1]

    monkeypatch.setenv("VOLWATCH_WAREHOUSE_HOST", "localhost")
    monkeypatch.setenv("VOLWATCH_WAREHOUSE_USER", "volwatch_dashboard")
    monkeypatch.setattr(warehouse_reader, "open_reader", open_reader)
    st.cache_resource.clear()
    yield readers
    st.cache_resource.clear()


def test_the_first_page_is_the_overview() -> None:
    app = AppTest.from_file(APP, default_timeout=30).run()
    assert not app.exception
    assert [title.value for title in app.title] == ["Overview"]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PROVIDER.items():
        monkeypatch.setenv(f"VOLWATCH_DASHBOARD_{name}", value)


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


@pytest.mark.usefixtures("provider")
def test_who_is_not_signed_in_is_asked_to_be_and_nothing_is_read(opened: list[FakeReader]) -> None:
    app = AppTest.from_file(APP, default_timeout=30).run()
    assert not app.exception
    assert (texts(app.title), labels(app)) == (["volwatch"], ["Sign in"])
    assert len(app.dataframe) == 0
    assert opened == []


@pytest.mark.usefixtures("provider")
def test_who_is_signed_in_is_told_so_and_may_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_in, "person", lambda *_: "**ada**@example.org")
    app = AppTest.from_file(APP, default_timeout=30).run()
    assert not app.exception
    assert texts(app.title) == ["Overview"]
    assert "**ada**@example.org" in texts(app.text)
    assert "Sign out" in labels(app)


@pytest.mark.usefixtures("provider")
def test_a_page_that_stays_open_asks_anew_once_the_session_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["ada@example.org"])
    monkeypatch.setattr(signing_in, "person", lambda *_: next(answers, None))
    app = AppTest.from_file(APP, default_timeout=30).run()
    assert not app.exception
    assert (texts(app.title), labels(app)) == (["volwatch"], ["Sign in"])
    assert len(app.dataframe) == 0


def test_without_a_provider_nobody_is_asked_to_sign_in() -> None:
    app = AppTest.from_file(APP, default_timeout=30).run()
    assert {"Sign in", "Sign out"} & {*labels(app)} == set()


def test_a_dashboard_that_is_read_only_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOLWATCH_DASHBOARD_READ_ONLY", "true")
    app = AppTest.from_file(APP, default_timeout=30).run()
    assert wording.READ_ONLY in texts(app.caption)
