import json
import math
from dataclasses import replace
from uuid import UUID

import pytest

from volwatch.alerts import alert_id, explain, explain_market, id_of
from volwatch.analytics import detector
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.market_wide import Member, Wave
from volwatch.analytics.results import Facts, Transition
from volwatch.analytics.rules.rule import Move, Rule, VolatilityAbove

ONSET_MS = 1_767_623_400_000  # 2026-01-05T14:30:00Z
RANGE = math.log(math.log1p(0.0092))
USUAL = math.log(math.log1p(0.0022))

FACTS = Facts(
    start=ONSET_MS,
    open=187.5,
    high=188.6,
    low=186.9,
    close=188.25,
    volume=12_000.0,
    trades=57,
    first_offset=100,
    last_offset=180,
    revision=1,
    flags=0,
    log_return=0.004,
    elapsed=1,
    statistic=6.2,
    z=4.0,
    ratio=3.5,
    log_range=RANGE,
    expected_log_range=USUAL,
    per_year=98_280.0,
    baseline_bars=400,
    profile_days=12,
)
STEP = Transition(
    source="finnhub",
    symbol="NVDA",
    kind="VOLATILITY",
    state="OPEN",
    severity="HIGH",
    onset=ONSET_MS,
    bar=ONSET_MS,
    peak=6.2,
    final=False,
    watermark=ONSET_MS + 65_000,
    facts=FACTS,
)


def test_the_id_of_an_alert_never_changes() -> None:
    """Ids are stored, sent and linked to: this one was written down when the first was given out."""
    assert alert_id("finnhub", "AAPL", "VOLATILITY", ONSET_MS) == UUID("08c1777e-2733-50bc-8d65-10986c476486")


def test_every_part_of_the_key_makes_another_id() -> None:
    keys = [
        ("finnhub", "AAPL", "VOLATILITY", ONSET_MS),
        ("finnhub-quote", "AAPL", "VOLATILITY", ONSET_MS),
        ("finnhub", "MSFT", "VOLATILITY", ONSET_MS),
        ("finnhub", "AAPL", "REOPEN", ONSET_MS),
        ("finnhub", "AAPL", "VOLATILITY", ONSET_MS + 60_000),
        ("finnhubA", "APL", "VOLATILITY", ONSET_MS),
        ("finnhub", "AAPLVOL", "ATILITY", ONSET_MS),
        ("1:a", "b", "VOLATILITY", ONSET_MS),
        ("1", "a1:b", "VOLATILITY", ONSET_MS),
    ]
    assert len({alert_id(*key) for key in keys}) == len(keys)


def test_an_alert_explains_itself_in_one_sentence() -> None:
    assert explain(STEP, FACTS, 3.7, "abc").sentence == (
        "NVDA 14:30Z: 1-min range 0.92 % is 4.2× the usual 0.22 % "
        "(S=6.2, enters at 3.7; 57 trades; price 187.5 → 188.25)"
    )


def test_the_sentence_of_a_reopening_says_for_how_long_nothing_traded() -> None:
    told = explain(replace(STEP, kind="REOPEN"), replace(FACTS, elapsed=16), 4.0, "abc").sentence
    assert told == (
        "NVDA 14:30Z: 1-min range 0.92 % is 4.2× the usual 0.22 % on reopening after 15 min without a trade "
        "(S=6.2, enters at 4; 57 trades; price 187.5 → 188.25)"
    )


def test_a_range_is_told_as_the_volatility_that_has_it_as_its_usual_range() -> None:
    """E[ln range] is 0.43 above ln σ; a minute's σ is √98,280 of a year's."""
    told = explain(STEP, FACTS, 3.7, "abc")
    assert told.volatility == pytest.approx(math.log1p(0.0092) / math.exp(0.43) * math.sqrt(98_280), rel=1e-12)
    assert told.expected_volatility == pytest.approx(math.log1p(0.0022) / math.exp(0.43) * math.sqrt(98_280), rel=1e-12)
    assert told.ratio == pytest.approx(told.volatility / told.expected_volatility, rel=1e-12)


