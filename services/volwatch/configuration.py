"""What the engine is told in every path: by the settings, and by the watch-list."""

from collections.abc import Mapping
from pathlib import Path

from volwatch.analytics import conditions
from volwatch.analytics.calendars import unknown_calendars
from volwatch.analytics.config import EngineConfig
from volwatch.errors import Misconfigured
from volwatch.settings import PipelineSettings
from volwatch.settings.rule_file import RuleBook, read_rules


def engine_config(settings: PipelineSettings, watchlist: Mapping[str, str]) -> EngineConfig:
    """Return the engine's configuration.

    Parameters
    ----------
    watchlist : mapping of str to str
        Calendar of each symbol on the watch-list.

    Raises
    ------
    Misconfigured
        A calendar or a table of conditions that is named does not exist, or the file of rules has faults.
    """
    tables, faults = _condition_tables(settings.condition_tables)
    book, faulty = _rules(settings.rules_file)
    faults += faulty
    unknown = set(unknown_calendars(watchlist.values()))
    faults += [
        f"watch-list: {symbol} has the calendar {name!r}, which there is not"
        for symbol, name in sorted(watchlist.items())
        if name in unknown
    ]
    if faults:
        raise Misconfigured(faults)
    return EngineConfig(
        enter=settings.alert_enter,
        risk_free_rate=settings.risk_free_rate,
        outlier_filter=settings.outlier_filter,
        condition_tables=tables,
        calendar_names=watchlist,
        rules=book.rules,
        overrides=book.overrides,
    )


def _rules(name: str) -> tuple[RuleBook, list[str]]:
    """Return what the file of rules says, and its faults."""
    if not name:
        return RuleBook(), []
    try:
        return read_rules(Path(name)), []
    except Misconfigured as error:
        return RuleBook(), [f"VOLWATCH_PIPELINE_RULES_FILE: {fault}" for fault in error.faults]


def _condition_tables(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the table of each source, and the faults of the text."""
    tables, faults = {}, []
    for part in filter(None, (part.strip() for part in text.split(","))):
        source, _, name = (word.strip() for word in part.partition("="))
        if not source or name not in conditions.TABLES:
            known = ", ".join(conditions.TABLES)
            faults.append(f"VOLWATCH_PIPELINE_CONDITION_TABLES: {part!r} is not source=table with a table of {known}")
        tables[source] = name
    return tables, faults
