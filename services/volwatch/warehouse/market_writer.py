"""Writes the alerts of whole markets. They follow from the alerts of symbols where these are stored: only there do
those of all Kafka partitions meet.

A market is a source and a calendar. What is written is a function of the rows that are there, however they came;
writing it again changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case
from psycopg2.extras import Json

from volwatch.alerts import alert_id, explain_market
from volwatch.analytics import detector
from volwatch.analytics.calendars import MINUTE_MS, calendar_for
from volwatch.analytics.detector import SEVERITIES
from volwatch.analytics.market_wide import (
    KIND,
    OPEN_STATES,
    SHARE_PERCENT,
    WINDOW_BARS,
    Member,
    Standing,
    Wave,
    crowds,
    standing,
    waves,
)
from volwatch.warehouse import market_statements as statements
from volwatch.warehouse.market_reader import Held, Market, SeenSymbols, Since, read_held, read_linked, read_members, utc
from volwatch.warehouse.writer import watchlist

_RETRACTED = "RETRACTED"


@dataclass(frozen=True, slots=True)
class _Target:
    """An alert of a market as it is to be; without a wave only its members may have changed."""

    market: Market
    onset: int
    members: Sequence[Member]
    wave: Wave | None


def write_market_alerts(cursor: Cursor, since: Since, config_hash: str, actor: str) -> int:
    """Open, change, close and retract the alerts of markets; return how many were opened for the first time."""
    members, links = read_members(cursor, since)
    held = read_held(cursor, since)
    if not members and not held:
        return 0
    targets = _decide(cursor, members, since)
    others = [each for each in held.values() if each.alert_id not in targets and each.standing.state != _RETRACTED]
    vanished = [each for each in others if each.onset >= since.edge(each.market[0])]
    older = {each.alert_id: each for each in others if each.onset < since.edge(each.market[0])}
    for each in vanished:
        _retract(cursor, each, actor)
    if older:
        linked = read_linked(cursor, older)
        targets |= {key: _Target(older[key].market, older[key].onset, own, None) for key, own in linked.items()}
    fresh = _write(cursor, targets, held, links, config_hash, actor)
    _link(cursor, targets, links)
    return fresh


def _decide(cursor: Cursor, by_source: Mapping[str, list[Member]], since: Since) -> dict[str, _Target]:
    """Return the alerts of markets that follow from those of symbols."""
    calendars = watchlist(cursor) if by_source else {}
    targets: dict[str, _Target] = {}
    for source, members in sorted(by_source.items()):
        calendar_of = partial(_calendar_of, calendars, source)
        seen = SeenSymbols(cursor, source, calendar_of)
        for calendar in sorted({calendar_of(member.symbol) for member in members}):
            own = [member for member in members if calendar_of(member.symbol) == calendar]
            for wave in waves(own, {bar: seen.count(calendar, bar) for bar in crowds(own)}):
                if wave.first >= since.edge(source):
                    key = str(alert_id(source, calendar, KIND, wave.onset))
                    targets[key] = _Target((source, calendar), wave.onset, wave.members, wave)
    return targets


def _calendar_of(calendars: Mapping[str, str], source: str, symbol: str) -> str:
    return calendars.get(symbol) or calendar_for(source, symbol)


def _write(
    cursor: Cursor,
    targets: Mapping[str, _Target],
    held: Mapping[str, Held],
    links: Mapping[str, str | None],
    config_hash: str,
    actor: str,
) -> int:
    stand = {key: standing(target.members, _next_onset(target, targets.values())) for key, target in targets.items()}
    # One alert of a market is open at a time: what closes is written before what opens.
    for key in sorted(targets, key=lambda key: (stand[key].state in OPEN_STATES, targets[key].onset)):
        target, before = targets[key], held.get(key)
        if target.wave is not None:
            told = {name for name, market_alert in links.items() if market_alert == key}
            _write_wave(cursor, key, target, target.wave, stand[key], before, told, config_hash)
        elif before is not None and before.standing != stand[key]:
            _stand(cursor, key, stand[key])
        for event, bar in _events(target, before, stand[key]):
            _tell(cursor, key, stand[key].severity, event, bar, actor)
    return len(targets.keys() - held.keys())


def _next_onset(target: _Target, targets: Iterable[_Target]) -> int | None:
    """Return when the next alert of the same market opens."""
    later = (each.onset for each in targets if each.market == target.market and each.onset > target.onset)
    return min(later, default=None)


def _write_wave(
    cursor: Cursor,
    key: str,
    target: _Target,
    wave: Wave,
    stand: Standing,
    before: Held | None,
    told: set[str],
    config_hash: str,
) -> None:
    """Write an alert of a market, unless it is stored as it is to be; ``told``: the members that are linked to it."""
    source, calendar = target.market
    sentence, why = explain_market(calendar, wave, config_hash)
    now = (stand, wave.confirmed, sentence, {member.alert_id for member in wave.members})
    if before is not None and now == (before.standing, before.confirmed, before.sentence, told):
        return
    row = {
        "alert_id": key,
        "source": source,
        "symbol": calendar,
        "kind": KIND,
        "detector": detector.NAME,
        "version": detector.VERSION,
        "onset_bar": utc(wave.onset),
        "state": stand.state,
        "severity": stand.severity,
        "confirmed": wave.confirmed,
        "statistic": wave.share,
        "threshold": SHARE_PERCENT / 100,
        "sentence": sentence,
        "why": Json(why),
        "config_hash": config_hash,
        "detected_at": utc(max(member.detected for member in wave.members)),
        "closed_at": None if stand.closed is None else utc(stand.closed),
    }
    cursor.execute(statements.WRITE, row)


def _events(target: _Target, before: Held | None, stand: Standing) -> list[tuple[str, int]]:
    """Return what the audit is to be told, each with the bar that caused it."""
    told = []
    if before is None or before.standing.state == _RETRACTED:
        told.append(("OPEN", target.onset))
    elif before.standing.state == "CLOSED" and stand.state in OPEN_STATES:
        told.append(("OPEN", max(member.onset for member in target.members)))
    elif SEVERITIES.index(stand.severity) > SEVERITIES.index(before.standing.severity):
        told.append(("ESCALATED", target.onset))
    if target.wave is not None and target.wave.confirmed and not (before is not None and before.confirmed):
        told.append(("CONFIRMED", target.onset))
    if stand.closed is not None and (before is None or before.standing.state != "CLOSED"):
        told.append(("CLOSED", stand.closed - MINUTE_MS))
    return told


def _retract(cursor: Cursor, held: Held, actor: str) -> None:
    """Take back an alert that follows from the rows no more; it stays, as all alerts do, without members."""
    ended = Standing(_RETRACTED, held.standing.severity, held.onset + WINDOW_BARS * MINUTE_MS)
    _stand(cursor, held.alert_id, ended)
    cursor.execute(statements.UNLINK, {"market": held.alert_id})
    _tell(cursor, held.alert_id, ended.severity, _RETRACTED, held.onset, actor)


def _stand(cursor: Cursor, key: str, stand: Standing) -> None:
    closed_at = None if stand.closed is None else utc(stand.closed)
    row = {"alert_id": key, "state": stand.state, "severity": stand.severity, "closed_at": closed_at}
    cursor.execute(statements.STAND, row)


def _tell(cursor: Cursor, key: str, severity: str, event: str, bar: int, actor: str) -> None:
    row = {"alert_id": key, "event": event, "severity": severity, "bar_start": utc(bar), "actor": actor}
    cursor.execute(statements.EVENT, row)


def _link(cursor: Cursor, targets: Mapping[str, _Target], links: Mapping[str, str | None]) -> None:
    """Link the alerts of symbols to that of their market; those that are no longer among its members to none."""
    decided = {key: target for key, target in targets.items() if target.wave is not None}
    wanted = {member.alert_id: key for key, target in decided.items() for member in target.members}
    changes: dict[str | None, list[str]] = {}
    for name, market_alert in links.items():
        now = wanted.get(name, None if market_alert in decided else market_alert)
        if now != market_alert:
            changes.setdefault(now, []).append(name)
    for market_alert, names in changes.items():
        cursor.execute(statements.LINK, {"market": market_alert, "ids": sorted(names)})
