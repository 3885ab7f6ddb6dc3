"""``volwatch alerts rules``: what a file would watch, or all of its faults."""

import argparse
from pathlib import Path

import pytest

from volwatch.errors import BadInput, Misconfigured
from volwatch.operations import alerts_rules
from volwatch.settings.rule_file import parse_rules

TEXT = """
rules:
  - {name: big-move, kind: move, percent: 2.5, minutes: 5, severity: HIGH, symbols: [AAPL, "NV*"]}
  - {name: hot, kind: volatility_above, threshold: 0.8, sources: [finnhub], min_trades: 9}
overrides:
  - {symbol: TSLA, enter: 5}
  - {source: simulator, off: true}
"""


def ran(*words: str) -> int:
    parser = argparse.ArgumentParser()
    alerts_rules.add_arguments(parser)
    return alerts_rules.run(parser.parse_args(words))


@pytest.fixture
def rule_file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(TEXT, "utf-8")
    return path


def expected() -> list[str]:
    big, hot = parse_rules(TEXT, "f").rules
    return [
        "name,version,watches,ends_below,severity,symbols,sources,min_trades",
        f'big-move,{big.version},a move of 2.5 % or more within 5 min,2 %,HIGH,"AAPL, NV*",*,2',
        f"hot,{hot.version},volatility of 80 % a year or more (ewma),64 %,MEDIUM,*,finnhub,9",
        "default detector,,opens at 5,,,TSLA,*,",
        "default detector,,opens nothing,,,*,simulator,",
    ]


def test_check_shows_what_a_file_would_watch(rule_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("check", str(rule_file)) == 0
    assert capsys.readouterr().out.splitlines() == expected()


def test_check_tells_all_faults(rule_file: Path) -> None:
    rule_file.write_text("rules: [{name: a, kind: move, minutes: 0}]", "utf-8")
    with pytest.raises(BadInput) as caught:
        ran("check", str(rule_file))
    assert [fault.split(": ")[:3] for fault in caught.value.faults] == [
        ["rules.yaml line 1", "rule 'a'", "percent"],
        ["rules.yaml line 1", "rule 'a'", "minutes"],
    ]


def test_list_shows_the_pipelines_own_file(
    rule_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOLWATCH_PIPELINE_RULES_FILE", str(rule_file))
    assert ran("list") == 0
    assert capsys.readouterr().out.splitlines() == expected()


def test_list_without_a_file_shows_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOLWATCH_PIPELINE_RULES_FILE", raising=False)
    assert ran("list") == 0
    assert capsys.readouterr().out.splitlines() == expected()[:1]


def test_a_file_of_the_settings_that_is_not_there_is_a_fault_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOLWATCH_PIPELINE_RULES_FILE", "/nowhere/rules.yaml")
    with pytest.raises(Misconfigured, match="No such file"):
        ran("list")


def test_a_format_that_there_is_not_is_told(rule_file: Path) -> None:
    with pytest.raises(BadInput, match="--format: table or csv, not 'xml'"):
        ran("check", str(rule_file), "--format", "xml")
