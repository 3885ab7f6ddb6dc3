"""The file of rules: what it says, and every fault at once."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.analytics.rules.override import Override
from volwatch.analytics.rules.rule import Move, VolatilityAbove
from volwatch.errors import Misconfigured
from volwatch.settings.rule_file import RuleBook, parse_rules, read_rules

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"

FAULTY = """
rules:
  - name: Big
    kind: move
    percent: -2
    minutes: 5
    colour: red
  - name: lre
    kind: volatility_above
  - kind: jump
  - 3
  - {name: a, kind: move, percent: true, minutes: 391}
  - {name: b, kind: volatility_above, threshold: .inf, estimator: garch}
  - {name: c, kind: move, percent: 3, minutes: 4, severity: high, symbols: []}
  - {name: d, kind: move, percent: 3, minutes: 4}
  - {name: d, kind: volatility_above, threshold: 3}
overrides:
  - {symbol: X, enter: 2}
  - {off: true, enter: 4}
  - X
  - {}
more: 1
"""


def faults_of(text: str) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        parse_rules(text, "f")
    return caught.value.faults


def test_the_example_in_the_documentation_says_what_it_is_told_to_say() -> None:
    [text] = re.findall(r"^## Rules$.*?^```yaml\n(.*?)^```$", OPERATIONS.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert parse_rules(text, "operations.md") == RuleBook(
        (
            Move("big-move", "HIGH", ("AAPL", "NV*"), ("*",), 5, 0.8, percent=2, minutes=5),
            VolatilityAbove(
                "hot-coins", "MEDIUM", ("BINANCE:*",), ("finnhub",), 2, 0.9, threshold=0.8, estimator="ewma"
            ),
        ),
        (Override("TSLA", enter=5.0), Override("OANDA:*", off=True)),
    )


def test_all_faults_are_told_at_once_with_their_lines() -> None:
    told = [re.sub(r" (String|Input|Extra|Value) .*", " …", fault) for fault in faults_of(FAULTY)]
    assert told == [
        "f line 22: 'more' is neither 'rules' nor 'overrides'",
        "f line 3: rule 'Big': name: …",
        "f line 5: rule 'Big': percent: …",
        "f line 7: rule 'Big': colour: …",
        "f line 8: rule 'lre': name: is the name of the default detector",
        "f line 8: rule 'lre': threshold: is missing",
        "f line 10: rule 3: kind: is one of volatility_above, move, not 'jump'",
        "f: rule 4: is no mapping",
        "f line 12: rule 'a': percent: …",
        "f line 12: rule 'a': minutes: …",
        "f line 13: rule 'b': threshold: …",
        "f line 13: rule 'b': estimator: is one of cc, cc0, parkinson, garman-klass, rogers-satchell, ewma",
        "f line 14: rule 'c': severity: …",
        "f line 14: rule 'c': symbols: …",
        "f line 18: override 1: enter: …",
        "f line 19: override 2: takes either 'enter' or 'off: true'",
        "f: override 3: is no mapping",
        "f line 21: override 4: takes either 'enter' or 'off: true'",
        "f: rule 'd': is there more than once",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- 1", "f: is no mapping with 'rules' and 'overrides'"),
        ("rules: 3", "f line 1: 'rules' is no list"),
        ("rules:\n  - {name: a", "f line 2: expected ',' or '}', but got '<stream end>'"),
        ("overrides:\n - symbol: A\n   enter: 4\n   enter: 5\n", "f line 2: a key stands there more than once"),
        ("rules: !!python/object:os.system []", "could not determine a constructor"),
    ],
)
def test_what_is_no_file_of_rules_is_said_so(text: str, fault: str) -> None:
    assert fault in faults_of(text)[0]


def test_there_are_not_too_many_rules() -> None:
    many = "".join(f"\n  - {{name: r{number}, kind: move, percent: 1, minutes: 1}}" for number in range(101))
    assert faults_of(f"rules:{many}") == ["f: rules: at most 100, not 101"]


def test_symbols_that_look_like_truth_values_are_symbols() -> None:
    book = parse_rules("rules: [{name: a, kind: move, percent: 1, minutes: 1, symbols: [ON, NO, Y]}]", "f")
    assert book.rules[0].symbols == ("ON", "NO", "Y")


@pytest.mark.parametrize(("given", "expected"), [("all", ("*",)), ("AAPL", ("AAPL",)), ("[A, B]", ("A", "B"))])
def test_symbols_are_all_one_or_several(given: str, expected: tuple[str, ...]) -> None:
    book = parse_rules(f"rules: [{{name: a, kind: move, percent: 1, minutes: 1, symbols: {given}}}]", "f")
    assert book.rules[0].symbols == expected


@pytest.mark.parametrize("text", ["", "# nothing yet", "rules:\noverrides:\n", "rules: []"])
def test_an_empty_file_gives_no_rules(text: str) -> None:
    assert parse_rules(text, "f") == RuleBook()


def test_a_file_that_is_not_there_or_no_text_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        read_rules(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match="no text in UTF-8"):
        read_rules(tmp_path / "bytes.yaml")


@given(st.text("rules:overids \n-{}[]nmk,\"'&*!|>%#0123.~", max_size=60))
def test_any_text_is_rules_or_faults(text: str) -> None:
    told: list[object] = []
    try:
        told.append(parse_rules(text, "f"))
    except Misconfigured as error:
        told += error.faults
    assert told
