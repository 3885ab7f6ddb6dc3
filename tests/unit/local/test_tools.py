import pytest

from volwatch.errors import Misconfigured
from volwatch.local import tools


def test_all_missing_programs_are_named_at_once_with_their_packages() -> None:
    with pytest.raises(Misconfigured) as raised:
        tools.require(["java", "mvn", "go"], which={"java": "/usr/bin/java"}.get)
    assert raised.value.faults == [
        "mvn is not on the PATH: install the Debian package maven",
        "go is not on the PATH: install the Debian package golang-go (1.21 or later)",
    ]


def test_nothing_is_said_of_programs_that_are_there() -> None:
    tools.require(["java", "go"], which=lambda name: f"/usr/bin/{name}")
