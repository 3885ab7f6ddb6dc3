import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.notifier.signature import sign, verify

SECRET = "a secret of the test"


def test_the_signature_is_an_hmac_of_time_and_body() -> None:
    digest = hmac.new(SECRET.encode(), b'1767625200.{"a":1}', hashlib.sha256).hexdigest()
    assert sign(SECRET, b'{"a":1}', 1_767_625_200) == f"t=1767625200,v1={digest}"


@given(st.binary(), st.integers(0, 10**11))
def test_what_was_signed_is_accepted(body: bytes, now: int) -> None:
    assert verify(SECRET, body, sign(SECRET, body, now), now + 299)


@pytest.mark.parametrize(
    ("secret", "body", "signature", "now"),
    [
        ("another secret", b"x", sign(SECRET, b"x", 100), 100),
        (SECRET, b"y", sign(SECRET, b"x", 100), 100),
        (SECRET, b"x", sign(SECRET, b"x", 100), 401),
        (SECRET, b"x", sign(SECRET, b"x", 500), 100),
        (SECRET, b"x", sign(SECRET, b"x", 100).replace("t=100", "t=101"), 100),
        (SECRET, b"x", "t=100", 100),
        (SECRET, b"x", "", 100),
    ],
)
def test_what_was_changed_or_is_old_is_not(secret: str, body: bytes, signature: str, now: float) -> None:
    assert not verify(secret, body, signature, now)
