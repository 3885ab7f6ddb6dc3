"""What a person zoomed to stays over refreshes, as new bars come, until that person has seen enough."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Warehouse
from tests.dashboard.serving import Open
from volwatch.warehouse.readings import Series

pytestmark = pytest.mark.browser

AAPL = Series("simulator", "AAPL")
BARS, STILL_TO_COME = 90, 6
MINUTE = timedelta(minutes=1)
DRAWN = """([candles, start, end]) => {
    const chart = document.querySelector('.js-plotly-plot')
    const shown = chart?._fullLayout?.xaxis?.range
    return chart?.calcdata?.[0].length === candles && shown[0] === start && shown[1] === end
}"""


def wait_for_chart(page: Page, candles: int, shown: list[str]) -> None:
    """Wait until the first chart, which is the price, has so many candles and shows this range of time."""
    page.wait_for_function(DRAWN, arg=[candles, *shown])


def range_of(page: Page) -> list[str]:
    shown: list[str] = page.evaluate("document.querySelector('.js-plotly-plot')._fullLayout.xaxis.range")
    return shown


def double_click(page: Page, x: float, y: float, shown: list[str]) -> None:
    """Click twice until this range is left: on a busy machine two clicks may be too far apart to be a double one."""
    for _ in range(10):
        page.mouse.dblclick(x, y)
        page.wait_for_timeout(500)
        if range_of(page) != shown:
            return


def as_text(*times: datetime) -> list[str]:
    """Return times as a chart writes those of whole minutes."""
    return [f"{time:%Y-%m-%d %H:%M}" if time.hour or time.minute else f"{time:%Y-%m-%d}" for time in times]


def test_a_zoom_survives_refreshes_with_new_bars_until_a_double_click(
    page: Page, dashboard: Open, warehouse: Warehouse
) -> None:
    rows = warehouse.rows
    for minutes_ago in range(STILL_TO_COME, STILL_TO_COME + BARS):
        rows.bar(AAPL, minutes_ago, close=100 + minutes_ago % 3)
    rows.run()
    page.goto(f"{dashboard()}/symbol?symbol=AAPL&source=simulator")
    start, end = rows.minute - (STILL_TO_COME + BARS - 1) * MINUTE, rows.minute - (STILL_TO_COME - 1) * MINUTE
    wait_for_chart(page, BARS, as_text(start, end))
    page.wait_for_load_state("networkidle")

    plot = page.locator(".js-plotly-plot").first.locator(".nsewdrag").first
    expect(plot).to_be_visible()
    box = plot.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.3, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=5)
    page.mouse.up()
    page.wait_for_function(
        "shown => document.querySelector('.js-plotly-plot')._fullLayout.xaxis.range[0] !== shown", arg=as_text(start)[0]
    )
    zoomed = range_of(page)
    seen = [datetime.fromisoformat(time).replace(tzinfo=UTC) for time in zoomed]
    assert abs(seen[0] - (start + (end - start) * 0.3)) < MINUTE
    assert abs(seen[1] - (start + (end - start) * 0.6)) < MINUTE

    for come in range(1, 4):
        rows.bar(AAPL, STILL_TO_COME - come)
        wait_for_chart(page, BARS + come, zoomed)

    double_click(page, box["x"] + box["width"] / 2, middle, zoomed)
    wait_for_chart(page, BARS + 3, as_text(start, end + 3 * MINUTE))
    rows.bar(AAPL, STILL_TO_COME - 4)
    wait_for_chart(page, BARS + 4, as_text(start, end + 4 * MINUTE))
