"""A unit test talks to nobody, and takes no longer because the machine is busy."""

from collections.abc import Iterator

import pytest
import pytest_socket
from hypothesis import settings

# Without a deadline a busy machine fails no test that is right; fewer examples than by default keep the whole quick.
settings.register_profile("unit", max_examples=30, deadline=None)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def _no_sockets() -> Iterator[None]:
    """Switch sockets off but for those of Unix, by which the processes of one machine talk."""
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()
