import pytest

from dashboard.signing_in import LONGEST_SESSION_SECONDS, Claims, person

NOW = 1_800_000_000.0
CLAIMS: Claims = {
    "is_logged_in": True,
    "iat": int(NOW) - 60,
    "sub": "1815",
    "name": "Ada",
    "preferred_username": "ada",
    "email": "ada@example.org",
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "ada@example.org"),
        ({"email_verified": True}, "ada@example.org"),
        # Anybody may type an address that is not theirs.
        ({"email_verified": False}, "ada"),
        ({"email": None}, "ada"),
        ({"email": " ", "preferred_username": None}, "Ada"),
        ({"email": None, "preferred_username": ["ada"], "name": ""}, "1815"),
        ({"email": "  ada@example.org "}, "ada@example.org"),
    ],
)
def test_a_person_is_who_the_provider_vouches_for(changed: Claims, expected: str) -> None:
    assert person({**CLAIMS, **changed}, NOW) == expected


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"is_logged_in": False},
        {**CLAIMS, "is_logged_in": False},
        {**CLAIMS, "is_logged_in": "yes"},
        {name: value for name, value in CLAIMS.items() if name != "is_logged_in"},
        {name: value for name, value in CLAIMS.items() if name != "iat"},
        {"is_logged_in": True, "iat": int(NOW)},
    ],
)
def test_nobody_is_signed_in_of_whom_less_is_said(claims: Claims) -> None:
    assert person(claims, NOW) is None


def test_who_signed_in_long_ago_does_so_anew() -> None:
    signed_in = {**CLAIMS, "iat": NOW - LONGEST_SESSION_SECONDS}
    assert (person(signed_in, NOW), person(signed_in, NOW + 1)) == ("ada@example.org", None)
