"""Each page drawn by Streamlit itself, without a browser, from a reader in memory."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from dashboard import wording
from dashboard.pages import alerts, backtest, overview, pipeline, symbol
from tests.dashboard.drawing import Render, draw, texts
from tests.dashboard.fakes import (
    AAPL,
    ALERT_ID,
    FakeReader,
    display,
    market,
    overview_row,
    some_alert,
    some_estimates,
)
from volwatch.errors import Transient
from volwatch.warehouse.readings import Freshness, Series

PAGES = [overview.render, symbol.render, alerts.render, backtest.render, pipeline.render]
HOSTILE = ["<script>alert(1)</script>", "**x**", ":red[x]", "$x$", "[x](http://x)"]


@pytest.mark.parametrize("render", PAGES)
def test_a_page_says_how_old_fresh_data_is(render: Render) -> None:
    app = draw(render, market())
    assert not app.exception
    assert [text for text in texts(app.markdown) if "As of" in text] == [
        ":green-badge[:material/schedule: As of 2026-01-05 14:59:50 UTC · 40 s old]"
    ]
    assert [text for text in texts(app.error) if "STALE" in text] == []


@pytest.mark.parametrize("render", PAGES)
def test_times_are_told_in_the_zone_that_a_person_chooses(render: Render) -> None:
    offered = replace(display(), zones=("UTC", "America/New_York"))
    app = draw(render, market(), offered, alert=some_alert().alert_id)
    app.selectbox(key="zone-box").select("America/New_York").run()
    assert not app.exception
    assert [text for text in texts(app.markdown) if "As of" in text] == [
        ":green-badge[:material/schedule: As of 2026-01-05 09:59:50 New York · 40 s old]"
    ]


@pytest.mark.parametrize("render", PAGES)
def test_a_page_says_loudly_that_data_is_stale(render: Render) -> None:
    app = draw(render, market(age_seconds=200))
    assert not app.exception
    assert "STALE: the newest trade is 3 min old. The pipeline last ran 3 min ago." in texts(app.error)


@pytest.mark.parametrize("render", PAGES)
def test_a_page_without_data_says_what_to_do(render: Render) -> None:
    app = draw(render, FakeReader())
    assert not app.exception
    assert wording.NO_DATA in texts(app.info)


@pytest.mark.parametrize("render", PAGES)
def test_a_page_that_is_read_only_says_so(render: Render) -> None:
    shown = {may_act: draw(render, market(), replace(display(), may_act=may_act)) for may_act in (True, False)}
    assert [wording.READ_ONLY in texts(shown[may_act].caption) for may_act in (True, False)] == [False, True]


@pytest.mark.parametrize("render", PAGES)
def test_a_page_outlives_a_warehouse_that_is_away(render: Render) -> None:
    app = draw(render, FakeReader(away=True))
    assert not app.exception
    assert {text.split(".")[0] for text in texts(app.error)} == {"The warehouse cannot be reached"}


@pytest.mark.parametrize(
    ("render", "first", "shown"), [(symbol.render, "series", "By day"), (alerts.render, "alert", "Acknowledge")]
)
def test_a_page_whose_first_question_got_no_answer_asks_again_by_itself(render: Render, first: str, shown: str) -> None:
    reader = market()
    setattr(reader, first, away_once(getattr(reader, first)))
    app = draw(render, reader, alert=ALERT_ID)
    assert not app.exception
    assert texts(app.error) == []
    assert shown in [*texts(app.subheader), *(button.label for button in app.button)]


def away_once(ask: Callable[..., Any]) -> Callable[..., Any]:
    answers = iter([Transient("the server closed the connection")])

    def ask_a_server_that_comes_back(*asked: object) -> Any:
        for error in answers:
            raise error
        return ask(*asked)

    return ask_a_server_that_comes_back


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("render", PAGES)
def test_text_from_outside_is_never_markdown_or_html(render: Render, name: str) -> None:
    app = draw(render, market(Series("simulator", name)), alert=ALERT_ID, symbol=name)
    assert not app.exception
    marked_up = [*app.markdown, *app.title, *app.subheader, *app.caption, *app.info, *app.warning, *app.error]
    assert [text for text in texts(marked_up) if name in text] == []
    assert [html for html in app.get("html") if name in str(html)] == []


def test_the_overview_ranks_what_alerts_first_and_says_why_a_value_is_missing() -> None:
    missing = {"cc": float("nan"), "cc_null_reason": "INSUFFICIENT_DATA", "statistic": float("nan")}
    rows = [
        overview_row(Series("simulator", "CALM"), statistic=2.0),
        overview_row(Series("simulator", "NEW"), statistic_null_reason="INSUFFICIENT_DATA", **missing),
        overview_row(Series("simulator", "HOT"), alert_state="ESCALATED", statistic=1.0),
        overview_row(Series("simulator", "OLD"), age_seconds=500.0, statistic=3.0),
        overview_row(Series("simulator", "SHUT"), age_seconds=500.0, statistic=2.5, standing="CLOSED"),
    ]
    table = overview.overview_table(pd.DataFrame(rows), stale_seconds=180.0)
    found = table[["symbol", "state", "reason"]].fillna("").to_numpy().tolist()
    assert found == [
        ["HOT", "ESCALATED", ""],
        ["CALM", "CALM", ""],
        ["NEW", "WARM-UP", "INSUFFICIENT_DATA"],
        ["OLD", "STALE", ""],
        ["SHUT", "CLOSED", ""],
    ]


def test_the_overview_is_ranked_by_the_ratio_when_asked() -> None:
    reader = market()
    hot = overview_row(Series("simulator", "HOT"), statistic=1.0, ratio=3.0)
    calm = overview_row(Series("simulator", "CALM"), statistic=2.0, ratio=0.5)
    reader.overview_rows = pd.DataFrame([hot, calm])
    app = draw(overview.render, reader)
    assert app.dataframe[0].value["symbol"].tolist() == ["CALM", "HOT"]
    app.segmented_control(key="rank").select("Ratio to usual").run()
    assert app.dataframe[0].value["symbol"].tolist() == ["HOT", "CALM"]


def test_the_overview_tells_the_pulse_of_the_market_and_how_the_feeds_fare() -> None:
    reader = market()
    rows = [overview_row(ratio=2.0), overview_row(Series("finnhub", "NVDA"), ratio=9.0, age_seconds=500.0)]
    reader.overview_rows = pd.DataFrame(rows)
    app = draw(overview.render, reader)
    assert {each.label: each.value for each in app.metric} == {
        "Market pulse": "2.00× · agitated",
        "Alerting now": "0 of 2",
        "Highest S": "1.50",
        "Warming up": "0",
        "Stale or halted": "1",
    }
    assert app.dataframe[2].value[["source", "health", "newest"]].to_numpy().tolist() == [
        ["finnhub", "SILENT: check the producer and its connection", "8 min ago"],
        ["simulator", "healthy", "40 s ago"],
    ]
    assert len(app.get("plotly_chart")) == 2


def test_the_overview_says_why_there_is_no_pulse_yet() -> None:
    reader = market()
    reader.ratio_rows = reader.ratio_rows.iloc[:0]
    app = draw(overview.render, reader)
    assert "Nothing to compare with yet: a series is judged after its first 60 bars." in texts(app.text)


def test_the_overview_shows_the_sentence_of_recent_alerts() -> None:
    app = draw(overview.render, market())
    assert app.dataframe[1].value["sentence"].tolist() == [some_alert().sentence]


def test_the_symbol_page_draws_the_series_of_the_address() -> None:
    reader = market()
    reader.known = [AAPL, Series("finnhub", "NVDA"), Series("simulator", "NVDA")]
    app = draw(symbol.render, reader, symbol="NVDA", source="simulator")
    assert app.selectbox(key="series").value == Series("simulator", "NVDA")
    assert len(app.get("plotly_chart")) == 9


@pytest.mark.parametrize("choice", ["1 h", "day", "5 days", "all"])
def test_every_range_is_drawn(choice: str) -> None:
    app = draw(symbol.render, market())
    app.segmented_control(key="range").select(choice).run()
    assert not app.exception
    assert len(app.get("plotly_chart")) == 9


def test_a_series_too_young_for_its_spread_says_what_is_needed() -> None:
    reader = market()
    reader.bar_rows = reader.bar_rows.tail(5)
    assert "Too few returns so far, or none that moved. Twenty are needed." in texts(draw(symbol.render, reader).text)


def test_without_an_earlier_day_nothing_is_called_usual() -> None:
    reader = market()
    reader.usual_rows = reader.usual_rows.iloc[:0]
    assert "What is usual at this time of day is drawn once a day before this one has been seen." in texts(
        draw(symbol.render, reader).caption
    )


def test_choosing_a_series_puts_it_into_the_address() -> None:
    reader = market()
    reader.known = [AAPL, Series("simulator", "NVDA")]
    app = draw(symbol.render, reader)
    app.selectbox(key="series").select("NVDA · simulator").run()
    assert not app.exception
    assert app.selectbox(key="series").value == Series("simulator", "NVDA")
    assert app.query_params == {"symbol": "NVDA", "source": "simulator"}


def test_a_series_that_is_not_there_is_said_and_another_is_shown() -> None:
    app = draw(symbol.render, market(), symbol="GONE")
    assert texts(app.warning) == ["The series in the address has no bars. Choose one of these."]
    assert app.selectbox(key="series").value == AAPL


def test_missing_values_are_counted_with_their_reason() -> None:
    app = draw(symbol.render, market())
    assert "No value 1 ×: INSUFFICIENT_DATA: too few bars yet: the window is still filling." in texts(app.caption)


def test_a_sharpe_ratio_without_any_value_says_insufficient_data_and_draws_nothing() -> None:
    reader = market()
    day = 86_400
    reader.day_estimates = some_estimates("sharpe", [None, None], annualisation="US_DAILY", step_seconds=day)
    app = draw(symbol.render, reader)
    assert len(app.get("plotly_chart")) == 7
    assert "No value 2 ×: INSUFFICIENT_DATA: too few bars yet: the window is still filling." in texts(app.caption)


def test_annualisations_are_never_drawn_in_one_chart() -> None:
    reader = market()
    reader.minute_estimates = pd.concat(
        [some_estimates("cc", annualisation="US_RTH_1M"), some_estimates("ewma", annualisation="CRYPTO_1M")]
    )
    titles = [text for text in texts(draw(symbol.render, reader).markdown) if text.startswith("**Volatility**")]
    assert titles == [f"**Volatility** · annualised by {code}" for code in ("CRYPTO_1M", "US_RTH_1M", "US_DAILY")]


def test_the_filter_narrows_the_alerts_down() -> None:
    app = draw(alerts.render, market())
    assert len(app.dataframe[0].value) == 1
    app.multiselect(key="alert-states").select("CLOSED").run()
    assert texts(app.info) == ["No alert passes the filter. Widen it to see more."]


def test_an_alert_shows_its_why_as_facts_and_the_records_it_was_made_of() -> None:
    reader = market()
    known = {"partition": 3, "offsets": [5, 9], "raw_objects": ["trades/a.csv.gz", "trades/b.csv.gz"]}
    reader.alert_rows[ALERT_ID] = replace(some_alert(), why={**some_alert().why, **known})
    app = draw(alerts.render, reader, alert=ALERT_ID)
    assert some_alert().sentence in texts(app.text)
    assert app.dataframe[1].value.to_numpy().tolist() == [
        ["statistic", "6.2"],
        ["bar › high", "102.4"],
        ["flags", "[]"],
        ["partition", "3"],
        ["offsets", "[5, 9]"],
    ]
    assert texts(app.code) == ["trades/a.csv.gz\ntrades/b.csv.gz", f"volwatch alerts explain {ALERT_ID}"]
    assert [text for text in texts(app.caption) if "5 to 9 of partition 3" in text]


def test_the_raw_objects_of_an_alert_are_links_where_people_can_look_at_them() -> None:
    reader = market()
    key = "trades/date=2026-01-05/hour=14/3-5-9.csv.gz"
    reader.alert_rows[ALERT_ID] = replace(some_alert(), why={"raw_objects": [key]})
    shown = replace(display(), rawzone_browser="https://minio.example/browser/raw/{key}")
    app = draw(alerts.render, reader, shown, alert=ALERT_ID)
    [table] = [each.value for each in app.dataframe if "link" in each.value]
    quoted = "trades%2Fdate%3D2026-01-05%2Fhour%3D14%2F3-5-9.csv.gz"
    assert table.to_numpy().tolist() == [[f"https://minio.example/browser/raw/{quoted}", key]]
    assert texts(app.code) == [f"volwatch alerts explain {ALERT_ID}"]


@pytest.mark.parametrize(
    ("kind", "pictures"), [("VOLATILITY", 1), ("REOPEN", 1), ("RULE", 1), ("MARKET", 0), ("BLIND", 0)]
)
def test_an_alert_of_one_series_has_a_picture(kind: str, pictures: int) -> None:
    reader = market()
    reader.alert_rows[ALERT_ID] = replace(some_alert(), kind=kind)
    app = draw(alerts.render, reader, alert=ALERT_ID)
    assert not app.exception
    assert len(app.get("plotly_chart")) == pictures


def test_an_alert_whose_bars_are_gone_says_so_in_place_of_a_picture() -> None:
    reader = market()
    reader.bar_rows = reader.bar_rows.iloc[:0]
    app = draw(alerts.render, reader, alert=ALERT_ID)
    assert len(app.get("plotly_chart")) == 0
    assert [text for text in texts(app.text) if text.startswith("The bars around the onset are not in the warehouse")]


def test_the_list_of_alerts_is_asked_for_in_the_order_chosen() -> None:
    reader = market()
    app = draw(alerts.render, reader)
    assert set(reader.orders) == {"newest"}
    app.selectbox(key="alert-order").select("Strongest").run()
    assert reader.orders[-1] == "strongest"
    assert len(app.get("download_button")) == 1


@pytest.mark.parametrize("alert_id", ["nonsense", "00000000-0000-0000-0000-000000000000", "' OR 1=1 --"])
def test_an_address_of_no_alert_is_said(alert_id: str) -> None:
    app = draw(alerts.render, market(), alert=alert_id)
    assert not app.exception
    assert texts(app.warning) == ["There is no alert of the id in the address."]


def test_the_pipeline_page_tells_what_is_wrong_and_what_to_do() -> None:
    app = draw(pipeline.render, market())
    assert [text.split("**")[1] for text in texts(app.error)] == ["8 rows differ between hops."]
    assert [text.split("**")[1] for text in texts(app.warning)] == ["2 offsets of Kafka are in no raw object."]
    assert "8 rows differ between hops, checked 2026-01-05 14:59:50 UTC." in texts(app.text)


def test_the_pipeline_page_tells_that_nothing_is_wrong() -> None:
    reader = market()
    reader.reconciliation_rows = reader.reconciliation_rows.assign(missing_raw=0, unloaded=0)
    reader.position_rows = reader.position_rows.assign(gaps=0)
    app = draw(pipeline.render, reader)
    assert texts(app.success) == ["Nothing is wrong: every hop is up to date."]
    assert [*app.error, *app.warning] == []
    assert "Every hop agrees, checked 2026-01-05 14:59:50 UTC." in texts(app.text)


def test_the_pipeline_page_shows_how_far_the_detector_has_come() -> None:
    app = draw(pipeline.render, market())
    [told] = [table.value for table in app.dataframe if "ahead" in table.value]
    assert told[["next_offset", "ahead", "lag", "last"]].to_numpy().tolist() == [[640, 40, "1 s", "0 s ago"]]


def test_the_pipeline_page_lists_channels_and_names_those_that_fail() -> None:
    reader = market()
    failing = [["chat", "apprise", False, 9, 3, 600.0, 1, 0, None, "chat: the service did not take it"]]
    columns = reader.channel_rows.columns
    reader.channel_rows = pd.concat([reader.channel_rows, pd.DataFrame(failing, columns=columns)], ignore_index=True)
    app = draw(pipeline.render, reader)
    assert [text for text in texts(app.warning) if "Failing: chat. What waits for it is kept and tried again." in text]
    [told] = [table.value for table in app.dataframe if "sent_1d" in table.value]
    assert told[["channel", "state", "since", "success"]].to_numpy().tolist() == [
        ["desk", "up", "–", "30 s ago"],
        ["chat", "failing", "10 min", "never"],
    ]


def test_the_pipeline_page_says_that_nobody_is_told() -> None:
    reader = market()
    reader.channel_rows = reader.channel_rows.iloc[:0]
    app = draw(pipeline.render, reader)
    assert "Nobody is told of alerts: no notifier has served a channel yet." in texts(app.text)


def test_a_pipeline_that_never_ran_is_said_beside_stale_data() -> None:
    reader = market()
    newest = reader.freshness_now.now.replace(year=2025)
    reader.freshness_now = Freshness(reader.freshness_now.now, newest, None)
    app = draw(overview.render, reader)
    assert "STALE: the newest trade is 365 d old. The pipeline has never finished a run." in texts(app.error)
