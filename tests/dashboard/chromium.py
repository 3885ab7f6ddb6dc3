"""A headless Chromium of this machine."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = "chromium"
SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """Yield a running browser, with more switches if given."""
    with (
        sync_playwright() as playwright,
        closing(playwright.chromium.launch(executable_path=shutil.which(CHROMIUM), args=[*SWITCHES, *more])) as started,
    ):
        yield started
