"""What tests of the pages do with a browser."""

import re

from playwright.sync_api import ConsoleMessage, Page


def cell(page: Page, text: str) -> None:
    """Wait until a table has a cell of this text: tables are drawn on a canvas, which holds them as cells too."""
    page.locator("canvas td").filter(has_text=text).first.wait_for(state="attached")


def click_row(page: Page, row: int) -> None:
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 15, box["y"] + 36 * (row + 1) + 18)


def faults_of(page: Page) -> list[str]:
    """Return a list to which the page adds whatever goes wrong on it from now on."""
    faults: list[str] = []

    def note(message: ConsoleMessage) -> None:
        address = message.location["url"]
        # Opened at the address of a page, Streamlit asks beneath that first whether its server is there.
        if message.type == "error" and not (
            "404" in message.text and re.search(r"/\w+/_stcore/(health|host-config)$", address)
        ):
            faults.append(f"{message.text} {address}")

    page.on("console", note)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("requestfailed", lambda request: faults.append(request.url))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    return faults
