"""Choices that do not go together are refused, all of them at once, each with what to do."""

import re

import pytest

from tests.chart.rendering import APIS, CHART, Case, Refused, render

# Faults of one render each: values, the APIs of the cluster, and every fault that is told.
EXTERNAL_KAFKA = ("strimzi.enabled=false", "kafka.mode=external")
ADDRESS = "kafka.external.bootstrapServers=kafka:9092"
CONTRADICTIONS = {
    "no operator": (
        ("strimzi.enabled=false",),
        ["kafka.mode is strimzi, but strimzi.enabled is false and the cluster has no kafka.strimzi.io/v1"],
    ),
    "no address of Kafka": (EXTERNAL_KAFKA, ["kafka.mode is external: set kafka.external.bootstrapServers"]),
    "an idle operator": (
        ("kafka.mode=external", ADDRESS),
        ["kafka.mode is external: set strimzi.enabled to false"],
    ),
    "no login": (
        (*EXTERNAL_KAFKA, ADDRESS, "kafka.external.securityProtocol=SASL_SSL", "kafka.external.username=a"),
        ["set kafka.external.username and kafka.external.existingSecret"],
    ),
    "two brokers": (("kafka.replicas=2",), ["kafka.replicas is 2"]),
    "no keys of S3": (
        ("rawzone.mode=external", "rawzone.external.endpoint=s3:443"),
        ["rawzone.mode is external: set rawzone.external.endpoint and rawzone.existingSecret"],
    ),
    "no host of PostgreSQL": (
        ("warehouse.mode=external", "warehouse.existingSecret=a"),
        ["warehouse.mode is external: set warehouse.external.host and warehouse.existingSecret"],
    ),
    "two schedulers": (
        ("pipeline.scheduler=cronjob",),
        ["pipeline.scheduler is cronjob: set airflow.enabled to false"],
    ),
    "no secrets": (
        ("secrets.generate=false", "rawzone.existingSecret=a"),
        [f"secrets.generate is false: set {stage}.existingSecret" for stage in ("warehouse", "dashboard")],
    ),
    "no Gateway": (("httpRoute.enabled=true",), ["httpRoute.enabled: name the Gateway in httpRoute.gateway"]),
    "no KEDA": (
        ("consumer.autoscaling.enabled=true",),
        ["consumer.autoscaling.by is lag, but the cluster has no keda.sh/v1alpha1"],
    ),
    "another name for a certificate": (
        (*EXTERNAL_KAFKA, ADDRESS, "kafka.external.caSecret=a"),
        ["kafka.external.caSecret: with Airflow its name must be volwatch-cluster-ca-cert"],
    ),
    "no account at Finnhub": (
        ("producer.source=finnhub",),
        [
            "make a Secret with the key token, and name it in producer.finnhub.existingSecret",
            "producer.source is finnhub: set producer.finnhub.symbols",
        ],
    ),
    "no account to ask for quotes": (
        ("pipeline.quotes=true",),
        ["make a Secret with the key token, and name it in producer.finnhub.existingSecret"],
    ),
    "another name for the key": (
        ("pipeline.quotes=true", "producer.finnhub.existingSecret=a"),
        ["producer.finnhub.existingSecret: with pipeline.quotes and Airflow its name must be volwatch-finnhub"],
    ),
    "half a provider": (
        ("dashboard.oidc.metadataUrl=https://id.example.com", "dashboard.oidc.clientId=a"),
        [
            "dashboard.oidc: set metadataUrl, clientId and redirectUri, or none of them",
            "name it in dashboard.existingSecret",
        ],
    ),
    "fewer at most than at least": (
        ("consumer.autoscaling.enabled=true", "consumer.autoscaling.by=cpu", "consumer.replicas=9"),
        ["consumer.autoscaling.maxReplicas is less than consumer.replicas"],
    ),
    "all at once": (
        ("kafka.mode=external", "pipeline.scheduler=cronjob", "httpRoute.enabled=true"),
        [
            "kafka.mode is external: set kafka.external.bootstrapServers",
            "kafka.mode is external: set strimzi.enabled to false",
            "pipeline.scheduler is cronjob",
            "httpRoute.enabled: name the Gateway",
        ],
    ),
}


def told(sets: tuple[str, ...], apis: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(Refused) as refusal:
        render(Case(sets=sets), apis)
    counted = re.search(r"(\d+) fault\(s\) in the values((?:\n  - .+)+)", str(refusal.value))
    assert counted is not None, refusal.value
    faults = counted[2].strip().splitlines()
    assert len(faults) == int(counted[1])
    return [fault.strip().removeprefix("- ") for fault in faults]


@pytest.mark.parametrize(("sets", "expected"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_contradiction_is_refused(sets: tuple[str, ...], expected: list[str]) -> None:
    faults = told(sets)
    assert len(faults) == len(expected)
    assert [text for fault, text in zip(faults, expected, strict=True) if text not in fault] == []


def test_every_fault_that_the_chart_knows_is_tried() -> None:
    template = (CHART / "templates" / "validate.yaml").read_text("utf-8")
    known = re.findall(r'append \$faults (?:\(printf )?"([^"]+)"', template)
    tried = [text for _, expected in CONTRADICTIONS.values() for text in expected]
    assert [fault for fault in known if not any(matches(fault, text) for text in tried)] == []
    assert len(known) == template.count("$faults = append")


def matches(fault: str, text: str) -> bool:
    return re.search(re.escape(text), fault.replace("%s", "warehouse")) is not None


@pytest.mark.parametrize(
    ("sets", "apis"),
    [
        (("strimzi.enabled=false",), (*APIS, "kafka.strimzi.io/v1")),
        (("consumer.autoscaling.enabled=true",), APIS),
        (("consumer.autoscaling.enabled=true", "consumer.autoscaling.by=cpu"), ()),
        (("pipeline.scheduler=cronjob", "airflow.enabled=false"), ()),
        # What to ask for may stand in the table watchlist.
        (("pipeline.quotes=true", "producer.finnhub.existingSecret=volwatch-finnhub"), ()),
        # Only what fetches quotes needs a name that is known beforehand.
        (("producer.source=finnhub", "producer.finnhub.symbols[0]=AAPL", "producer.finnhub.existingSecret=a"), ()),
    ],
)
def test_what_goes_together_is_taken(sets: tuple[str, ...], apis: tuple[str, ...]) -> None:
    assert render(Case(sets=sets), apis) != []
