"""The page Back-test, drawn by Streamlit itself, without a browser, from a reader in memory."""

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.pages import backtest
from tests.dashboard.drawing import draw, texts
from tests.dashboard.fakes import FakeReader, market, some_bars


def test_the_back_test_runs_when_asked_and_lists_what_each_level_raises() -> None:
    reader = market()
    reader.bar_rows = some_bars(300)
    app = draw(backtest.render, reader)
    assert len(app.dataframe) == 0
    app.multiselect(key="backtest-levels").set_value([3.0, 3.7])
    app.button[0].click().run()
    assert not app.exception
    assert app.dataframe[0].value["level"].tolist() == [3.0, 3.7]
    assert "300 bars of 1 symbol-days" in texts(app.caption)


def test_the_back_test_of_nothing_says_what_to_choose() -> None:
    app = draw(backtest.render, market())
    app.multiselect(key="backtest-series").set_value([])
    app.button[0].click().run()
    assert texts(app.warning) == ["Choose at least one series and one level."]


def test_the_back_test_judges_no_more_bars_than_is_bearable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest, "MOST_BARS", 20)
    app = draw(backtest.render, market())
    app.button[0].click().run()
    assert "20 bars of 1 symbol-days" in texts(app.caption)
    assert [text for text in texts(app.warning) if text.startswith("Only 20 bars are judged at once")]


def measured(reader: FakeReader | None = None) -> AppTest:
    """Return the page after a small market was measured at two levels."""
    app = draw(backtest.render, reader or market())
    app.multiselect(key="labelled-levels").set_value([3.3, 4.5])
    app.selectbox(key="labelled-learn").set_value(1)
    app.selectbox(key="labelled-days").set_value(1)
    return press(app, "Measure")


def press(app: AppTest, label: str) -> AppTest:
    [button] = [each for each in app.button if each.label == label]
    return button.click().run()


def test_labelled_scenarios_are_measured_at_each_level_when_asked() -> None:
    app = measured()
    assert not app.exception
    by_level, by_kind = (each.value for each in app.dataframe)
    assert by_level["level"].tolist() == [3.3, 4.5]
    assert by_level["events"].iloc[0] > 0
    assert {"recall_3.3", "recall_4.5"} < set(by_kind.columns)
    assert len(app.get("plotly_chart")) == 1
    assert [text for text in texts(app.text) if text.startswith("A simulated market with known events, not yours")]
    assert [text for text in texts(app.code) if text.startswith("volwatch scenario --seed 7 --symbols-per-scenario 1")]


def test_labelled_scenarios_need_no_series() -> None:
    app = measured(FakeReader())
    assert not app.exception
    assert len(app.dataframe) == 2


def test_labelled_scenarios_need_no_warehouse() -> None:
    app = measured(FakeReader(away=True))
    assert not app.exception
    assert len(app.dataframe) == 2


def test_what_was_measured_stays_while_stored_bars_are_tested() -> None:
    app = press(measured(), "Run")
    assert not app.exception
    assert [table.value for table in app.dataframe if "recall_3.3" in table.value]


def test_no_level_is_nothing_to_measure() -> None:
    app = draw(backtest.render, market())
    app.multiselect(key="labelled-levels").set_value([])
    assert texts(press(app, "Measure").warning) == ["Choose at least one level."]
