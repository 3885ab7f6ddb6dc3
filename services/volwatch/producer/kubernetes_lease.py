"""The lease as a Lease of Kubernetes (coordination.k8s.io/v1), for producers of one cluster.

Every write names the version that it was made for, so that the API server refuses it when another was faster. The times
in it are for people to read: nobody counts by them.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from math import ceil
from typing import Any

from kubernetes.client import ApiClient, Configuration, CoordinationV1Api, V1LeaseSpec
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, load_incluster_config
from urllib3.exceptions import HTTPError

from volwatch.errors import Misconfigured, Transient
from volwatch.producer.lease import Record

CONFLICT, FORBIDDEN, NOT_FOUND = HTTPStatus.CONFLICT, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND


def in_cluster_api() -> CoordinationV1Api:
    """Return the API of the cluster that this pod runs in, by the token of its service account.

    Raises
    ------
    Misconfigured
        This is no pod, or it has no token.
    """
    configuration = Configuration()
    try:
        load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    except ConfigException as error:
        raise Misconfigured([f"VOLWATCH_LEASE_KIND: kubernetes, but: {error}"]) from None
    configuration.retries = False  # it would try three times, each as long as a request may take
    return CoordinationV1Api(ApiClient(configuration))


class KubernetesLease:
    """A lease in a cluster; see ``Lease``. Every method raises ``Misconfigured`` when this pod may not have it.

    Parameters
    ----------
    duration_seconds : float
        As its candidates have it, written down for people.
    clock : callable
        Seconds since the epoch.
    """

    lasts = False

    def __init__(
        self, api: CoordinationV1Api, namespace: str, name: str, duration_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._duration_seconds = ceil(duration_seconds)
        self._clock = clock
        self._transitions = 0

    def read(self, timeout_seconds: float) -> Record:
        """Return the Lease as it is."""
        lease = self._answer({NOT_FOUND}, timeout_seconds, self._api.read_namespaced_lease, self._name)
        return Record("", "") if lease is None else self._record(lease)

    def try_take(self, seen: Record, holder: str, timeout_seconds: float) -> Record | None:
        """Write a holder into the Lease, or make it."""
        now = self._now()
        spec: dict[str, object] = {
            "holderIdentity": holder,
            "leaseDurationSeconds": self._duration_seconds,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": self._transitions + 1,
        }
        if seen.version:
            return self._patch(seen, spec, timeout_seconds)
        body = {"metadata": {"name": self._name}, "spec": spec | {"leaseTransitions": 0}}
        lease = self._answer({CONFLICT}, timeout_seconds, self._api.create_namespaced_lease, body=body)
        return None if lease is None else self._record(lease)

    def renew(self, own: Record, timeout_seconds: float) -> Record | None:
        """Write the time into the Lease."""
        return self._patch(own, {"renewTime": self._now()}, timeout_seconds)

    def release(self, own: Record, timeout_seconds: float) -> None:
        """Take the holder out of the Lease."""
        self._patch(own, {"holderIdentity": None}, timeout_seconds)

    def _patch(self, seen: Record, spec: dict[str, object], timeout_seconds: float) -> Record | None:
        """Change the Lease; return None when it is another by now, or gone."""
        body = {"metadata": {"resourceVersion": seen.version}, "spec": spec}
        expected = {CONFLICT, NOT_FOUND}
        lease = self._answer(expected, timeout_seconds, self._api.patch_namespaced_lease, self._name, body=body)
        return None if lease is None else self._record(lease)

    def _answer(
        self,
        expected: set[HTTPStatus],
        timeout_seconds: float,
        request: Callable[..., object],
        *name: str,
        **body: object,
    ) -> Any:
        """Return the Lease that the API server answers with; None when it refuses as expected."""
        try:
            return request(*name, namespace=self._namespace, _request_timeout=timeout_seconds, **body)
        except ApiException as error:
            if error.status in expected:
                return None
            told = _told(error)
            if error.status in (FORBIDDEN, NOT_FOUND):
                raise Misconfigured([f"VOLWATCH_LEASE_NAME: {self._namespace}/{self._name}: {told}"]) from None
            raise Transient(f"the cluster's API: {told}") from error
        except HTTPError as error:
            raise Transient(f"the cluster's API: {error}") from error

    def _record(self, lease: Any) -> Record:
        # The client says of each field that it may be missing. A Lease that somebody made by hand may have no spec.
        spec = lease.spec or V1LeaseSpec()
        self._transitions = spec.lease_transitions or 0
        return Record(spec.holder_identity or "", lease.metadata.resource_version)

    def _now(self) -> str:
        """Return the time as the API server wants it: with six digits, the last ones too when they are zeros."""
        now = datetime.fromtimestamp(self._clock(), UTC).replace(tzinfo=None)
        return now.isoformat(timespec="microseconds") + "Z"


def _told(error: ApiException) -> str:
    """Return why a request failed, in the words of the API server where it has some."""
    try:
        return str(json.loads(error.body or "")["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.status} {error.reason}"
