"""One installed platform for the whole session, on the cluster of the current kube context."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kubernetes import config
from kubernetes.config import ConfigException
from playwright.sync_api import Error, Page

from tests.chart.rendering import chart_folder
from tests.e2e.platform import Images, Platform

NAMESPACE = "volwatch-e2e"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("e2e")
    group.addoption(
        "--image-registry", default="", help="registry and folder of the images; none: loaded into the nodes"
    )
    group.addoption("--image-tag", default="e2e-1", help="tag of the images to install")
    group.addoption("--next-image-tag", default="e2e-2", help="tag to upgrade to")
    group.addoption("--ingress-address", default="127.0.0.1:80", help="where the ingress controller listens")
    group.addoption("--keep", action="store_true", help="leave the namespace to be looked at")


@dataclass(frozen=True)
class Installed:
    """The platform, and what its installation took."""

    platform: Platform
    install_seconds: float


@pytest.fixture(scope="session")
def images(request: pytest.FixtureRequest) -> Images:
    option = request.config.getoption
    return Images(option("--image-registry"), option("--image-tag"), option("--next-image-tag"))


@pytest.fixture(scope="session")
def chart() -> Path:
    try:
        config.load_kube_config()  # type: ignore[no-untyped-call]
    except ConfigException as error:
        pytest.fail(f"there is no cluster to install to (kubectl config current-context): {error}")
    return chart_folder()


@pytest.fixture(scope="session")
def installed(request: pytest.FixtureRequest, chart: Path, images: Images) -> Iterator[Installed]:
    platform = Platform(NAMESPACE, chart, images, "volwatch.localhost")
    platform.remove()
    platform.wait_until_gone()
    platform.prepare()
    yield Installed(platform, platform.install())
    if not request.config.getoption("--keep"):
        platform.remove()


@pytest.fixture
def platform(installed: Installed) -> Platform:
    return installed.platform


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add to a failure what the cluster says, and what the browser shows."""
    report = yield
    values = getattr(item, "funcargs", {})
    if report.failed and "installed" in values:  # type: ignore[attr-defined]
        report.sections.append(("cluster", values["installed"].platform.report()))  # type: ignore[attr-defined]
    if report.failed and call.when == "call" and "page" in values:  # type: ignore[attr-defined]
        report.sections.append(("page", _shown(values["page"])))  # type: ignore[attr-defined]
    return report


def _shown(page: Page) -> str:
    """Return the text of a page; a browser that is gone must not take the failure's own words with it."""
    try:
        return page.locator("body").inner_text(timeout=5_000)
    except Error as error:
        return f"nothing is shown: {error}"
