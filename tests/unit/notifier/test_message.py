from tests.unit.notifier.made import delivery, step
from volwatch.notifier.message import Message, body, title


def message(*steps: object, **more: object) -> Message:
    return Message(tuple(delivery(one, **more) for one in steps))  # type: ignore[arg-type]


def test_the_id_follows_from_what_is_told_and_stays_that_of_the_first_attempt() -> None:
    first = message(step(1), step(2))
    assert first.message_id == message(step(1), step(2)).message_id != message(step(1)).message_id
    assert len(first.message_id) == 32
    assert message(step(1), message_id="held").message_id == "held"


def test_a_message_of_one_says_what_why_and_from_where() -> None:
    one = message(step(1, severity="HIGH"))
    assert title(one) == "HIGH VOLATILITY S1"
    assert body(one) == "OPEN HIGH simulator: S1 moved"


def test_an_end_and_an_act_are_told_as_such() -> None:
    assert title(message(step(1, "CLOSED"))) == "over: LOW VOLATILITY S1"
    assert title(message(step(1, "RETRACTED"))) == "taken back: LOW VOLATILITY S1"
    note = message(step(1, "NOTE", actor="ann", detail="earnings"))
    assert (title(note), body(note)) == ("note: LOW VOLATILITY S1", "NOTE LOW simulator: S1 moved (ann: earnings)")


def test_the_market_comes_first_then_what_is_gravest() -> None:
    wave = message(step(1), step(2, severity="HIGH"), step(3, kind="MARKET", symbol="XNYS", sentence="many moved"))
    assert title(wave) == "LOW MARKET XNYS and 2 more"
    assert body(wave).splitlines() == [
        "OPEN LOW simulator: many moved",
        "OPEN HIGH simulator: S2 moved",
        "OPEN LOW simulator: S1 moved",
    ]


def test_a_long_message_names_the_rest_by_symbol() -> None:
    lines = body(message(*(step(alert) for alert in range(1, 31)))).splitlines()
    assert len(lines) == 26
    assert lines[-1] == "and 5 more: S26, S27, S28, S29, S30"


def test_people_are_told_of_a_doubt() -> None:
    told = body(message(step(1), message_id="m", doubtful=True))
    assert told.splitlines()[-1] == "Sent again: it is not known whether this arrived before."
    assert "Sent again" not in body(message(step(1), message_id="m"))
