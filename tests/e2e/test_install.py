"""`helm install --wait` from nothing: a price becomes an alert and is seen, and nobody has more rights than needed."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from kubernetes import client
from playwright.sync_api import Error, Page, Request, expect, sync_playwright

from tests.e2e.conftest import Installed
from tests.e2e.neighbours import bystander
from tests.e2e.platform import RELEASE, Platform, wait_until

pytestmark = pytest.mark.timeout(1200)

STAGES = ("producer", "consumer", "detector", "notifier", "dashboard", "rawzone", "warehouse")
SERVERS = {"warehouse": ("volwatch-warehouse", 5432), "rawzone": ("volwatch-rawzone", 9000), "kafka": ("kafka", 9092)}
ALERTS = "SELECT count(*) FROM stock_alerts"
HOPS = ("stock_prices", "stock_volatility", "stock_signals", "raw_objects", "pipeline_runs")
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 4)
except OSError as error:
    print(error)
else:
    print("connected")
"""


def test_a_price_becomes_an_alert_without_a_hand(installed: Installed) -> None:
    platform = installed.platform
    seconds = wait_until(lambda: platform.number(ALERTS) > 0, "an alert row", 420)
    told = f"helm install --wait took {installed.install_seconds:.0f} s, the first alert row came {seconds:.0f} s later"
    print(told)  # noqa: T201 - what it took is worth knowing where it took little
    # The detector's alert comes before the first run of the minute path.
    for hop in HOPS:
        wait_until(lambda hop=hop: platform.number(f"SELECT count(*) FROM {hop}") > 0, f"{hop} has rows", 300)  # type: ignore[misc]


def test_helm_test_follows_a_record_through_every_hop(platform: Platform) -> None:
    told = platform.helm("test", RELEASE, "--timeout", "6m")
    assert told.count("Phase:          Succeeded") == 2, told


def test_every_pod_is_admitted_where_pod_security_is_restricted(platform: Platform) -> None:
    assert platform.refused() == []
    assert [stage for stage in STAGES if not platform.component(stage)] == []


def test_no_pod_has_a_token_but_the_producers_which_opens_one_lease(platform: Platform) -> None:
    pods = platform.pods()
    assert [pod.metadata.name for pod in pods if pod.spec.automount_service_account_token is not False] == []
    holders = {
        pod.metadata.labels["app.kubernetes.io/component"]
        for pod in pods
        for volume in pod.spec.volumes
        if volume.projected is not None
    }
    assert holders == {"producer"}
    asked = {
        "get leases/volwatch-producer": True,
        "patch leases/volwatch-producer": True,
        "get leases/other": False,
        "delete leases/volwatch-producer": False,
        "get secrets/volwatch-warehouse": False,
        "list pods/": False,
    }
    assert {question: may_a_producer(platform, question) for question in asked} == asked


def may_a_producer(platform: Platform, question: str) -> bool:
    """Return what the cluster says of "verb resources/name", asked of the producers' account."""
    verb, _, what = question.partition(" ")
    resource, _, name = what.partition("/")
    about = client.V1ResourceAttributes(
        namespace=platform.namespace,
        verb=verb,
        group="coordination.k8s.io" if resource == "leases" else "",
        resource=resource,
        name=name,
    )
    user = f"system:serviceaccount:{platform.namespace}:volwatch-producer"
    review = client.V1SubjectAccessReview(spec=client.V1SubjectAccessReviewSpec(resource_attributes=about, user=user))
    answer: Any = client.AuthorizationV1Api().create_subject_access_review(review)
    return bool(answer.status.allowed)


def test_no_container_was_restarted(platform: Platform) -> None:
    restarts = {
        f"{pod.metadata.name}/{status.name}": status.restart_count
        for pod in platform.pods()
        for status in pod.status.container_statuses or []
    }
    assert {name: count for name, count in restarts.items() if count} == {}


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_answers_those_on_its_list_and_nobody_else(platform: Platform, server: str) -> None:
    command = ["python", "-c", CONNECT, *map(str, SERVERS[server])]
    with bystander(platform, "stranger", {"app": "stranger"}) as stranger:
        # A pod is open until its address is known to the policies.
        wait_until(lambda: platform.execute(stranger, command) == "timed out\n", f"{server} is shut", 30)
    with bystander(platform, "guest", {"app.kubernetes.io/component": "test"}) as guest:
        wait_until(lambda: platform.execute(guest, command) == "connected\n", f"{server} is open to a test", 30)


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    """A browser that finds every name at the ingress controller."""
    address, _, port = request.config.getoption("--ingress-address").partition(":")
    switches = ["--no-sandbox", "--disable-gpu", f"--host-resolver-rules=MAP * {address}:{port or 80}"]
    with (
        sync_playwright() as playwright,
        closing(playwright.chromium.launch(executable_path=shutil.which("chromium"), args=switches)) as browser,
    ):
        page = browser.new_page()
        # Where a page stays empty, its own words say why.
        page.on("console", lambda message: print(f"console: {message.type}: {message.text}"))  # noqa: T201
        page.on("requestfailed", lambda request: print(f"no answer: {request.url}: {request.failure}"))  # noqa: T201
        yield page


def visit(page: Page, address: str) -> None:
    """Open a page, with all that it is made of, as soon as the ingress controller has taken up that it is there."""
    lost: list[str] = []

    def remember(request: Request) -> None:
        lost.append(request.url)

    def is_there() -> bool:
        lost.clear()
        try:
            answer = page.goto(address, timeout=15_000, wait_until="networkidle")
        except Error:  # it still sends visitors to a pod that is gone
            return False
        # Where a pod comes or goes on this machine, its network changes, and the browser drops what it was loading.
        return answer is not None and answer.status == 200 and not lost

    page.on("requestfailed", remember)
    wait_until(is_there, f"{address} is there", 90)
    page.remove_listener("requestfailed", remember)


def test_the_dashboard_shows_the_alert_through_the_ingress(platform: Platform, page: Page) -> None:
    newest = "SELECT alert_id, symbol, severity FROM stock_alerts ORDER BY onset_bar DESC LIMIT 1"
    alert, symbol, severity = platform.query(newest)[0]
    visit(page, f"http://{platform.host}/alerts?alert={alert}")
    # Its sentence begins with the symbol. The table of all alerts is a picture, in which no text can be looked for.
    expect(page.get_by_text(f"{symbol} ").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text(severity).first).to_be_visible()


def test_the_dashboard_lives_under_a_sub_path(platform: Platform, page: Page) -> None:
    platform.upgrade("ingress.path=/markets")
    # The old pod goes on serving for a while: a frame under any path, but nothing of what the page is made of.
    wait_until(lambda: len(platform.pods("app.kubernetes.io/component=dashboard")) == 1, "the old dashboard is gone")
    visit(page, f"http://{platform.host}/markets/pipeline")
    # What the page shows comes by its websocket: without it there is no more than an empty frame.
    expect(page.get_by_text("Kafka partitions")).to_be_visible(timeout=60_000)
    platform.upgrade()
