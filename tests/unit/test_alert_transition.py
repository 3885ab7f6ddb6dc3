import json
from importlib.resources import files
from typing import get_type_hints

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.notifier.made import step
from volwatch import alert_transition
from volwatch.alert_transition import SEVERITIES, AlertTransition, decode, encode, idempotency_key

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(max_size=20)


@given(
    st.builds(
        AlertTransition,
        severity=st.sampled_from(SEVERITIES),
        statistic=NUMBERS,
        threshold=NUMBERS,
        volatility=st.none() | NUMBERS,
        expected_volatility=st.none() | NUMBERS,
        ratio=st.none() | NUMBERS,
        event_id=st.integers(0, 2**63 - 1),
        happened_at=st.integers(0, 2**53),
        onset_bar=st.integers(0, 2**53),
    )
)
def test_a_transition_survives_its_codec_and_fits_its_schema(made: AlertTransition) -> None:
    assert decode(encode(made)) == made
    jsonschema.validate(json.loads(encode(made)), json.loads(alert_transition.json_schema()))


def test_the_schema_that_is_shipped_is_that_of_the_record() -> None:
    shipped = files("volwatch").joinpath("alert_transition.schema.json").read_text("utf-8")
    assert shipped == alert_transition.json_schema()


def test_a_record_with_a_field_more_or_less_is_none() -> None:
    told = json.loads(encode(step()))
    assert set(told) == set(get_type_hints(AlertTransition))
    for wrong in (told | {"more": 1}, {name: value for name, value in told.items() if name != "key"}):
        with pytest.raises(msgspec.MsgspecError):
            decode(json.dumps(wrong).encode())


@pytest.mark.parametrize(
    ("event", "severity", "key"),
    [
        ("OPEN", "LOW", "a:OPEN"),
        ("OPEN", "HIGH", "a:OPEN"),
        ("CONFIRMED", "LOW", "a:CONFIRMED"),
        ("ESCALATED", "MEDIUM", "a:ESCALATED:MEDIUM"),
        ("ESCALATED", "HIGH", "a:ESCALATED:HIGH"),
        ("CLOSED", "HIGH", "a:CLOSED"),
        ("NOTE", "LOW", "a:NOTE:7"),
    ],
)
def test_a_key_tells_states_apart_and_nothing_else(event: str, severity: str, key: str) -> None:
    assert idempotency_key("a", event, severity, 7) == key


@pytest.mark.parametrize(
    ("event", "key"), [("OPEN", "a:OPEN:1"), ("ESCALATED", "a:ESCALATED:LOW:1"), ("NOTE", "a:NOTE:7")]
)
def test_an_alert_that_stands_again_is_told_under_other_keys(event: str, key: str) -> None:
    assert idempotency_key("a", event, "LOW", 7, turn=1) == key
