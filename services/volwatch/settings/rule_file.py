"""The file of rules that users give (YAML): parsed into the engine's terms, every fault told at once with its line."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from volwatch.analytics.detector import NAME
from volwatch.analytics.rules.override import Override
from volwatch.analytics.rules.rule import EVERYTHING, MOST_MINUTES, Move, Rule, VolatilityAbove
from volwatch.analytics.volatility import MINUTE_ESTIMATORS
from volwatch.errors import Misconfigured

MOST_RULES = 100

_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RuleBook:
    """What a file says."""

    rules: tuple[Rule, ...] = ()
    overrides: tuple[Override, ...] = ()


def read_rules(path: Path) -> RuleBook:
    """Return the rules and overrides of a file.

    Raises
    ------
    Misconfigured
        Lists every fault, each with the file's name and, where there is one, its line.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise Misconfigured([f"{path}: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        raise Misconfigured([f"{path}: is no text in UTF-8"]) from error
    return parse_rules(text, path.name)


def parse_rules(text: str, name: str) -> RuleBook:
    """Return the rules and overrides of a text; ``name`` is what faults call it. Raises ``Misconfigured``."""
    try:
        content = yaml.load(text, _Lines)  # noqa: S506 - a SafeLoader that knows where things stand
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark is not None else ""
        raise Misconfigured([f"{name}{where}: {getattr(error, 'problem', None) or error}"]) from error
    if content is None:
        return RuleBook()
    faults: list[str] = []
    rules, overrides = _entries(content, faults)
    made = [rule for place, entry in enumerate(rules, 1) if (rule := _rule(entry, place, faults)) is not None]
    kept = [one for place, entry in enumerate(overrides, 1) if (one := _override(entry, place, faults)) is not None]
    faults += [f"rule {each!r}: is there more than once" for each in _repeated(rule.name for rule in made)]
    if faults:
        raise Misconfigured([f"{name} {fault}" if fault.startswith("line") else f"{name}: {fault}" for fault in faults])
    return RuleBook(tuple(made), tuple(kept))


class _Mapping(dict[Any, Any]):
    """A mapping that knows in which line it, and each of its keys, stands."""

    line = 0

    def __init__(self, values: dict[Any, Any], line: int, lines: dict[Any, int]) -> None:
        super().__init__(values)
        self.line, self.lines = line, lines


class _Lines(yaml.SafeLoader):
    """Reads plain values; mappings with their lines, and without a key that stands there twice."""

    def located(self, node: yaml.MappingNode) -> _Mapping:
        """Return a mapping with its lines."""
        self.flatten_mapping(node)
        lines = {self.construct_object(key, deep=True): key.start_mark.line + 1 for key, _ in node.value}
        if len(lines) < len(node.value):
            raise yaml.constructor.ConstructorError(
                problem="a key stands there more than once", problem_mark=node.start_mark
            )
        return _Mapping(self.construct_mapping(node, deep=True), node.start_mark.line + 1, lines)


_BOOL = "tag:yaml.org,2002:bool"
# Of YAML 1.1 the words on, off, yes and no are truth values: here they are a key, and symbols.
_Lines.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in known if tag != _BOOL]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Lines.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Lines.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _Lines.located)


def _patterns(value: object) -> object:
    """Take one pattern as a list of it, and ``all`` as every one."""
    if isinstance(value, str):
        return list(EVERYTHING) if value == "all" else [value]
    return value


_Pattern = Annotated[str, Field(min_length=1, max_length=100)]
_Patterns = Annotated[list[_Pattern], BeforeValidator(_patterns), Field(min_length=1)]


