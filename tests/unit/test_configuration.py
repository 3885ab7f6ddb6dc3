"""What the engine is told: settings and watch-list together, and all faults at once."""

from pathlib import Path

import pytest

from volwatch.analytics.config import EngineConfig
from volwatch.analytics.rules.override import Override
from volwatch.analytics.rules.rule import Move
from volwatch.configuration import engine_config
from volwatch.errors import Misconfigured
from volwatch.settings import PipelineSettings


def test_settings_and_watchlist_make_the_configuration() -> None:
    settings = PipelineSettings(
        alert_enter=4.0, risk_free_rate=0.03, outlier_filter=False, condition_tables="tape = sip, finnhub=finnhub"
    )
    assert engine_config(settings, {"7203.T": "XTKS"}) == EngineConfig(
        enter=4.0,
        risk_free_rate=0.03,
        outlier_filter=False,
        condition_tables={"tape": "sip", "finnhub": "finnhub"},
        calendar_names={"7203.T": "XTKS"},
    )


def test_by_default_bad_prints_are_filtered_and_no_condition_excludes() -> None:
    config = engine_config(PipelineSettings(), {})
    assert (config.outlier_filter, config.condition_tables, config.enter) == (True, {}, EngineConfig().enter)


def test_all_faults_are_told_at_once() -> None:
    settings = PipelineSettings(condition_tables="tape=nyse,sip")
    with pytest.raises(Misconfigured) as caught:
        engine_config(settings, {"A": "XNYS", "B": "NOWHERE"})
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        "VOLWATCH_PIPELINE_CONDITION_TABLES",
        "VOLWATCH_PIPELINE_CONDITION_TABLES",
        "watch-list",
    ]
    assert "B has the calendar 'NOWHERE'" in caught.value.faults[2]


def test_rules_and_overrides_of_the_file_are_the_engines(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "rules: [{name: a, kind: move, percent: 2, minutes: 5}]\noverrides: [{symbol: X, enter: 5}]", "utf-8"
    )
    config = engine_config(PipelineSettings(rules_file=str(path)), {})
    assert config.rules == (Move("a", percent=2.0, minutes=5),)
    assert config.overrides == (Override("X", enter=5.0),)
    assert config.hash != engine_config(PipelineSettings(), {}).hash


def test_faults_of_the_file_of_rules_are_told_with_the_others(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules: [{name: a, kind: move, percent: 0, minutes: 0}]", "utf-8")
    with pytest.raises(Misconfigured) as caught:
        engine_config(PipelineSettings(rules_file=str(path)), {"B": "NOWHERE"})
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        "VOLWATCH_PIPELINE_RULES_FILE",
        "VOLWATCH_PIPELINE_RULES_FILE",
        "watch-list",
    ]
