"""The notifier: its channels come from a Secret; without one it tells the topic alone, and never leaves the cluster."""

from tests.chart.pods import Pod, pods
from tests.chart.rendering import CASES, Case, Object, render
from tests.chart.test_network import outside
from tests.chart.test_quotes import KNOW, rights

NOTIFIER = "volwatch-notifier"
CHANNELS = Case(sets=("notifier.channelsSecret=mine", "notifier.channelPorts={8080}"))
FILE = "VOLWATCH_NOTIFIER_CHANNELS_FILE"


def only(case: Case, kind: str) -> Object:
    (body,) = [body for body in render(case) if (body["kind"], body["metadata"]["name"]) == (kind, NOTIFIER)]
    return body


def notifier(case: Case) -> Pod:
    (found,) = pods([only(case, "Deployment")])
    return found


def test_it_writes_the_topic_of_alerts_and_reads_none() -> None:
    assert rights(render(CASES["default"]), NOTIFIER) == [*KNOW, ("Describe", "alerts"), ("Write", "alerts")]
    assert notifier(Case()).told("VOLWATCH_WAREHOUSE_USER") == {"volwatch_notifier"}


def test_channels_are_read_from_the_secret_that_is_named() -> None:
    pod = notifier(CHANNELS)
    (container,) = pod.spec["containers"]
    (mount,) = [one for one in container["volumeMounts"] if one["name"] == "channels"]
    assert mount == {"name": "channels", "mountPath": "/etc/volwatch/channels", "readOnly": True}
    assert {"name": "channels", "secret": {"secretName": "mine"}} in pod.spec["volumes"]
    assert pod.told(FILE) == {"/etc/volwatch/channels/channels.yaml"}


def test_who_only_waits_for_servers_sees_no_channel() -> None:
    (waiting,) = notifier(CHANNELS).spec["initContainers"]
    assert [one["name"] for one in waiting["volumeMounts"]] == ["tmp"]


def test_without_a_secret_there_is_no_file() -> None:
    assert notifier(Case()).told(FILE) == set()
    assert [volume["name"] for volume in notifier(Case()).spec["volumes"]] == ["tmp"]


def test_it_leaves_the_cluster_by_the_ports_of_its_channels_alone() -> None:
    assert (outside(render(Case()), NOTIFIER), outside(render(CHANNELS), NOTIFIER)) == ([], [8080])


def test_switched_off_it_leaves_nothing_behind() -> None:
    left = [body["metadata"]["name"] for body in render(CASES["quiet"]) if NOTIFIER in body["metadata"]["name"]]
    assert left == []