class _Entry(BaseModel):
    """What an entry of the file may hold."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _RuleEntry(_Entry):
    kind: str
    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=40)
    severity: Literal["LOW", "MEDIUM", "HIGH"] = "MEDIUM"
    symbols: _Patterns = list(EVERYTHING)
    sources: _Patterns = list(EVERYTHING)
    min_trades: int = Field(2, ge=1, le=1_000_000)
    exit: float = Field(0.8, gt=0, le=1)

    makes: ClassVar[type[Rule]]

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name == NAME:
            raise ValueError("is the name of the default detector")
        return name

    def made(self) -> Rule:
        """Return the rule."""
        given = self.model_dump(exclude={"kind", "exit"})
        patterns = {"symbols": tuple(self.symbols), "sources": tuple(self.sources)}
        return self.makes(**given | patterns, exit_fraction=self.exit)


class _VolatilityEntry(_RuleEntry):
    threshold: float = Field(gt=0, le=1_000, allow_inf_nan=False)
    estimator: str = "ewma"

    makes = VolatilityAbove

    @field_validator("estimator")
    @classmethod
    def _is_known(cls, estimator: str) -> str:
        if estimator not in MINUTE_ESTIMATORS:
            raise ValueError(f"is one of {', '.join(MINUTE_ESTIMATORS)}")
        return estimator


class _MoveEntry(_RuleEntry):
    percent: float = Field(gt=0, le=1_000, allow_inf_nan=False)
    minutes: int = Field(ge=1, le=MOST_MINUTES)

    makes = Move


class _OverrideEntry(_Entry):
    symbol: _Pattern = "*"
    source: _Pattern = "*"
    enter: float | None = Field(None, ge=3, le=10)
    off: bool = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> "_OverrideEntry":
        if (self.enter is None) != self.off:
            raise ValueError("takes either 'enter' or 'off: true'")
        return self


_KINDS: dict[str, type[_RuleEntry]] = {"volatility_above": _VolatilityEntry, "move": _MoveEntry}


def _entries(content: object, faults: list[str]) -> tuple[list[object], list[object]]:
    """Return the entries of both lists, with a fault for what is neither."""
    if not isinstance(content, _Mapping):
        faults.append("is no mapping with 'rules' and 'overrides'")
        return [], []
    unknown = [key for key in content if key not in ("rules", "overrides")]
    faults += [f"line {content.lines[key]}: {key!r} is neither 'rules' nor 'overrides'" for key in unknown]
    lists: list[list[object]] = []
    for key in ("rules", "overrides"):
        held = content.get(key)
        if held is not None and not isinstance(held, list):
            faults.append(f"line {content.lines[key]}: {key!r} is no list")
        lists.append(held if isinstance(held, list) else [])
    if len(lists[0]) > MOST_RULES:
        faults.append(f"rules: at most {MOST_RULES}, not {len(lists[0])}")
    return lists[0], lists[1]


def _rule(entry: object, place: int, faults: list[str]) -> Rule | None:
    if not isinstance(entry, _Mapping):
        faults.append(f"rule {place}: is no mapping")
        return None
    who = f"rule {entry.get('name') or place!r}"
    model = _KINDS.get(str(entry.get("kind")))
    if model is None:
        faults.append(f"line {entry.line}: {who}: kind: is one of {', '.join(_KINDS)}, not {entry.get('kind')!r}")
        return None
    made = _checked(model, entry, who, faults)
    return None if made is None else made.made()


def _override(entry: object, place: int, faults: list[str]) -> Override | None:
    if not isinstance(entry, _Mapping):
        faults.append(f"override {place}: is no mapping")
        return None
    made = _checked(_OverrideEntry, entry, f"override {place}", faults)
    return None if made is None else Override(made.symbol, made.source, made.enter, made.off)


def _checked(model: type[_M], entry: _Mapping, who: str, faults: list[str]) -> _M | None:
    """Return an entry as its model; None, with its faults, where it is none."""
    try:
        return model.model_validate(dict(entry))
    except ValidationError as error:
        for detail in error.errors():
            key = detail["loc"][0] if detail["loc"] else None
            line = entry.lines.get(key, entry.line)
            said = "is missing" if detail["type"] == "missing" else detail["msg"].removeprefix("Value error, ")
            faults.append(f"line {line}: {who}: {f'{key}: ' if key is not None else ''}{said}")
    return None


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, times in Counter(names).items() if times > 1)
