"""Reads a counter from a service's /metrics page."""

import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT_SECONDS = 2.0


def read_metric(url: str, name: str, **labels: str) -> float | None:
    """Return the value of a sample on the page of a service; None when the page or the sample is not there."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - our own address
            page = answer.read().decode()
    except (urllib.error.URLError, OSError):
        return None
    samples = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
    return next((float(sample.value) for sample in samples if sample.name == name and sample.labels == labels), None)