def test_why_holds_what_the_alert_was_judged_by() -> None:
    told = explain(STEP, FACTS, 3.7, "abc")
    assert told.why == {
        "statistic": 6.2,
        "threshold": 3.7,
        "channel": "burst",
        "z": 4.0,
        "ratio": told.ratio,
        "ratio_three_bars": 3.5,
        "volatility": told.volatility,
        "expected_volatility": told.expected_volatility,
        "bar": {
            "start": "2026-01-05T14:30:00+00:00",
            "open": 187.5,
            "high": 188.6,
            "low": 186.9,
            "close": 188.25,
            "volume": 12_000.0,
            "trades": 57,
            "move": 0.004,
            "elapsed_bars": 1,
            "revision": 1,
        },
        "baseline_bars": 400,
        "profile_days": 12,
        "flags": [],
        "final": False,
        "config_hash": "abc",
        "detector": "lre 1",
        "offsets": [100, 180],
    }


def test_the_channel_is_the_one_that_gave_the_statistic() -> None:
    assert explain(STEP, replace(FACTS, z=6.2), 3.7, "abc").why["channel"] == "jump"


@pytest.mark.parametrize(("flags", "names"), [(1, ["ohlc"]), (2, ["reopen"]), (3, ["ohlc", "reopen"])])
def test_flags_are_told_by_their_names(flags: int, names: list[str]) -> None:
    assert explain(STEP, replace(FACTS, flags=flags), 3.7, "abc").why["flags"] == names


def test_why_is_json_though_a_return_is_undefined() -> None:
    why = explain(STEP, replace(FACTS, log_return=math.nan), 3.7, EngineConfig().hash).why
    assert json.loads(json.dumps(why, allow_nan=False))["bar"]["move"] is None


def member(symbol: str, minute: int) -> Member:
    onset = ONSET_MS + minute * 60_000
    return Member(f"{symbol}-{minute}", symbol, onset, "LOW", "OPEN", True, onset + 65_000, None)


CROWD = Wave(
    onset=ONSET_MS,
    first=ONSET_MS,
    last=ONSET_MS + 120_000,
    opened=2,
    symbols=5,
    members=(member("NVDA", 0), member("MSFT", 1), member("AAPL", 2), member("NVDA", 2)),
    confirmed=True,
)


def test_the_id_of_an_alert_of_a_market_is_of_source_calendar_and_onset() -> None:
    keys = [(source, name, ONSET_MS + at) for source in ("a", "b") for name in ("XNYS", "24/7") for at in (0, 60_000)]
    assert len({alert_id(source, name, "MARKET", onset) for source, name, onset in keys}) == len(keys)


def test_an_alert_of_a_market_says_how_many_opened_and_who() -> None:
    sentence, why = explain_market("XNYS", CROWD, "abc")
    assert sentence == "XNYS 14:30Z: 2 of 5 symbols opened within 3 minutes (40 %, market-wide above 30 %; 3 in all)"
    assert json.loads(json.dumps(why, allow_nan=False)) == {
        "share": 0.4,
        "threshold": 0.3,
        "window_bars": 3,
        "opened": 2,
        "symbols_seen": 5,
        "calendar": "XNYS",
        "first_bar": "2026-01-05T14:30:00+00:00",
        "last_bar": "2026-01-05T14:32:00+00:00",
        "config_hash": "abc",
        "detector": f"{detector.NAME} {detector.VERSION}",
        "members": {
            "AAPL": "2026-01-05T14:32:00+00:00",
            "MSFT": "2026-01-05T14:31:00+00:00",
            "NVDA": "2026-01-05T14:30:00+00:00",
        },
    }


