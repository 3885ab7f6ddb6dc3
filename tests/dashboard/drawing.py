"""Draws a page by Streamlit itself, without a browser, from a reader in memory."""

from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest

from dashboard.display import Display
from tests.dashboard.fakes import FakeReader, display

Render = Callable[[FakeReader, Display], None]


# Streamlit runs the text of this function in a module of its own, where our names do not exist: hence the quotes.
def script(render: "Render", reader: "FakeReader", display: "Display") -> None:
    render(reader, display)


def draw(render: Render, reader: FakeReader, shown: Display | None = None, /, **query: str) -> AppTest:
    """Return a page as it was drawn under an address of these parameters."""
    app = AppTest.from_function(script, args=(render, reader, shown or display()), default_timeout=30)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def texts(elements: Any) -> list[str]:
    """Return what elements say."""
    return [element.value for element in elements]
