"""What a retry can do: by the engine's own rules, applied to the record as it would be sent."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.unit.operations.quarantined import MINUTE, MINUTE_MS, TRADE, print_of, set_aside
from volwatch.analytics.bars import REASONS
from volwatch.operations.prospects import RULES, prospect
from volwatch.trade import Trade


def test_every_reason_of_the_engine_has_its_rule_in_words() -> None:
    assert set(REASONS) - {""} <= set(RULES)


def test_a_trade_whose_minute_is_not_final_is_sent_as_its_source_stands() -> None:
    found = prospect(set_aside(watermark=MINUTE + timedelta(minutes=2, seconds=59)))
    assert (found.trade, found.would_help) == (print_of(received_at=MINUTE_MS + 179_000), True)
    assert found.because.startswith("helps once VOLWATCH_PIPELINE_OUTLIER_FILTER is off")


def test_received_at_never_goes_back() -> None:
    assert prospect(set_aside(watermark=MINUTE)).trade == TRADE
    assert prospect(set_aside(watermark=None)).trade == TRADE


@pytest.mark.parametrize(
    ("trade", "watermark", "reason"),
    [
        (TRADE, MINUTE + timedelta(minutes=3), "LATE"),
        (TRADE, MINUTE + timedelta(hours=24, seconds=30), "TOO_OLD"),
        (print_of(event_time=MINUTE_MS + 200_000), MINUTE + timedelta(seconds=150), "FUTURE"),
        (print_of(price=-1.0), MINUTE, "BAD_PRICE"),
        (print_of(size=-1.0), MINUTE, "BAD_SIZE"),
        (print_of(size=0.0), MINUTE, "ZERO_SIZE"),
    ],
)
def test_a_trade_that_would_be_rejected_again_is_refused_with_its_rule(
    trade: Trade, watermark: datetime, reason: str
) -> None:
    found = prospect(set_aside(trade, watermark=watermark))
    assert (found.would_help, found.because) == (False, f"it would be {reason}: {RULES[reason]}")
    assert found.trade is not None


def test_a_trade_of_the_future_is_taken_once_its_time_has_come() -> None:
    row = set_aside(print_of(event_time=MINUTE_MS + 150_000), reason="FUTURE")
    assert (prospect(row).would_help, prospect(row).because) == (True, "its time has come")


def test_a_quote_of_a_source_of_quotes_is_taken() -> None:
    assert prospect(set_aside(print_of(source="finnhub-quote", size=0.0))).would_help


def test_a_trade_that_was_sent_again_is_refused() -> None:
    found = prospect(set_aside(retried_at=MINUTE, retried_by="ada"))
    assert (found.would_help, found.because) == (False, "it was sent again at 2026-01-05T15:00:00+00:00 by ada")


@pytest.mark.parametrize("record", ["", "{}", '{"price": null}', "\x00"])
def test_what_is_no_record_cannot_be_sent(record: str) -> None:
    found = prospect(set_aside(record=record))
    assert (found.trade, found.would_help) == (None, False)
    assert found.because.startswith("its record cannot be sent: ")


def test_a_reason_that_nobody_knows_is_judged_all_the_same() -> None:
    changes: dict[str, Any] = {"reason": "OF_ANOTHER_VERSION"}
    assert prospect(set_aside(**changes)).because == "no rule of this program rejects it any more"
