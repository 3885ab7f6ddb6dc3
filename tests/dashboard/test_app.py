"""The script that Streamlit runs, with the warehouse's reader replaced."""

from collections.abc import Iterator

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.command import APP
from tests.dashboard.fakes import FakeReader, market
from volwatch.warehouse import reader as warehouse_reader


@pytest.fixture(autouse=True)
def in_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def open_reader(*_: object, **__: object) -> FakeReader:
        return market()

    monkeypatch.setenv("VOLWATCH_WAREHOUSE_HOST", "localhost")
    monkeypatch.setenv("VOLWATCH_WAREHOUSE_USER", "volwatch_dashboard")
    monkeypatch.setattr(warehouse_reader, "open_reader", open_reader)
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def test_the_first_page_is_the_overview() -> None:
    app = AppTest.from_file(APP, default_timeout=30).run()
    assert not app.exception
    assert [title.value for title in app.title] == ["Overview"]