def test_all_of_a_market_s_symbols_need_no_second_count() -> None:
    whole = replace(CROWD, opened=3)
    assert explain_market("24/7", whole, "abc")[0] == (
        "24/7 14:30Z: 3 of 5 symbols opened within 3 minutes (60 %, market-wide above 30 %)"
    )


def of_rule(rule: Rule) -> Transition:
    return replace(
        STEP,
        kind="RULE",
        threshold=rule.enter,
        detector=rule.name,
        detector_version=rule.version,
        rule=rule,
    )


MOVED = Move("big-move", percent=2.0, minutes=5)
FALL = replace(FACTS, statistic=0.0233, reference=180.0, high=181.0, low=175.8, close=176.0)


def test_the_default_detectors_steps_keep_their_ids_and_a_rule_has_its_own() -> None:
    assert id_of(STEP) == alert_id("finnhub", "NVDA", "VOLATILITY", ONSET_MS)
    step = of_rule(MOVED)
    assert id_of(step) == alert_id("finnhub", "NVDA", "RULE", ONSET_MS, "big-move", MOVED.version)
    others = [of_rule(replace(MOVED, percent=3.0)), of_rule(replace(MOVED, name="other"))]
    assert len({id_of(each) for each in (STEP, step, *others)}) == 4


def test_a_move_is_told_with_its_sign_and_the_price_that_it_reached() -> None:
    assert explain(of_rule(MOVED), FALL, 3.7, "abc").sentence == (
        "NVDA 14:30Z: moved \N{MINUS SIGN}2.3 % in 5 minutes (rule big-move, at 2 %; price 180 → 175.8; 57 trades)"
    )
    rise = replace(FALL, high=185.4, low=179.0, statistic=0.03)
    assert explain(of_rule(replace(MOVED, minutes=1)), rise, 3.7, "abc").sentence == (
        "NVDA 14:30Z: moved +3.0 % in 1 minute (rule big-move, at 2 %; price 180 → 185.4; 57 trades)"
    )


def test_a_volatility_is_told_with_its_estimator() -> None:
    rule = VolatilityAbove("hot", threshold=0.8)
    assert explain(of_rule(rule), replace(FACTS, statistic=0.844), 3.7, "abc").sentence == (
        "NVDA 14:30Z: volatility 84.4 % a year by ewma (rule hot, at 80 %; price 187.5 → 188.25; 57 trades)"
    )


def test_why_of_a_rule_holds_its_parameters_and_is_json_in_warm_up_too() -> None:
    told = explain(of_rule(MOVED), replace(FALL, z=math.nan), 3.7, "abc")
    assert json.loads(json.dumps(told.why, allow_nan=False)) == told.why
    assert {
        name: told.why[name] for name in ("statistic", "threshold", "channel", "z", "reference_price", "detector")
    } == {
        "statistic": 0.0233,
        "threshold": 0.02,
        "channel": "move",
        "z": None,
        "reference_price": 180.0,
        "detector": f"big-move {MOVED.version}",
    }
    assert told.why["rule"] == {
        "name": "big-move",
        "severity": "MEDIUM",
        "symbols": ["*"],
        "sources": ["*"],
        "min_trades": 2,
        "exit_fraction": 0.8,
        "percent": 2.0,
        "minutes": 5,
    }


def test_an_overridden_threshold_is_the_one_that_is_told() -> None:
    told = explain(replace(STEP, threshold=5.0), FACTS, 3.7, "abc")
    assert told.why["threshold"] == 5.0
    assert "enters at 5;" in told.sentence


def test_a_step_on_a_bar_that_is_undefined_for_the_rule_says_so() -> None:
    told = explain(of_rule(MOVED), replace(FALL, statistic=math.nan, reference=math.nan), 3.7, "abc")
    assert (told.why["statistic"], told.why["reference_price"]) == (None, None)
    assert told.sentence == "NVDA 14:30Z: undefined (rule big-move, at 2 %; price 187.5 → 176; 57 trades)"
